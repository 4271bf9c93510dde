//! The chunk files of a run, as others read them.

use crate::support::*;

#[test]
fn other_programs_read_a_chunk_file_and_decode_the_pictures_of_the_film() {
    if !tool("ffprobe") {
        return;
    }
    let Some(clip) = fixture("sample") else { return };
    let folder = scratch();
    let (jobs, output) = (folder.path().join("jobs"), folder.path().join("out.mkv"));
    std::fs::create_dir(&jobs).expect("a folder");
    let dir = jobs.to_str().expect("a path");
    let more = ["--target-vmaf", "90", "--chunk-size", "3", "--keep-temp", "--temp-dir", dir];
    let report = encode(&clip, &output, &more);
    let chunks = array(&report, "chunks");
    assert!(chunks.len() >= 2, "{} chunks", chunks.len());

    let job = names(&jobs).into_iter().find(|n| n.starts_with(".out.drapto-")).expect("the job is kept");
    let encoded = jobs.join(job).join("encoded");
    let pictures = |path: &std::path::Path| {
        let args =
            ["-i", path.to_str().expect("a path"), "-map", "0:v", "-fps_mode", "passthrough", "-f", "framemd5", "-"];
        let text = String::from_utf8(ffmpeg(&args.map(std::ffi::OsStr::new))).expect("text");
        let sum = |line: &str| line.rsplit(',').next().map(|sum| sum.trim().to_owned());
        text.lines().filter(|l| !l.starts_with('#')).filter_map(sum).collect::<Vec<_>>()
    };
    let mut all = Vec::new();
    for (index, chunk) in chunks.iter().enumerate() {
        let file = encoded.join(format!("{index:05}.ivf"));
        let found = ffprobe(&file, &["-count_packets", "-show_streams", "-show_entries", "packet=pts"]);
        let stream = &found["streams"][0];
        assert_eq!((&stream["codec_name"], &stream["width"]), (&"av1".into(), &report["video"]["width"]));
        let frames = chunk["frames"].as_u64().expect("a number");
        assert_eq!(stream["nb_read_packets"], frames.to_string(), "chunk {index}");
        let times: Vec<_> = array(&found, "packets").iter().map(|p| p["pts"].as_u64()).collect();
        assert_eq!(times, (0..frames).map(Some).collect::<Vec<_>>(), "chunk {index}");
        all.extend(pictures(&file));
    }
    assert_eq!(all.len() as u64, report["output"]["frames"].as_u64().expect("a number"));
    assert!(all == pictures(&output), "the film is its chunks, one after the other");
}
