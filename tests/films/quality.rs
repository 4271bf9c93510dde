//! Encodes with a target: every chunk as good as asked for, by a measure that is not the one the search used; the same
//! bytes on any machine and after any interruption.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::*;

/// A camera at 640x360, 17 s: enough for several short chunks, small enough to encode often.
fn clip() -> Option<PathBuf> {
    media().map(|m| m.join("film/realcam_360p_odd_fps.mp4"))
}

const SHORT: [&str; 6] = ["--target-vmaf", "85", "--chunk-size", "3", "--temp-dir", "JOBS"];

/// [`SHORT`] with its jobs in `folder`.
fn short(folder: &Path, more: &[&str]) -> Vec<String> {
    let jobs = folder.join("jobs");
    std::fs::create_dir_all(&jobs).expect("a folder");
    let own = SHORT.map(|a| if a == "JOBS" { jobs.display().to_string() } else { a.to_owned() });
    own.into_iter().chain(more.iter().map(|a| (*a).to_owned())).collect()
}

fn encode_short(folder: &Path, output: &Path, more: &[&str]) -> Value {
    let args = short(folder, more);
    encode(&clip().expect("a clip"), output, &args.iter().map(String::as_str).collect::<Vec<_>>())
}

fn chunks(report: &Value) -> &[Value] {
    array(report, "chunks")
}

/// The job directory below `folder`.
fn job(folder: &Path) -> PathBuf {
    let jobs = folder.join("jobs");
    let name = names(&jobs).into_iter().find(|n| n.starts_with(".out.drapto-")).expect("a job directory");
    jobs.join(name)
}

#[test]
fn every_chunk_meets_its_target_also_when_every_frame_is_scored() {
    let Some(clip) = clip() else { return };
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    let page = folder.path().join("page.html");
    let report = encode_short(folder.path(), &output, &["--report-html", page.to_str().expect("a name")]);
    let page = std::fs::read_to_string(&page).expect("the page");
    assert_eq!(page.matches("<svg").count(), 4, "scores, CRFs, sizes and stages");
    // One file: nothing is fetched and nothing runs.
    for part in ["<script", "<link", "href=", "src=", "url("] {
        assert!(!page.contains(part), "{part}");
    }
    let scores =
        drapto::vmaf(&clip, &output, &drapto::VmafOptions::default(), &drapto::Silent, &drapto::CancelToken::new())
            .expect("scores")
            .per_frame;
    assert!(chunks(&report).len() >= 5, "{} chunks", chunks(&report).len());
    let mut first = 0;
    for chunk in chunks(&report) {
        let frames = chunk["frames"].as_u64().expect("a number") as usize;
        let own = &scores[first..first + frames];
        let harmonic = frames as f64 / own.iter().map(|s| 1.0 / (s.score + 1.0)).sum::<f64>() - 1.0;
        let scored = chunk["vmaf"].as_f64().expect("a score");
        // A third of the frames was scored by the search. The clip has stretches better than that at any CRF.
        assert!((harmonic - scored).abs() < 1.0, "{harmonic} over all frames of {chunk}");
        let named = chunk["note"].as_str().is_some_and(|note| note.contains("better than asked for even at CRF 55"));
        assert!((scored - 85.0).abs() <= 0.5 || named, "{chunk}");
        first += frames;
    }
    assert_eq!(first, scores.len());
    // A score stands for as many frames as its chunk's stride: a chunk of which all are scored counts no more than others.
    let weighted = chunks(&report).iter().flat_map(|c| {
        let stride = c["stride"].as_f64().expect("a stride");
        let scores = c["scores"].as_array().expect("scores").iter();
        scores.map(move |s| (stride, stride / (s.as_f64().expect("a score") + 1.0)))
    });
    let (frames, inverse) = weighted.fold((0.0, 0.0), |(n, sum), (stride, inverse)| (n + stride, sum + inverse));
    let title = report["quality"]["harmonic_mean"].as_f64().expect("a score");
    assert!((frames / inverse - 1.0 - title).abs() < 1e-6, "{title}");
    let met = chunks(&report).iter().filter(|c| c["note"].is_null()).count();
    assert!(met >= 2, "the target is met where it can be: {met}");
    assert_eq!(report["quality"]["mode"], "chunk");
    assert!(report["quality"]["encodes_a_chunk"].as_f64().expect("a number") >= 1.0);
    assert!(names(&folder.path().join("jobs")).iter().all(|n| !n.starts_with(".out")), "the job is cleaned up");
}

#[test]
fn the_bytes_are_the_same_with_any_number_of_workers_and_any_memory() {
    if clip().is_none() {
        return;
    }
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    let mut bytes: Option<Vec<u8>> = None;
    // The last has not the memory to hold a chunk: each try decodes it again.
    for more in [&["--workers", "1"][..], &["--workers", "2"], &["--workers", "4"], &["--max-memory", "250M"]] {
        encode_short(folder.path(), &output, more);
        let now = std::fs::read(&output).expect("the output");
        assert!(bytes.get_or_insert_with(|| now.clone()) == &now, "{more:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_run_killed_at_any_moment_goes_on_and_ends_with_the_same_bytes() {
    let Some(clip) = clip() else { return };
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    encode_short(folder.path(), &output, &[]);
    let undisturbed = std::fs::read(&output).expect("the output");
    std::fs::remove_file(&output).expect("removed");
    let mut finished = 0;
    for _ in 0..3 {
        let mut run = begin(&clip, &output, &short(folder.path(), &["--preset", "10"]));
        // Until it finished one chunk more than before, and then anywhere in the next.
        wait_for_chunks(folder.path(), finished + 1);
        std::thread::sleep(Duration::from_millis(130 * finished as u64));
        run.kill().expect("SIGKILL");
        run.wait().expect("an exit");
        let files = chunk_files(folder.path());
        assert!(files.len() > finished, "a chunk was finished and stays");
        finished = files.len();
    }
    assert!(!output.exists());
    // A byte of a finished chunk turns over on the disk.
    let damaged = chunk_files(folder.path()).remove(0);
    let mut bytes = std::fs::read(&damaged).expect("a chunk");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&damaged, bytes).expect("written");
    // And the journal is torn.
    let journal = job(folder.path()).join("encode_data/progress.json");
    let mut lines = std::fs::read(&journal).expect("a journal");
    lines.extend(b"0123456789abcdef {\"record\":\"chu");
    std::fs::write(&journal, lines).expect("written");

    let out = drapto()
        .args(["encode", "--preset", "10", "--events", "ndjson"])
        .args(short(folder.path(), &[]))
        .args([&clip, &output])
        .output()
        .expect("drapto runs");
    assert!(out.status.success(), "{}", said(&out));
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(text.contains("\"event\":\"resumed\""), "{text}");
    assert!(text.contains("1 are damaged and encoded again"), "{text}");
    assert!(std::fs::read(&output).expect("the output") == undisturbed, "the same bytes");
}

/// Starts an encode.
fn begin(input: &Path, output: &Path, settings: &[String]) -> std::process::Child {
    let mut run = drapto();
    run.arg("encode").args(settings).args([input, output]).stderr(Stdio::piped()).spawn().expect("drapto runs")
}

/// Until a run has finished this many chunks.
fn wait_for_chunks(folder: &Path, many: usize) {
    let begun = Instant::now();
    while chunk_files(folder).len() < many && begun.elapsed() < Duration::from_secs(120) {
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn chunk_files(folder: &Path) -> Vec<PathBuf> {
    let jobs = folder.join("jobs");
    let Some(name) = names(&jobs).into_iter().find(|n| n.starts_with(".out.drapto-")) else { return Vec::new() };
    let encoded = jobs.join(name).join("encoded");
    if !encoded.is_dir() {
        return Vec::new();
    }
    names(&encoded)
        .into_iter()
        .filter(|n| n.ends_with(".ivf") && !n.starts_with('.'))
        .map(|n| encoded.join(n))
        .collect()
}

/// At a preset whose chunks are probed first, and killed on the way.
#[cfg(unix)]
#[test]
fn a_title_has_one_crf_and_meets_the_target_as_a_whole() {
    let Some((crfs, report)) = title(&["--per", "title-crf"]) else { return };
    assert!(crfs.len() >= 5 && crfs.iter().all(|crf| *crf == crfs[0]), "{crfs:?}");
    let quality = &report["quality"];
    assert_eq!((quality["mode"].as_str(), quality["crf"].as_f64()), (Some("title-crf"), Some(crfs[0])));
}

#[cfg(unix)]
#[test]
fn a_title_gives_its_bytes_to_chunks_where_they_do_most_and_keeps_all_above_the_floor() {
    let Some((crfs, report)) = title(&["--per", "title", "--floor", "92.5"]) else { return };
    assert!(crfs.len() >= 5 && crfs.iter().any(|crf| *crf != crfs[0]), "{crfs:?}");
    assert_eq!(report["quality"]["mode"].as_str(), Some("title"));
    for chunk in chunks(&report) {
        assert!(chunk["vmaf"].as_f64().is_some_and(|vmaf| vmaf >= 92.5), "{chunk}");
    }
}

/// The CRFs of the chunks and the report of a short film at a target of the title, which it meets by other scores; it is the
/// same after a kill.
#[cfg(unix)]
fn title(per: &[&str]) -> Option<(Vec<f64>, serde_json::Value)> {
    let clip = clip()?;
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    let settings = [&["--preset", "7", "--target-vmaf", "94"], per].concat();
    let report = encode_short(folder.path(), &output, &[&settings[..], &["--workers", "3"]].concat());
    let undisturbed = std::fs::read(&output).expect("the output");
    let crfs: Vec<f64> = chunks(&report).iter().filter_map(|c| c["crf"].as_f64()).collect();
    let score =
        drapto::vmaf(&clip, &output, &drapto::VmafOptions::default(), &drapto::Silent, &drapto::CancelToken::new())
            .expect("scores")
            .harmonic_mean;
    assert!((score - 94.0).abs() < 1.0, "{score} over all frames");

    std::fs::remove_file(&output).expect("removed");
    let mut run = begin(&clip, &output, &short(folder.path(), &settings));
    wait_for_chunks(folder.path(), 2);
    run.kill().expect("SIGKILL");
    run.wait().expect("an exit");
    encode_short(folder.path(), &output, &[&settings[..], &["--workers", "1"]].concat());
    assert!(std::fs::read(&output).expect("the output") == undisturbed, "the same bytes");
    Some((crfs, report))
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_keeps_what_is_finished_and_other_settings_start_anew() {
    let Some(clip) = clip() else { return };
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    let start = |more: &[&str]| begin(&clip, &output, &short(folder.path(), &[&["--preset", "10"], more].concat()));
    let run = start(&[]);
    wait_for_chunks(folder.path(), 1);
    // A second run on the same job is refused while the first works.
    let second = start(&[]).wait_with_output().expect("an exit");
    assert_eq!(second.status.code(), Some(2), "{}", said(&second));
    let asked = Instant::now();
    let kill = std::process::Command::new("kill").args(["-INT", &run.id().to_string()]).status();
    assert!(kill.expect("kill runs").success());
    let first = run.wait_with_output().expect("an exit");
    assert_eq!(first.status.code(), Some(130), "{}", said(&first));
    assert!(asked.elapsed() < Duration::from_secs(5), "it took {:?}", asked.elapsed());
    assert!(said(&first).contains("goes on from the chunks that are finished"), "{}", said(&first));
    assert!(!chunk_files(folder.path()).is_empty() && !output.exists());

    let other = start(&["--vmaf-tolerance", "0.6"]).wait_with_output().expect("an exit");
    assert!(other.status.success(), "{}", said(&other));
    assert!(said(&other).contains("vmaf tolerance was 0.5 and is 0.6"), "{}", said(&other));
}

#[test]
fn short_black_still_and_noisy_films_are_encoded_and_what_cannot_meet_the_target_is_named() {
    let folder = scratch();
    let output = folder.path().join("out.mkv");
    for (name, frames, note) in [
        ("oneframe", 1, None),
        ("tenframes", 10, None),
        ("black", 48, Some("better than asked for even at CRF 55")),
        ("static", 288, Some("better than asked for even at CRF 55")),
        ("noise", 48, None),
    ] {
        let Some(clip) = fixture(name) else { return };
        let report = encode(&clip, &output, &["--target-vmaf", "93"]);
        assert_eq!(report["output"]["frames"], frames, "{name}");
        let chunk = &chunks(&report)[0];
        let (score, said) = (chunk["vmaf"].as_f64().expect("a score"), chunk["note"].as_str().unwrap_or(""));
        assert!((score - 93.0).abs() <= 0.5 || !said.is_empty(), "{name}: {chunk}");
        if let Some(note) = note {
            assert!(said.contains(note), "{name}: {chunk}");
        }
    }
}

/// Its halves are as unlike as can be, so what is estimated of it from a part of it is wrong.
#[test]
fn a_chunk_whose_parts_are_unlike_is_searched_to_an_end() {
    let Some(clip) = fixture("sample") else { return };
    let folder = scratch();
    let report = encode(&clip, &folder.path().join("out.mkv"), &["--target-vmaf", "93", "--preset", "9"]);
    let chunk = &chunks(&report)[0];
    let tries = array(chunk, "tries");
    let stopped = tries.iter().filter(|t| t["whole"] == false).count();
    assert!(stopped <= 3 && tries.len() <= 12, "at most one is stopped in each tier: {chunk}");
    assert!((chunk["vmaf"].as_f64().expect("a score") - 93.0).abs() < 2.0, "{chunk}");
}

#[test]
fn a_target_above_what_the_source_scores_against_itself_is_lowered_and_named() {
    let Some(clip) = fixture("static") else { return };
    let folder = scratch();
    let report = encode(&clip, &folder.path().join("out.mkv"), &["--target-vmaf", "99"]);
    let chunk = &chunks(&report)[0];
    let ceiling = chunk["ceiling"].as_f64().expect("a ceiling was measured");
    assert!(ceiling < 99.5, "{chunk}");
    assert!(chunk["note"].as_str().expect("a note").contains("against itself"), "{chunk}");
}

#[test]
fn a_picture_that_changes_its_size_is_a_clear_error() {
    let Some(clip) = fixture("sizechange") else { return };
    let folder = scratch();
    let out = drapto()
        .args(["encode", "--preset", "10"])
        .args([&clip, &folder.path().join("out.mkv")])
        .output()
        .expect("drapto runs");
    assert_eq!(out.status.code(), Some(3), "{}", said(&out));
    assert!(said(&out).contains("changes its size"), "{}", said(&out));
    assert_eq!(names(folder.path()), Vec::<String>::new());
}
