//! Decoding every real clip gives the number of pictures the manifest says.

mod support;

use drapto::av::{DecoderOptions, Input};
use drapto::base::{CancelToken, ErrorKind};
use drapto::media::StreamKind;
use drapto::source::VideoDecoder;

fn count(path: &std::path::Path) -> drapto::base::Result<(u64, u64)> {
    let cancel = CancelToken::new();
    let mut input = Input::open(path, &cancel)?;
    let info = input.info();
    let Some(stream) = info.streams.iter().find(|s| s.kind == StreamKind::Video) else { return Ok((0, 0)) };
    let mut decoder = VideoDecoder::open(&input, stream, DecoderOptions::default())?;
    let mut frames = 0;
    let mut last = None;
    let mut take = |decoder: &mut VideoDecoder| {
        while let Some(frame) = decoder.receive() {
            assert_eq!(frame.index, frames);
            assert!(last.is_none_or(|last| frame.pts > last), "times increase in {}", path.display());
            last = Some(frame.pts);
            frames += 1;
        }
    };
    while let Some(packet) = input.read_packet()? {
        if packet.stream() == stream.index {
            decoder.send(&packet)?;
            take(&mut decoder);
        }
    }
    decoder.finish()?;
    take(&mut decoder);
    Ok((frames, decoder.stats().damaged_packets))
}

#[test]
fn every_clip_decodes_to_the_frames_of_the_manifest_or_fails_with_a_clear_error() {
    let Some(folder) = support::media() else { return };
    let mut wrong = Vec::new();
    let mut tried = 0;
    for clip in support::manifest() {
        let Some(expected) = clip.frames_decoded else { continue };
        tried += 1;
        match count(&folder.join(&clip.path)) {
            Ok((frames, _)) if frames == expected => {}
            Ok((frames, damaged)) => wrong.push(format!("{}: {frames} ({damaged} damaged) not {expected}", clip.path)),
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::Input | ErrorKind::Unsupported), "{error}");
                if expected > 0 {
                    wrong.push(format!("{}: {error}", clip.path));
                }
            }
        }
    }
    assert!(tried > 50, "the manifest lists {tried} clips with a frame count");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
