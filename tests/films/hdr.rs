//! Metadata of single pictures: what comes out of AV1 is what went in, picture by picture.

use std::path::Path;

use dolby_vision::rpu::dovi_rpu::DoviRpu;
use drapto::internals::container::reader::Reader;
use drapto::internals::hdr;
use drapto::internals::media::{DolbyVision, Rect, RpuConversion};
use drapto::internals::syntax::av1;
use hdr10plus::metadata::Hdr10PlusMetadata;
use serde_json::{Value, json};

use crate::support::*;

/// The messages of each picture of a film of ours that begin with `start`.
fn messages(film: &Path, start: &[u8]) -> Vec<Option<Vec<u8>>> {
    let mut reader = Reader::open(film).expect("a Matroska file");
    let video = reader.tracks().iter().find(|t| t.video.is_some()).expect("a picture track").number;
    let mut out = Vec::new();
    while let Some(frame) = reader.next_frame().expect("a frame") {
        if frame.track == video {
            let all = av1::messages(&frame.data).expect("OBUs");
            let own: Vec<_> = all.iter().filter(|m| m.starts_with(start)).collect();
            assert!(own.len() <= 1, "one message of a kind in a temporal unit");
            out.push(own.first().map(|m| m.to_vec()));
        }
    }
    out
}

const DOLBY: [u8; 5] = [0xB5, 0x00, 0x3B, 0x00, 0x00];
const HDR10_PLUS: [u8; 6] = [0xB5, 0x00, 0x3C, 0x00, 0x01, 0x04];

/// The content of an RPU, however it is carried.
fn content(rpu: &DoviRpu) -> String {
    format!("{:?} {:?} {:?} {:?}", rpu.dovi_profile, rpu.header, rpu.rpu_data_mapping, rpu.vdr_dm_data)
}

/// The RPUs of a file of NAL units with start codes.
fn expected_rpus(file: &Path) -> Vec<DoviRpu> {
    let bytes = std::fs::read(file).expect("RPUs");
    let starts: Vec<usize> = bytes.windows(4).enumerate().filter(|(_, w)| *w == [0, 0, 0, 1]).map(|(i, _)| i).collect();
    let ends = starts.iter().skip(1).copied().chain([bytes.len()]);
    starts.iter().zip(ends).map(|(a, b)| DoviRpu::parse_unspec62_nalu(&bytes[*a..b]).expect("an RPU")).collect()
}

/// Encodes at a fixed rate factor and in short chunks, and hands both films to `check`.
fn both_ways(clip: &Path, more: &[&str], check: impl Fn(&Path, &Value)) {
    let folder = scratch();
    for mode in [&["--crf", "45"][..], &["--target-vmaf", "60", "--chunk-size", "2"]] {
        let output = folder.path().join("out.mkv");
        let report = encode(clip, &output, &[mode, &["--preset", "12"], more].concat());
        check(&output, &report);
    }
}

#[test]
fn every_rpu_of_profile_8_comes_through_with_its_picture() {
    let Some(media) = media() else { return };
    let expected = expected_rpus(&media.join("hdr/dovi_p81_259f.expected_rpu.bin"));
    assert_eq!(expected.len(), 259);
    both_ways(&media.join("hdr/dovi_p81_259f.mkv"), &["--dolby-vision", "require"], |film, report| {
        let found = messages(film, &DOLBY);
        assert_eq!(found.len(), expected.len());
        for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
            let found = found.as_ref().unwrap_or_else(|| panic!("picture {index} has no RPU"));
            let found = DoviRpu::parse_itu_t35_dovi_metadata_obu(found).expect("an RPU");
            assert_eq!(content(&found), content(expected), "picture {index}");
        }
        let dolby = &report["video"]["dolby_vision"];
        assert_eq!(
            (&dolby["source"], &dolby["output"], &dolby["frames"]),
            (&json!("8.1"), &json!("10.1"), &json!(259))
        );
        if tool("mediainfo") {
            let out = std::process::Command::new("mediainfo").arg(film).output().expect("mediainfo runs");
            let text = String::from_utf8_lossy(&out.stdout).into_owned();
            assert!(text.contains("dav1.10.01, BL+RPU, HDR10 compatible"), "{text}");
        }
    });
}

#[test]
fn hdr10_plus_comes_through_with_its_picture() {
    let Some(media) = media() else { return };
    let text = std::fs::read(media.join("hdr/hdr10plus_259f.expected.json")).expect("the expected values");
    let expected: Value = serde_json::from_slice(&text).expect("JSON");
    let expected = expected["SceneInfo"].as_array().expect("a picture each");
    both_ways(&media.join("hdr/hdr10plus_259f.mkv"), &[], |film, report| {
        let found = messages(film, &HDR10_PLUS);
        assert_eq!((found.len(), report["video"]["hdr10_plus_frames"].as_u64()), (expected.len(), Some(259)));
        for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
            let found = found.as_ref().unwrap_or_else(|| panic!("picture {index} has no HDR10+"));
            let found = Hdr10PlusMetadata::parse(found).expect("HDR10+");
            let light = &expected["LuminanceParameters"];
            let percentiles: Vec<u32> = found.distribution_maxrgb.iter().map(|d| d.percentile).collect();
            let indices: Vec<u8> = found.distribution_maxrgb.iter().map(|d| d.percentage).collect();
            let (spread, curve) = (&light["LuminanceDistributions"], found.bezier_curve.as_ref());
            assert_eq!(json!(found.average_maxrgb), light["AverageRGB"], "picture {index}");
            assert_eq!(json!(found.maxscl), light["MaxScl"], "picture {index}");
            assert_eq!(
                (json!(indices), json!(percentiles)),
                (spread["DistributionIndex"].clone(), spread["DistributionValues"].clone())
            );
            assert_eq!(json!(found.num_windows), expected["NumberOfWindows"]);
            assert_eq!(
                json!(found.targeted_system_display_maximum_luminance),
                expected["TargetedSystemDisplayMaximumLuminance"]
            );
            let anchors = curve.map(|c| json!(c.bezier_curve_anchors)).unwrap_or_default();
            assert_eq!(anchors, expected["BezierCurveData"]["Anchors"], "picture {index}");
        }
    });
}

#[test]
fn what_dolby_vision_is_and_becomes_is_named() {
    let Some(media) = media() else { return };
    let folder = scratch();
    for (clip, source, output, frames) in [
        ("hdr/dovi_p84_phone.mov", "8.4", json!("10.4"), 4),
        // No record in the container.
        ("hdr/hlg_dovi84_realcam_1080p_vfr.mp4", "8.4", json!("10.4"), 73),
        // Layers of profile 7, RPUs of profile 8; two RPUs lie behind an end of sequence, where FFmpeg's parser of raw
        // streams cuts, and belong to the pictures before.
        ("hdr/dovi_dual_layer.hevc", "8.1", json!("10.1"), 259),
        // Eight bits.
        ("hdr/dovi_p9_avc_1080p60.mp4", "9.2", Value::Null, 0),
    ] {
        let report = encode(&media.join(clip), &folder.path().join("out.mkv"), &["--preset", "12", "--crf", "50"]);
        let dolby = &report["video"]["dolby_vision"];
        assert_eq!((&dolby["source"], &dolby["output"]), (&json!(source), &output), "{clip}");
        assert_eq!(dolby["frames"].as_u64(), Some(frames), "{clip}");
        let lost = report["input"]["frames"].as_u64() != Some(frames);
        let named = array(&report, "warnings").iter().any(|w| w.as_str().is_some_and(|w| w.contains("Dolby Vision")));
        assert_eq!(lost, named, "{clip}: {:?}", report["warnings"]);
    }
}

/// A second of HDR10+ before it: what a film is said to be by its first pictures is not all it is.
#[test]
fn dolby_vision_that_begins_late_is_not_lost_in_silence() {
    let Some(media) = media() else { return };
    let folder = scratch();
    let clip = folder.path().join("late.hevc");
    let parts =
        ["hdr/hdr10plus_259f.hevc", "hdr/dovi_dual_layer.hevc"].map(|p| std::fs::read(media.join(p)).expect("a clip"));
    std::fs::write(&clip, parts.concat()).expect("written");
    let report = encode(&clip, &folder.path().join("out.mkv"), &["--preset", "12", "--crf", "50"]);
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("Dolby Vision metadata of 259 pictures"), "{warnings}");
}

#[test]
fn dolby_vision_is_stripped_or_required_as_asked_for() {
    let Some(media) = media() else { return };
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    let report = encode(
        &media.join("hdr/dovi_p84_phone.mov"),
        &output,
        &["--preset", "12", "--crf", "50", "--dolby-vision", "strip"],
    );
    assert_eq!(report["video"]["dolby_vision"]["output"], Value::Null);
    assert!(messages(&output, &DOLBY).iter().all(Option::is_none));
    for (clip, why) in
        [("hdr/dovi_p9_avc_1080p60.mp4", "profile 9.2"), ("hdr/hdr10plus_259f.mkv", "has no Dolby Vision")]
    {
        let out = drapto()
            .args(["encode", "--preset", "12", "--crf", "50", "--dolby-vision", "require"])
            .args([&media.join(clip), &folder.path().join("required.mkv")])
            .output()
            .expect("drapto runs");
        assert_eq!(out.status.code(), Some(3), "{clip}: {}", said(&out));
        assert!(said(&out).contains(why), "{clip}: {}", said(&out));
    }
    assert_eq!(names(folder.path()), ["out.json", "out.mkv"]);
    // All of it has, two RPUs behind an end of sequence among them.
    let require = ["--preset", "12", "--crf", "50", "--dolby-vision", "require"];
    let report = encode(&media.join("hdr/dovi_dual_layer.hevc"), &output, &require);
    assert_eq!(report["video"]["dolby_vision"]["frames"], 259);
}

#[test]
fn a_crop_moves_the_active_area_of_every_rpu() {
    let Some(media) = media() else { return };
    let expected = expected_rpus(&media.join("hdr/dovi_p81_259f.expected_rpu.bin"));
    let crop = Rect { x: 32, y: 16, width: 192, height: 112 };
    let conversion = RpuConversion::of(&DolbyVision::new(8, None, Some(1))).expect("a conversion");
    let conversion = conversion.with_window((256, 144), crop, (192, 112));
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    let report = encode(
        &media.join("hdr/dovi_p81_259f.mkv"),
        &output,
        &["--preset", "12", "--crf", "50", "--crop", "192:112:32:16"],
    );
    assert_eq!(report["video"]["crop"], "192:112:32:16");
    for (index, (found, source)) in messages(&output, &DOLBY).iter().zip(&expected).enumerate() {
        let nal = source.write_hevc_unspec62_nalu().expect("a NAL unit");
        assert_eq!(found.as_deref(), Some(&*hdr::message(&conversion, &nal).expect("a message")), "picture {index}");
    }
}
