//! How loud the tracks of a file are.
#![deny(unsafe_code)]

use std::path::Path;

use serde::Serialize;

use crate::audio::{LayoutPlan, SoundMeter, SoundPlan};
use crate::base::{CancelToken, Error, ErrorKind, Result};
use crate::media::{Sound, StreamInfo, StreamKind};
use crate::plan::Loudness;
use crate::source::{AudioDecoder, Source, looked_at};

/// How loud one track of sound is.
#[derive(Clone, Debug, Serialize)]
pub struct TrackLoudness {
    /// The stream.
    pub stream: usize,
    /// Its codec.
    pub codec: String,
    /// FFmpeg's name of its layout.
    pub layout: String,
    /// Its language.
    pub language: Option<String>,
    /// How loud it is; `None` where it cannot be decoded.
    pub loudness: Option<Loudness>,
    /// Why it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How loud each track of sound of the file at `path` is, to its end, as drapto would encode it: resampled to 48 kHz, in the
/// layout Opus has for it. Tracks are measured at the same time, as many as there are cores.
///
/// # Errors
/// `Input` and `Unsupported` for files that cannot be read, `Unsupported` where there is no sound in it, `Interrupted`.
pub fn loudness(path: &Path, cancel: &CancelToken) -> Result<Vec<TrackLoudness>> {
    looked_at(path, cancel, |path| {
        let source = Source::open(path, cancel)?;
        let tracks: Vec<StreamInfo> =
            source.info().streams.iter().filter(|s| s.kind == StreamKind::Audio).cloned().collect();
        if tracks.is_empty() {
            return Err(Error::new(ErrorKind::Unsupported, "there is no sound in it").with_file(path));
        }
        at_once(&tracks, |track| {
            let measured = track_loudness(path, track.index, cancel);
            if let Err(error) = &measured
                && error.kind() == ErrorKind::Interrupted
            {
                return Err(Error::new(ErrorKind::Interrupted, "interrupted"));
            }
            Ok(TrackLoudness {
                stream: track.index,
                codec: track.codec.clone(),
                layout: track.audio.as_ref().map_or(String::new(), |audio| audio.layout.clone()),
                language: track.language.clone(),
                error: measured.as_ref().err().map(ToString::to_string),
                loudness: measured.ok(),
            })
        })
    })
}

/// How loud the track of sound at `index` is.
///
/// # Errors
/// As [`loudness`], `Verification` where there is no such stream.
pub(crate) fn track_loudness(path: &Path, index: usize, cancel: &CancelToken) -> Result<Loudness> {
    let source = Source::open(path, cancel)?;
    let stream = source.info().streams.get(index).cloned();
    let stream = stream.ok_or_else(|| Error::new(ErrorKind::Verification, "a track of sound is not in the file"))?;
    let (channels, layout) = stream.audio.as_ref().map_or((2, "stereo"), |audio| (audio.channels, &audio.layout));
    let plan = SoundPlan::opus(LayoutPlan::for_source(channels, layout).map_err(|e| e.with_stream(index))?);
    let mut decoder = AudioDecoder::of(source.input(), &stream)?;
    let mut meter = SoundMeter::new(&plan, stream.start)?;
    hear(source, &mut decoder, index, cancel, |sound| meter.push(sound)).map_err(|e| e.with_stream(index))?;
    meter.finish()?.loudness()
}

/// Decodes the sound of one stream. Where the file breaks off is where it ends: what is missing is for others to judge.
///
/// # Errors
/// `Interrupted`, and whatever `take` says.
pub(crate) fn hear(
    mut source: Source,
    decoder: &mut AudioDecoder,
    stream: usize,
    cancel: &CancelToken,
    mut take: impl FnMut(Sound) -> Result<()>,
) -> Result<()> {
    loop {
        cancel.check()?;
        let packet = match source.read_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
            Err(_) => break,
        };
        if packet.stream() == stream {
            decoder.send(&packet)?;
            while let Some(sound) = decoder.receive() {
                take(sound)?;
            }
        }
    }
    decoder.finish()?;
    while let Some(sound) = decoder.receive() {
        take(sound)?;
    }
    Ok(())
}

/// Works on all at once, as many as there are cores; results in order, the first error in that order.
///
/// # Errors
/// Of `work`; `Encode` where it panics.
pub(crate) fn at_once<T: Sync, R: Send>(all: &[T], work: impl Fn(&T) -> Result<R> + Sync) -> Result<Vec<R>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut out = Vec::with_capacity(all.len());
    for part in all.chunks(cores) {
        let results: Vec<Result<R>> = std::thread::scope(|scope| {
            let threads: Vec<_> = part.iter().map(|one| scope.spawn(|| work(one))).collect();
            let panicked = |_| Err(Error::new(ErrorKind::Encode, "internal error: a thread panicked"));
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(panicked)).collect()
        });
        out.extend(results.into_iter().collect::<Result<Vec<R>>>()?);
    }
    Ok(out)
}
