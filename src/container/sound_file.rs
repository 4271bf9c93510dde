//! Files of sound alone: one track, with tags and a cover, by libavformat's muxers.
//!
//! Owns which format a name's ending means, which codec it holds, what it can say beside the sound, and that it begins at zero:
//! with the first sample that is heard.
//!
//! | format | delay and end | tags | cover | chapters |
//! |---|---|---|---|---|
//! | MP3 | LAME's tag | ID3v2 | yes | yes |
//! | M4A | edit list | yes | yes | yes |
//! | Ogg Opus | granule positions | yes | | yes |
//! | Ogg Vorbis | granule positions | yes | | FFmpeg writes none |
//! | FLAC | nothing to say | yes | yes | |
//! | WAV | nothing to say | RIFF INFO | | |
//! | AAC (ADTS), AC-3, E-AC-3 | no place | | | |
#![deny(unsafe_code)]

use std::ffi::CStr;
use std::fs::File;
use std::path::Path;

use super::cover::cover_picture;
use super::language::terminological;
use super::muxer::{Lane, MuxStats, Muxer, TrackCount};
use crate::av::{CoverPicture, Output};
use crate::base::{Error, ErrorKind, Result};
use crate::config::SoundCodec;
use crate::media::{Attachment, FileParams, Packet, TagEntry, TrackId, TrackKind};
use crate::syntax::picture::still;

/// A format of files of sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SoundFormat {
    /// MPEG layer III.
    Mp3,
    /// AAC in MP4.
    M4a,
    /// AAC as ADTS frames.
    Adts,
    /// Vorbis in Ogg.
    Ogg,
    /// Opus in Ogg (RFC 7845).
    Opus,
    /// FLAC.
    Flac,
    /// PCM in RIFF; RF64 where it is larger than 4 GiB.
    Wav,
    /// AC-3 frames.
    Ac3,
    /// E-AC-3 frames.
    Eac3,
}

/// Endings of names, with the format each means.
const ENDINGS: [(&str, SoundFormat); 12] = [
    ("mp3", SoundFormat::Mp3),
    ("m4a", SoundFormat::M4a),
    ("aac", SoundFormat::Adts),
    ("ogg", SoundFormat::Ogg),
    ("oga", SoundFormat::Ogg),
    ("opus", SoundFormat::Opus),
    ("flac", SoundFormat::Flac),
    ("wav", SoundFormat::Wav),
    ("ac3", SoundFormat::Ac3),
    ("eac3", SoundFormat::Eac3),
    ("ec3", SoundFormat::Eac3),
    ("m4b", SoundFormat::M4a),
];

impl SoundFormat {
    /// What the ending of a file's name means.
    ///
    /// # Errors
    /// `Usage`, with the endings there are.
    pub fn of(path: &Path) -> Result<Self> {
        let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
        ENDINGS.iter().find(|(name, _)| *name == ending).map(|(_, format)| *format).ok_or_else(|| {
            let known: Vec<_> = ENDINGS.iter().map(|(name, _)| *name).collect();
            let message = format!("a file of sound ends in one of {}", known.join(", "));
            Error::new(ErrorKind::Usage, message).with_file(path)
        })
    }

    /// The codec it holds.
    pub fn codec(self) -> SoundCodec {
        match self {
            SoundFormat::Mp3 => SoundCodec::Mp3,
            SoundFormat::M4a | SoundFormat::Adts => SoundCodec::Aac,
            SoundFormat::Ogg => SoundCodec::Vorbis,
            SoundFormat::Opus => SoundCodec::Opus,
            SoundFormat::Flac => SoundCodec::Flac,
            SoundFormat::Wav => SoundCodec::Pcm,
            SoundFormat::Ac3 => SoundCodec::Ac3,
            SoundFormat::Eac3 => SoundCodec::Eac3,
        }
    }

    /// libavformat's name of its muxer.
    fn muxer(self) -> &'static CStr {
        match self {
            SoundFormat::Mp3 => c"mp3",
            SoundFormat::M4a => c"ipod",
            SoundFormat::Adts => c"adts",
            SoundFormat::Ogg => c"ogg",
            SoundFormat::Opus => c"opus",
            SoundFormat::Flac => c"flac",
            SoundFormat::Wav => c"wav",
            SoundFormat::Ac3 => c"ac3",
            SoundFormat::Eac3 => c"eac3",
        }
    }

    /// Whether it is nothing but the codec's own frames: without tags, and without a place for the codec's delay.
    pub fn is_bare(self) -> bool {
        matches!(self, SoundFormat::Adts | SoundFormat::Ac3 | SoundFormat::Eac3)
    }

    /// Whether it holds a cover.
    pub fn holds_cover(self) -> bool {
        matches!(self, SoundFormat::Mp3 | SoundFormat::M4a | SoundFormat::Flac)
    }

    /// Whether it holds chapters.
    pub fn holds_chapters(self) -> bool {
        matches!(self, SoundFormat::Mp3 | SoundFormat::M4a | SoundFormat::Opus)
    }

    /// What the sound may have too much at its end when FFmpeg decodes it: an M4A's edit list ends the sound where it has to,
    /// but FFmpeg before 7 plays the last packet whole.
    pub fn may_play_on(self) -> bool {
        self == SoundFormat::M4a
    }
}

/// The first attachment that can be a cover: JPEG or PNG; one that is called so before others.
pub fn cover(attachments: &[Attachment]) -> Option<&Attachment> {
    let pictures = || attachments.iter().filter(|a| still(&a.data).is_some());
    let called = |a: &&Attachment| a.name.to_lowercase().starts_with("cover");
    pictures().find(called).or_else(|| pictures().next())
}

/// Matroska's names of tags, and others', as FFmpeg's.
const NAMES: [(&str, &str); 9] = [
    ("lead_performer", "performer"),
    ("part_number", "track"),
    ("tracknumber", "track"),
    ("discnumber", "disc"),
    ("date_released", "date"),
    ("date_recorded", "date"),
    ("year", "date"),
    ("albumartist", "album_artist"),
    ("description", "comment"),
];

/// Tags that hold for a file of sound, under FFmpeg's names; each name once, that of the first.
pub fn sound_tags<'a>(tags: impl IntoIterator<Item = &'a (String, String)>) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = Vec::new();
    for (name, value) in tags {
        let lower = name.to_lowercase();
        let known = NAMES.iter().find(|(theirs, _)| *theirs == lower).map_or(lower.as_str(), |(_, ours)| ours);
        let written = super::tags::holds_for_file(name) && !value.is_empty() && known != "title";
        if written && !out.iter().any(|(there, _)| there == known) {
            out.push((known.to_owned(), value.clone()));
        }
    }
    out
}

/// Names and values of tags that are about the whole file.
pub fn plain_tags(entries: &[TagEntry]) -> Vec<(String, String)> {
    let whole = entries.iter().filter(|e| e.targets.tracks.is_empty() && e.targets.chapters.is_empty());
    let tags = whole.flat_map(|e| &e.tags);
    tags.filter_map(|tag| Some((tag.name.clone(), tag.value.clone()?))).collect()
}

/// Writes a file of sound.
///
/// Law: as of [`Muxer`], one track; its first sample that is heard is at zero.
pub struct SoundFileMuxer {
    output: Output,
    count: TrackCount,
}

impl SoundFileMuxer {
    /// Writes the header to `file`, from its start; `path` names it in errors.
    ///
    /// # Errors
    /// `Encode` for what the format does not hold, `Output` where the file cannot be written, `Unsupported` where this FFmpeg has
    /// no muxer for it.
    pub fn new(file: File, path: &Path, format: SoundFormat, params: &FileParams) -> Result<Self> {
        let [track] = &params.tracks[..] else {
            return Err(Error::new(ErrorKind::Encode, "a file of sound has one track"));
        };
        let TrackKind::Audio(audio) = &track.kind else {
            return Err(Error::new(ErrorKind::Encode, "a file of sound holds sound"));
        };
        let mut written = params.clone();
        for track in &mut written.tracks {
            track.language = track.language.as_deref().map(terminological);
        }
        if format.is_bare() {
            (written.title, written.tags) = (None, Vec::new());
        }
        if !format.holds_chapters() {
            written.chapters.clear();
        }
        let covers: Vec<CoverPicture<'_>> = match format.holds_cover() {
            true => params.attachments.iter().filter_map(cover_picture).collect(),
            false => Vec::new(),
        };
        // The clock of the edit list, in which the sound's length is exact.
        let clock = std::ffi::CString::new(audio.sample_rate.to_string()).unwrap_or_default();
        let options: &[(&CStr, &CStr)] = match format {
            SoundFormat::M4a => &[(c"movie_timescale", clock.as_c_str()), (c"movflags", c"+faststart")],
            SoundFormat::Wav => &[(c"rf64", c"auto")],
            _ => &[],
        };
        let output = Output::create_sound(file, path, format.muxer(), &written, options, &covers)?;
        Ok(SoundFileMuxer { output, count: TrackCount::of(track) })
    }

    /// Tells the codec's configuration as it is at the end.
    ///
    /// # Errors
    /// `Output` where the file cannot be written.
    pub fn configure(&mut self, configuration: &[u8]) -> Result<()> {
        self.output.configure_at_end(TrackId(0), configuration)
    }
}

impl Muxer for SoundFileMuxer {
    fn lanes(&self) -> Vec<Lane> {
        vec![Lane { gating: true, delay_ns: 0 }]
    }

    fn write(&mut self, track: TrackId, packet: &Packet) -> Result<()> {
        self.count.packet(packet, packet.data.len());
        self.output.write(track, packet, &packet.data)
    }

    fn bytes_written(&self) -> u64 {
        self.output.bytes_written()
    }

    fn finish(self: Box<Self>) -> Result<MuxStats> {
        let bytes = self.output.finish()?;
        Ok(MuxStats::of(&[self.count], bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_of_a_name_says_the_format_and_others_are_refused_with_those_there_are() {
        let of = |name: &str| SoundFormat::of(Path::new(name));
        assert_eq!(of("a.MP3").unwrap(), SoundFormat::Mp3);
        assert_eq!(of("a.b.oga").unwrap().codec(), SoundCodec::Vorbis);
        for name in ["a.wma", "a", ".mp3"] {
            let error = of(name).unwrap_err();
            assert!(error.kind() == ErrorKind::Usage && error.to_string().contains("flac"), "{error}");
        }
    }

    #[test]
    fn tags_get_ffmpegs_names_and_what_is_of_the_old_file_is_left_out() {
        let tag = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let tags = [
            tag("ARTIST", "A"),
            tag("DATE_RELEASED", "1999"),
            tag("date", "2000"),
            tag("encoder", "Lavf"),
            tag("TITLE", "T"),
            tag("PART_NUMBER", "3"),
        ];
        assert_eq!(sound_tags(&tags), [tag("artist", "A"), tag("date", "1999"), tag("track", "3")]);
    }
}
