//! Black bars of films whose right crop is known.

use serde_json::Value;

use crate::support::*;

/// Film, right crop as `width:height:x:y`; `None` where all of the picture is to stay.
const KNOWN: &[(&str, Option<[u64; 4]>)] = &[
    ("film/sintel_trailer-720p.mp4", Some([1280, 544, 0, 88])),
    ("crop/pillarbox_bars_1080p.mp4", Some([1440, 1080, 240, 0])),
    ("derived/letterbox_960x540_crop_960-400-0-70.mkv", Some([960, 400, 0, 70])),
    ("derived/pillarbox_960x540_crop_720-540-120-0.mkv", Some([720, 540, 120, 0])),
    // Bars for the first half only.
    ("derived/bars_change_720p_crop_none.mkv", None),
    // Mostly or all black.
    ("crop/crop_trap_black_1080p50_pcm.mov", None),
    ("geometry/all_black_25s.mp4", None),
    // No bars.
    ("film/bbb_720p_000-180s.mp4", None),
    ("film/tears-of-steel-battle-clip-medium.webm", None),
    ("film/flower.mp4", None),
    ("film/motorway_540p60.mp4", None),
    ("film/realcam_720p_cabac.264", None),
    ("film/nasa_13013.mp4", None),
    ("hdr/hlg_dovi84_realcam_1080p_vfr.mp4", None),
    // Dark PQ pictures without bars.
    ("hdr/hdr10_av1_mdcv_clli.mp4", None),
    ("hdr/hdr10_av1_720x1280.mp4", None),
    ("hdr/hdr10plus_realcam_1080p_sdr_container.mp4", None),
    // Titles on black and fades in a fifth of the samples.
    ("derived/everything_720p.mkv", Some([1280, 544, 0, 88])),
];

#[test]
fn crops_are_right_on_every_clip_whose_answer_is_known() {
    let Some(media) = media() else { return };
    let mut wrong = Vec::new();
    for (name, right) in KNOWN {
        let out = drapto().args(["crop", "--json"]).arg(media.join(name)).output().expect("drapto runs");
        assert!(out.status.success(), "{name}: {}", said(&out));
        let found: Value = serde_json::from_slice(&out.stdout).expect("JSON");
        let number = |key: &str| found[key].as_u64().unwrap_or_else(|| panic!("{name}: {key} in {found}"));
        let right = right.unwrap_or([number("source_width"), number("source_height"), 0, 0]);
        if ["width", "height", "x", "y"].map(number) != right {
            wrong.push(format!("{name}: {found}, not {right:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_is_no_film_is_a_clear_error() {
    let Some(media) = media() else { return };
    for name in ["hostile/empty.mkv", "hostile/text.mkv"] {
        let out = drapto().arg("crop").arg(media.join(name)).output().expect("drapto runs");
        assert_eq!(out.status.code(), Some(3), "{name}: {}", said(&out));
    }
}
