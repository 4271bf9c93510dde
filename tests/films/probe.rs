//! `drapto probe` sees what ffprobe sees.

use super::support::{array, drapto, ffprobe, manifest, media, said, tool};

#[test]
fn every_clip_is_seen_as_ffprobe_sees_it() {
    let Some(folder) = media() else { return };
    if !tool("ffprobe") {
        return;
    }
    let mut wrong = Vec::new();
    let mut tried = 0;
    for clip in manifest() {
        let path = folder.join(&clip["file"]);
        let out = drapto().args(["probe", "--json"]).arg(&path).output().expect("drapto runs");
        let code = out.status.code();
        assert!(matches!(code, Some(0 | 3)), "{}: {code:?} {}", path.display(), said(&out));
        // Hostile clips have no truth to compare with, and a folder of subtitles is none of our business.
        if code != Some(0) || clip["file"].starts_with("hostile/") {
            continue;
        }
        tried += 1;
        let ours: serde_json::Value = serde_json::from_slice(&out.stdout).expect("JSON");
        // The same patience with streams that show late.
        let theirs = ffprobe(&path, &["-probesize", "50M", "-analyzeduration", "20M", "-show_streams"]);
        let (ours, theirs) = (array(&ours, "streams"), array(&theirs, "streams"));
        if ours.len() != theirs.len() {
            wrong.push(format!("{}: {} streams, not {}", clip["file"], ours.len(), theirs.len()));
            continue;
        }
        for (our, their) in ours.iter().zip(theirs) {
            let pairs = [
                ("codec", &our["codec"], &their["codec_name"]),
                ("width", &our["video"]["width"], &their["width"]),
                ("height", &our["video"]["height"], &their["height"]),
                ("pixel format", &our["video"]["pixel_format"], &their["pix_fmt"]),
                ("channels", &our["audio"]["channels"], &their["channels"]),
                ("transfer", &our["video"]["color"]["transfer"], &their["color_transfer"]),
            ];
            for (what, our, their) in pairs {
                let silent = |v: &serde_json::Value| v.is_null() || v == "unspecified" || v == "unknown";
                if our != their && !(silent(our) || silent(their)) {
                    wrong.push(format!("{}: {what} {our}, not {their}", clip["file"]));
                }
            }
        }
    }
    assert!(tried > 60, "{tried} clips were probed");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
