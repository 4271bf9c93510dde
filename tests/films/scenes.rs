//! Where films are cut.

use serde_json::Value;

use crate::support::*;

/// Scene changes as `av-scenechange` 0.25.0 finds them at speed 0 in the films' frames as ffmpeg 5.1 decodes them.
const REFERENCE: &[(&str, &[u64])] = &[
    ("sintel_trailer-720p.mp4", &[396, 420, 571, 621, 658, 672, 1163, 1220]),
    (
        "bbb_720p_000-180s.mp4",
        &[
            285, 378, 553, 1145, 1346, 1456, 1531, 1666, 1711, 1763, 1813, 1919, 2154, 2194, 2394, 2494, 2704, 2831,
            2901, 2963, 3045, 3513, 3578, 3744, 3860, 3895, 3919, 3989, 4032, 4069, 4227, 4266,
        ],
    ),
    (
        "tears-of-steel-battle-clip-medium.webm",
        &[
            52, 122, 158, 221, 309, 715, 788, 901, 987, 1127, 1157, 1203, 1234, 1246, 1284, 1345, 1378, 1430, 1472,
            1571, 1650,
        ],
    ),
    ("realcam_720p_cabac.264", &[]),
    ("motorway_540p60.mp4", &[]),
];

fn scenes(input: &std::path::Path, more: &[&str]) -> Value {
    let out = drapto().args(["scenes", "--json"]).args(more).arg(input).output().expect("drapto runs");
    assert!(out.status.success(), "{}", said(&out));
    serde_json::from_slice(&out.stdout).expect("JSON")
}

#[test]
fn scene_changes_are_those_the_reference_finds() {
    let Some(media) = media() else { return };
    let (mut known, mut found) = (0, 0);
    for (name, reference) in REFERENCE {
        let report = scenes(&media.join("film").join(name), &[]);
        let own: Vec<u64> = array(&report, "scenes").iter().filter_map(|s| s["frame"].as_u64()).collect();
        for frame in *reference {
            assert!(own.iter().any(|f| f.abs_diff(*frame) <= 1), "{name}: {frame} is missing of {own:?}");
        }
        known += reference.len();
        found += own.len();
        // Chunks are the film without gaps, none longer than asked for.
        let mut next = 0;
        for chunk in array(&report, "chunks") {
            assert_eq!(chunk["first_frame"], next, "{name}");
            next += chunk["frames"].as_u64().expect("a number");
        }
        assert_eq!(report["frames"], next, "{name}");
    }
    assert!(found * 3 <= known * 4, "{found} found of {known}: too many are none");
}

#[test]
fn the_table_of_chunks_agrees_with_what_an_encode_does() {
    let Some(clip) = media().map(|m| m.join("film/realcam_360p_odd_fps.mp4")) else { return };
    let folder = scratch();
    let planned = scenes(&clip, &["--chunk-size", "3"]);
    let report = encode(
        &clip,
        &folder.path().join("out.mkv"),
        &["--target-vmaf", "60", "--vmaf-tolerance", "5", "--chunk-size", "3", "--preset", "13"],
    );
    let frames = |of: &Value| array(of, "chunks").iter().map(|c| c["frames"].clone()).collect::<Vec<_>>();
    assert_eq!(frames(&planned), frames(&report));
    let out = drapto().args(["scenes", "--chunk-size", "0"]).arg(&clip).output().expect("drapto runs");
    assert_eq!(out.status.code(), Some(2), "{}", said(&out));
}
