//! `drapto vmaf` agrees with published scores and refuses what cannot be scored.

use std::path::Path;

use super::support::{drapto, media, said};

fn score(reference: &Path, distorted: &Path, more: &[&str]) -> (Option<i32>, serde_json::Value, String) {
    let out = drapto().args(["vmaf", "--json"]).args(more).args([reference, distorted]).output().expect("drapto runs");
    (out.status.code(), serde_json::from_slice(&out.stdout).unwrap_or_default(), said(&out))
}

#[test]
fn published_scores_are_met_to_a_hundredth() {
    let Some(folder) = media().map(|m| m.join("vmaf")) else { return };
    let table = std::fs::read_to_string(folder.join("VMAF_EXPECTED.tsv")).expect("the table");
    let mut tried = 0;
    for row in table.lines().skip(1).map(|l| l.split('\t').collect::<Vec<_>>()) {
        let (reference, distorted, frames, model, mean) = (row[1], row[2], row[6], row[7], row[8]);
        // The command line clips, as libvmaf does by default; the room's own tests score without.
        if model.contains("clipping") {
            continue;
        }
        let (code, found, text) = score(&folder.join(reference), &folder.join(distorted), &["--model", model]);
        assert_eq!(code, Some(0), "{text}");
        let expected: f64 = mean.parse().expect("a score");
        let mean = found["mean"].as_f64().expect("a mean");
        assert!((mean - expected).abs() <= 0.01, "{distorted}: {mean}, not {expected}");
        assert_eq!(found["frames"], frames.parse::<u64>().expect("frames"));
        for key in ["harmonic_mean", "p5", "min", "stride", "model"] {
            assert!(!found[key].is_null(), "{key}");
        }
        if let Ok(same) = row[9].parse::<f64>() {
            let (_, found, _) = score(&folder.join(reference), &folder.join(reference), &["--model", model]);
            assert!((found["mean"].as_f64().unwrap_or(0.0) - same).abs() <= 0.01, "{reference} against itself");
        }
        tried += 1;
    }
    assert!(tried >= 3, "{tried} pairs");
}

#[test]
fn other_formats_are_converted_and_mismatches_refused_never_a_crash() {
    let Some(folder) = media() else { return };
    let yuv422 = folder.join("geometry/yuv422p8_3f.y4m");
    let (code, found, text) = score(&yuv422, &yuv422, &[]);
    assert_eq!(code, Some(0), "{text}");
    assert!(found["mean"].as_f64() > Some(90.0), "{found}");
    let ten_bit = folder.join("geometry/yuv420p10_3f.y4m");
    assert_eq!(score(&ten_bit, &ten_bit, &[]).0, Some(0));
    let other_size = folder.join("vmaf/ref_160x90_8bit.y4m");
    let (code, _, text) = score(&yuv422, &other_size, &[]);
    assert_eq!(code, Some(3));
    assert!(text.contains("differ in size"), "{text}");
    let tiny = folder.join("hostile/track-with-zero-dimensions.mp4");
    assert_eq!(score(&tiny, &tiny, &[]).0, Some(3));
    let (code, _, text) = score(&ten_bit, &ten_bit, &["--model", "vmaf_v9"]);
    assert_eq!(code, Some(2));
    assert!(text.contains("vmaf_v0.6.1"), "{text}");
}

#[test]
fn an_even_stride_is_warned_of_and_a_stride_of_nothing_refused() {
    let Some(folder) = media().map(|m| m.join("vmaf")) else { return };
    let (reference, distorted) = (folder.join("ref_160x90_8bit.y4m"), folder.join("dis_160x90_8bit.y4m"));
    let (code, found, text) = score(&reference, &distorted, &["--stride", "2"]);
    assert_eq!((code, found["stride"].as_u64()), (Some(0), Some(2)));
    assert!(text.contains("even"), "{text}");
    let (_, _, text) = score(&reference, &distorted, &["--stride", "3"]);
    assert!(!text.contains("even"), "{text}");
    assert_eq!(score(&reference, &distorted, &["--stride", "0"]).0, Some(2));
}
