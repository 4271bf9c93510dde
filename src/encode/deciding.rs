//! What becomes of the streams of a source, and whether a film is left alone.

use crate::base::{Error, ErrorKind, Result};
use crate::config::EncodeSettings;
use crate::container::Format;
use crate::media::{MediaInfo, StreamInfo};
use crate::stages::spec::factory;
use crate::stages::streams::{SoundWish, StreamDecision, Task, check_sound, decide, unknown_codecs};

/// What becomes of each stream, as Matroska holds it, where its sound goes into files of these formats.
pub(super) fn decisions(
    settings: &EncodeSettings,
    formats: &[Format],
    info: &MediaInfo,
) -> Result<Vec<StreamDecision>> {
    let unknown = unknown_codecs(settings.source(), info);
    let codec = factory(settings)?.traits().codec;
    let wish = SoundWish::of(settings, formats);
    check_sound(info, wish).map_err(|e| e.with_file(&settings.input))?;
    let decisions: Vec<_> = decide(info, wish, &unknown).iter().map(|d| d.coded_as(codec)).collect();
    let in_file = |kind, message: &str| Err(Error::new(kind, message).with_file(&settings.input));
    match main_stream(info, &decisions) {
        Err(error) => Err(error.with_file(&settings.input)),
        Ok(main) if main.codec == "av1" && codec == "av1" && !settings.reencode => {
            in_file(ErrorKind::Skipped, "it is AV1 already (--reencode encodes it again)")
        }
        Ok(_) => Ok(decisions),
    }
}

/// The video stream that is encoded.
pub(super) fn main_stream<'a>(info: &'a MediaInfo, decisions: &[StreamDecision]) -> Result<&'a StreamInfo> {
    let main = decisions.iter().find(|d| matches!(d.task, Task::EncodeVideo));
    main.and_then(|d| info.streams.get(d.index)).ok_or_else(no_video)
}

pub(super) fn no_video() -> Error {
    Error::new(ErrorKind::Unsupported, "there is no video stream in it")
}
