//! Is a written file of sound what it has to be? Read back by libavformat's demuxer, and decoded to its end.
#![deny(unsafe_code)]

use std::path::Path;

use super::verification::Verification;
use crate::analyze::hear;
use crate::base::{CancelToken, Rational, Result, Rounding};
use crate::container::sound_file::SoundFormat;
use crate::media::{MediaInfo, StreamInfo, StreamKind};
use crate::source::{AudioDecoder, Source};

/// What a file of sound has to hold.
#[derive(Clone, Debug)]
pub(crate) struct ExpectedSound {
    pub(crate) format: SoundFormat,
    /// FFmpeg's name of the codec.
    pub(crate) codec: String,
    pub(crate) channels: u32,
    pub(crate) sample_rate: u32,
    /// Samples a channel that are heard; `None` where nobody counted them.
    pub(crate) samples: Option<u64>,
    /// Samples that are decoded before and after those.
    pub(crate) around: (u64, u64),
    pub(crate) title: Option<String>,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) cover: bool,
    pub(crate) chapters: usize,
}

/// Reads the file at `path` and checks it against `expected`.
///
/// # Errors
/// `Interrupted`, and of opening what was written.
pub(crate) fn verify_sound(path: &Path, expected: &ExpectedSound, cancel: &CancelToken) -> Result<Verification> {
    let mut result = Verification::default();
    let source = Source::open(path, cancel)?;
    let info = source.info().clone();
    let tracks: Vec<&StreamInfo> = info.streams.iter().filter(|s| s.kind == StreamKind::Audio).collect();
    result.equal("tracks of sound", &1, &tracks.len());
    let Some(track) = tracks.first() else { return Ok(result) };
    let audio = track.audio.as_ref();
    result.equal("codec", &expected.codec.as_str(), &track.codec.as_str());
    result.equal("channels", &Some(expected.channels), &audio.map(|a| a.channels));
    result.equal("sample rate", &Some(expected.sample_rate), &audio.map(|a| a.sample_rate));
    check_words(&mut result, expected, &info, track);
    let (samples, damaged) = hear_all(source, track, cancel)?;
    result.equal("packets that cannot be decoded", &0, &damaged);
    check_length(&mut result, expected, track, samples);
    Ok(result)
}

/// Decodes a stream of sound to its end: how many samples it has, and how many packets that cannot be decoded.
pub(super) fn hear_all(source: Source, stream: &StreamInfo, cancel: &CancelToken) -> Result<(u64, u64)> {
    let mut decoder = AudioDecoder::of(source.input(), stream)?;
    let mut samples = 0u64;
    hear(source, &mut decoder, stream.index, cancel, |sound| {
        samples += sound.samples as u64;
        Ok(())
    })?;
    Ok((samples, decoder.damage().0))
}

fn check_words(result: &mut Verification, expected: &ExpectedSound, info: &MediaInfo, track: &StreamInfo) {
    if !expected.format.is_bare() {
        let title = info.title.as_deref().or(track.title.as_deref());
        result.equal("title", &expected.title.as_deref(), &title);
        // Not every format has a place for every name: what there is has to be right.
        let found = |name: &str| {
            let all = info.tags.iter().chain(&track.tags);
            all.into_iter().find(|(there, _)| there.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
        };
        for name in ["artist", "album", "date", "genre"] {
            let Some((_, wanted)) = expected.tags.iter().find(|(there, _)| there == name) else { continue };
            result.equal(name, &Some(wanted.as_str()), &found(name));
        }
    }
    result.equal("cover", &expected.cover, &info.streams.iter().any(|s| s.kind == StreamKind::Attachment));
    if expected.format.holds_chapters() {
        result.equal("chapters", &expected.chapters, &info.chapters.len());
    }
}

fn check_length(result: &mut Verification, expected: &ExpectedSound, track: &StreamInfo, samples: u64) {
    let Some(wanted) = expected.samples else {
        result.check("sound", samples > 0, "some", samples);
        return;
    };
    let (before, after) = expected.around;
    let format = expected.format;
    // What a format cannot say is decoded, too.
    let heard = if format.is_bare() { samples.saturating_sub(before + after) } else { samples };
    let pass = heard == wanted || format.may_play_on() && heard == wanted + after;
    result.check("samples", pass, wanted, heard);
    if format.may_play_on() {
        let rate = i32::try_from(expected.sample_rate).unwrap_or(i32::MAX);
        let base = Rational::positive(1, rate).unwrap_or(Rational::ONE);
        let told = track.duration.map(|d| d.rescale(base, Rounding::Nearest).ticks());
        let end = track.start.map_or(0, |start| start.rescale(base, Rounding::Nearest).ticks().max(0));
        result.equal("samples by the edit list", &Some(wanted as i64), &told.map(|told| told - end));
    }
}
