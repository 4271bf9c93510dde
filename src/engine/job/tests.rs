use std::path::Path;

use super::*;
use crate::base::Rational;
use crate::media::Crf;
use crate::plan::Tier;

const HEADER: IvfHeader = IvfHeader { width: 64, height: 64, rate: Rational::ONE, frames: 1 };

/// A metadata OBU, as good a unit as any.
const UNIT: [u8; 4] = [0x2a, 2, 7, 8];

fn identity() -> Identity {
    Identity::default().with("preset", 6).with("input_bytes", 1000)
}

fn open(dir: &Path) -> (Job, Opened) {
    Job::open(dir, &identity()).unwrap()
}

fn tried(chunk: usize, score: f64) -> TryRecord {
    TryRecord {
        chunk,
        crf: Crf::whole(30).unwrap(),
        tier: Tier::Configured,
        stride: 3,
        whole: true,
        score,
        frames: 10,
        bytes: 100,
        reason: "test".to_owned(),
    }
}

fn segment(chunk: usize) -> SegmentRecord {
    SegmentRecord { chunk, first_frame: chunk as u64, frames: 1, start_s: chunk as f64 }
}

fn record(chunk: usize) -> ChunkRecord {
    ChunkRecord {
        chunk,
        first_frame: chunk as u64,
        frames: 1,
        start_s: chunk as f64,
        length: 0,
        hash: String::new(),
        bytes: 4,
        crf: Crf::whole(30).unwrap(),
        aim: 93.0,
        harmonic_mean: 93.1,
        stride: 3,
        scores: vec![9310],
        ceiling: None,
        clamp: None,
        tries: vec![tried(chunk, 93.1)],
    }
}

fn finish(job: &mut Job, chunk: usize) {
    job.add_segment(segment(chunk)).unwrap();
    let mut file = job.chunk_file(chunk, &HEADER).unwrap();
    file.write(&UNIT).unwrap();
    job.finish(record(chunk), file).unwrap();
}

fn journal(dir: &Path) -> PathBuf {
    dir.join("encode_data/progress.json")
}

#[test]
fn a_run_goes_on_where_an_earlier_one_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("job");
    let (mut job, opened) = open(&dir);
    assert_eq!(opened, Opened::Fresh);
    finish(&mut job, 0);
    finish(&mut job, 1);
    job.record_try(tried(2, 0.1 + 0.2)).unwrap();
    let part = job.chunk_file(2, &HEADER).unwrap();
    // A kill drops nothing.
    std::mem::forget(part);
    drop(job);

    let (job, opened) = open(&dir);
    assert_eq!(opened, Opened::Resumed { finished: 2, damaged: 0 });
    assert_eq!(job.finished_segments(), [segment(0), segment(1)]);
    assert_eq!(job.tries(2), [tried(2, 0.1 + 0.2)], "a score comes back to the last bit");
    assert_eq!(job.read(1).unwrap().next().unwrap().unwrap(), UNIT);
    let left: Vec<_> = std::fs::read_dir(dir.join("encoded")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "the part is gone: {left:?}");
}

#[test]
fn a_torn_journal_loses_only_what_is_torn() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("job");
    let (mut job, _) = open(&dir);
    finish(&mut job, 0);
    let whole = std::fs::metadata(journal(&dir)).unwrap().len();
    finish(&mut job, 1);
    drop(job);
    let bytes = std::fs::read(journal(&dir)).unwrap();
    for length in (whole as usize..bytes.len()).step_by(7).chain([whole as usize + 1, bytes.len() - 1]) {
        std::fs::write(journal(&dir), &bytes[..length]).unwrap();
        let (job, opened) = open(&dir);
        assert_eq!(opened, Opened::Resumed { finished: 1, damaged: 0 }, "cut to {length} of {}", bytes.len());
        drop(job);
        assert_eq!(std::fs::read(journal(&dir)).unwrap(), &bytes[..whole as usize], "the tear is cut off");
    }
}

#[test]
fn a_flipped_byte_in_the_journal_ends_it_there() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("job");
    let (mut job, _) = open(&dir);
    finish(&mut job, 0);
    let first = std::fs::metadata(journal(&dir)).unwrap().len() as usize;
    finish(&mut job, 1);
    finish(&mut job, 2);
    drop(job);
    let bytes = std::fs::read(journal(&dir)).unwrap();
    for at in [first + 3, first + 17, first + 60] {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x20;
        std::fs::write(journal(&dir), flipped).unwrap();
        let (mut job, opened) = open(&dir);
        assert_eq!(opened, Opened::Resumed { finished: 1, damaged: 0 }, "byte {at}");
        finish(&mut job, 1);
        drop(job);
        assert_eq!(open(&dir).1, Opened::Resumed { finished: 2, damaged: 0 }, "what is appended after it counts");
    }
}

#[test]
fn a_chunk_file_that_is_not_as_it_was_written_is_not_finished() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("job");
    let (mut job, _) = open(&dir);
    (0..3).for_each(|chunk| finish(&mut job, chunk));
    drop(job);
    let file = |chunk: usize| dir.join(format!("encoded/{chunk:05}.ivf"));
    let mut bytes = std::fs::read(file(0)).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(file(0), &bytes).unwrap();
    std::fs::write(file(1), &bytes[..bytes.len() - 1]).unwrap();
    let (job, opened) = open(&dir);
    assert_eq!(opened, Opened::Resumed { finished: 1, damaged: 2 });
    assert_eq!(job.finished_segments(), [segment(2)]);
    drop(job);
    std::fs::remove_file(file(2)).unwrap();
    assert_eq!(open(&dir).1, Opened::Resumed { finished: 0, damaged: 3 });
}

#[test]
fn other_settings_start_anew_and_say_which() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("job");
    let (mut job, _) = open(&dir);
    finish(&mut job, 0);
    drop(job);
    let (job, opened) = Job::open(&dir, &identity().with("preset", 8)).unwrap();
    assert_eq!(opened, Opened::Restarted { why: "preset was 6 and is 8".to_owned() });
    assert!(job.finished(0).is_none() && job.finished_segments().is_empty());
    assert_eq!(std::fs::read_dir(dir.join("encoded")).unwrap().count(), 0);
    drop(job);
    let (_, opened) = Job::open(&dir, &identity().with("preset", 8).with("input_bytes", 1001)).unwrap();
    assert_eq!(opened, Opened::Restarted { why: "the input changed".to_owned() });
}

#[test]
fn two_runs_cannot_work_on_one_job() {
    let folder = tempfile::tempdir().unwrap();
    let (_job, _) = open(folder.path());
    let error = Job::open(folder.path(), &identity()).err().unwrap();
    assert!(error.to_string().contains("another run works on this job"), "{error}");
}

#[test]
fn a_try_that_is_not_kept_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (mut job, _) = open(folder.path());
    let mut file = job.chunk_file(0, &HEADER).unwrap();
    file.write(&UNIT).unwrap();
    drop(file);
    assert_eq!(std::fs::read_dir(folder.path().join("encoded")).unwrap().count(), 0);
}

#[test]
fn removing_a_job_spares_what_is_not_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("job");
    let (mut job, _) = open(&dir);
    finish(&mut job, 0);
    std::fs::write(dir.join("encoded/notes.txt"), "mine").unwrap();
    job.remove().unwrap();
    assert_eq!(std::fs::read_to_string(dir.join("encoded/notes.txt")).unwrap(), "mine");
    assert!(!dir.join("encode_data").exists() && !dir.join("encoded/00000.ivf").exists());
    std::fs::remove_file(dir.join("encoded/notes.txt")).unwrap();
    open(&dir).0.remove().unwrap();
    assert!(!dir.exists());
}

#[test]
fn each_input_and_output_has_a_job_of_its_own() {
    let dir = |temp, input: &str, output: &str| job_dir(temp, Path::new(input), Path::new(output));
    let one = dir(None, "/a/film.mkv", "/b/out.mkv");
    assert!(one.starts_with("/b") && one.file_name().unwrap().to_str().unwrap().starts_with(".out.drapto-"), "{one:?}");
    assert_ne!(one, dir(None, "/a/other.mkv", "/b/out.mkv"));
    assert_eq!(one.file_name(), dir(Some(Path::new("/tmp")), "/a/film.mkv", "/b/out.mkv").file_name());
    assert!(dir(Some(Path::new("/tmp")), "/a/film.mkv", "/b/out.mkv").starts_with("/tmp"));
}
