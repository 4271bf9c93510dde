//! Decoding every real clip gives the number of pictures the manifest says.

use std::path::Path;

use drapto::internals::av::{DecoderOptions, Input};
use drapto::internals::base::{CancelToken, ErrorKind};
use drapto::internals::media::{MediaInfo, StreamKind};
use drapto::internals::source::Pictures;

use super::support;

fn first_video(info: &MediaInfo) -> Option<usize> {
    info.streams.iter().find(|s| s.kind == StreamKind::Video).map(|s| s.index)
}

fn count(path: &Path) -> drapto::Result<u64> {
    let cancel = CancelToken::new();
    if first_video(&Input::open(path, &cancel)?.info()).is_none() {
        return Ok(0);
    }
    let mut pictures = Pictures::open(path, first_video, DecoderOptions::default(), &cancel)?;
    let mut frames = 0;
    let mut last = None;
    while let Some(frame) = pictures.next()? {
        assert_eq!(frame.index, frames);
        assert!(last.is_none_or(|last| frame.pts > last), "times increase in {}", path.display());
        last = Some(frame.pts);
        frames += 1;
    }
    Ok(frames)
}

#[test]
fn every_clip_decodes_to_the_frames_of_the_manifest_or_fails_with_a_clear_error() {
    let Some(folder) = support::media() else { return };
    let mut wrong = Vec::new();
    let mut tried = 0;
    for clip in support::manifest() {
        let Some(expected) = clip["frames_decoded"].parse::<u64>().ok() else { continue };
        let name = &clip["file"];
        tried += 1;
        match count(&folder.join(name)) {
            Ok(frames) if frames == expected => {}
            Ok(frames) => wrong.push(format!("{name}: {frames}, not {expected}")),
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::Input | ErrorKind::Unsupported), "{error}");
                if expected > 0 {
                    wrong.push(format!("{name}: {error}"));
                }
            }
        }
    }
    assert!(tried > 50, "the manifest lists {tried} clips with a frame count");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
