use std::path::Path;

use super::*;
use crate::base::{Rational, Span, Timestamp};
use crate::media::{Color, Crf, HdrStatic, Shown};
use crate::pixel::PictureMeasure;
use crate::plan::{ChunkMeans, Piece, ScoredFrames, Tier, TryRecord};
use crate::source::DecodeStats;

const HEADER: IvfHeader = IvfHeader { width: 64, height: 64, rate: Rational::ONE, frames: 1, codec: IvfCodec::Av1 };

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
        from: 0,
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

/// Records a try.
fn note(job: &mut Job, tried: TryRecord) -> Result<()> {
    let frames = vec![tried.score];
    job.record(ScheduleRecord::Try { tried, frames })
}

/// What a run that goes on is told of tries of a chunk.
fn tries(job: &Job, chunk: usize) -> Vec<TryRecord> {
    let of_it = |record| match record {
        ScheduleRecord::Try { tried, .. } if tried.chunk == chunk => Some(tried),
        _ => None,
    };
    job.decisions().into_iter().filter_map(of_it).collect()
}

/// A chunk of one frame, after `chunk` others.
fn planned(chunk: usize) -> PlannedChunk {
    let at = chunk as u64;
    let segment = SegmentRecord { chunk, first_frame: at, frames: 1, start_s: at as f64 };
    let shown = Shown { width: 64, height: 64, color: Color::default(), hdr: HdrStatic::default() };
    let means = ChunkMeans { detail: 0.1 + 0.2, motion: 1.0 / 3.0, brightness: 0.5 };
    let time = (Timestamp::new(chunk as i64, Rational::ONE), Some(Span::new(1, Rational::ONE)));
    let stats = DecodeStats { frames: at + 1, first_error: Some("bad".to_owned()), ..DecodeStats::default() };
    let read = FilmRead { decoder: "h264".to_owned(), stats, end_s: at as f64 + 1.0, ..FilmRead::default() };
    let last = PictureMeasure { detail: 0.1, ..PictureMeasure::default() };
    let point = ReadPoint { may_seek: true, last, read };
    PlannedChunk::new((segment, shown), (means, vec![3], true), (&[time], &[u64::MAX - at]), point)
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
        pieces: vec![Piece { from: 0, crf: Crf::whole(30).unwrap() }],
        aim: 93.0,
        harmonic_mean: 93.1,
        stride: 3,
        scores: vec![9310],
        probe: None,
        ceiling: None,
        clamp: None,
        slope: None,
        tries: vec![tried(chunk, 93.1)],
    }
}

fn finish(job: &mut Job, chunk: usize) {
    let mut file = job.chunk_file(chunk, &HEADER).unwrap();
    file.write(0, &UNIT).unwrap();
    job.finish(record(chunk), vec![(file, 1)]).unwrap();
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
    (0..3).for_each(|chunk| job.plan(planned(chunk)).unwrap());
    finish(&mut job, 0);
    finish(&mut job, 1);
    note(&mut job, tried(2, 0.1 + 0.2)).unwrap();
    let part = job.chunk_file(2, &HEADER).unwrap();
    // A kill drops nothing.
    std::mem::forget(part);
    drop(job);

    let (mut job, opened) = open(&dir);
    assert_eq!(opened, Opened::Resumed { finished: 2, damaged: 0 });
    assert_eq!(job.take_planned(), [planned(0), planned(1), planned(2)]);
    assert_eq!(job.film_read(), None, "the film is longer than that");
    assert_eq!(tries(&job, 2), [tried(2, 0.1 + 0.2)], "a score comes back to the last bit");
    assert_eq!(job.read(1).unwrap().next().unwrap().unwrap().data, UNIT);
    let left: Vec<_> = std::fs::read_dir(dir.join("encoded")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "the part is gone: {left:?}");
}

#[test]
fn all_that_decisions_read_comes_back_in_its_order_and_to_the_last_bit() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("job");
    let (mut job, _) = open(&dir);
    let crf = Crf::from_quarters(121).unwrap();
    let scores = ScoredFrames { stride: 9, harmonic_mean: 90.0 + 1e-13, frames: vec![0.1 + 0.2, 100.0, 0.0] };
    let written = [
        ScheduleRecord::Probe { chunk: 1, scores, bytes: 77 },
        ScheduleRecord::Try { tried: tried(1, 92.0 - 1e-13), frames: vec![1.0 / 3.0, 93.0] },
        ScheduleRecord::Ceiling { chunk: 1, score: 97.0 + 1e-13 },
        ScheduleRecord::Try { tried: TryRecord { whole: false, ..tried(1, 92.0) }, frames: Vec::new() },
        ScheduleRecord::Title { crf, worst: Some(88.0 + 1e-13) },
    ];
    written.iter().for_each(|record| job.record(record.clone()).unwrap());
    finish(&mut job, 0);
    drop(job);
    let (job, _) = open(&dir);
    assert!(!job.is_empty());
    let kept = ScheduleRecord::Kept { chunk: 0, crf: Crf::whole(30).unwrap(), score: 93.1, probe: None, slope: None };
    assert_eq!(job.decisions(), written.into_iter().chain([kept]).collect::<Vec<_>>());
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
    assert!(job.finished(1).is_none() && job.finished(2).is_some());
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
    let (mut job, opened) = Job::open(&dir, &identity().with("preset", 8)).unwrap();
    assert_eq!(opened, Opened::Restarted { why: "preset was 6 and is 8".to_owned() });
    assert!(job.finished(0).is_none() && job.take_planned().is_empty());
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
    file.write(0, &UNIT).unwrap();
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
    let dir = |temp, input: &str, output: &str| place(temp, Path::new(input), Path::new(output));
    let one = dir(None, "/a/film.mkv", "/b/out.mkv");
    assert!(one.starts_with("/b") && one.file_name().unwrap().to_str().unwrap().starts_with(".out.drapto-"), "{one:?}");
    assert_ne!(one, dir(None, "/a/other.mkv", "/b/out.mkv"));
    assert_eq!(one.file_name(), dir(Some(Path::new("/tmp")), "/a/film.mkv", "/b/out.mkv").file_name());
    assert!(dir(Some(Path::new("/tmp")), "/a/film.mkv", "/b/out.mkv").starts_with("/tmp"));
}

#[test]
fn a_journal_cut_at_any_byte_of_its_last_line_loses_that_line_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("job");
    let (mut job, _) = open(&dir);
    finish(&mut job, 0);
    note(&mut job, tried(1, 92.9)).unwrap();
    let whole = std::fs::metadata(journal(&dir)).unwrap().len() as usize;
    note(&mut job, tried(1, 93.2)).unwrap();
    drop(job);
    let bytes = std::fs::read(journal(&dir)).unwrap();
    for length in whole..bytes.len() {
        std::fs::write(journal(&dir), &bytes[..length]).unwrap();
        let (job, opened) = open(&dir);
        assert_eq!(opened, Opened::Resumed { finished: 1, damaged: 0 }, "cut to {length}");
        assert_eq!(tries(&job, 1), [tried(1, 92.9)], "cut to {length}");
        drop(job);
        assert_eq!(std::fs::read(journal(&dir)).unwrap(), &bytes[..whole], "cut to {length}");
    }
}

#[test]
fn scores_come_back_to_the_last_bit() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("job");
    let (mut job, _) = open(&dir);
    let mut bits = 0x9e37_79b9_7f4a_7c15u64;
    let random = std::iter::repeat_with(|| {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        f64::from_bits(bits)
    });
    let odd = [0.1 + 0.2, 93.0 - f64::EPSILON * 64.0, f64::MIN_POSITIVE, 5e-324, f64::MAX, -0.0];
    let scores: Vec<f64> = odd.into_iter().chain(random.filter(|s| s.is_finite()).take(200)).collect();
    scores.iter().for_each(|&score| note(&mut job, tried(0, score)).unwrap());
    drop(job);
    let back: Vec<u64> = tries(&open(&dir).0, 0).iter().map(|t| t.score.to_bits()).collect();
    assert_eq!(back, scores.iter().map(|s| s.to_bits()).collect::<Vec<_>>());
}

#[test]
fn a_score_that_is_no_number_is_refused_and_costs_no_other_record() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("job");
    let (mut job, _) = open(&dir);
    finish(&mut job, 0);
    let refused = [f64::NAN, f64::INFINITY].map(|score| note(&mut job, tried(1, score)).is_err());
    finish(&mut job, 1);
    drop(job);
    assert_eq!(open(&dir).1, Opened::Resumed { finished: 2, damaged: 0 });
    assert_eq!(refused, [true, true]);
}

/// Makes what is next written to `path` fail as on a full disk.
#[cfg(target_os = "linux")]
fn fill(path: &Path) {
    std::os::unix::fs::symlink("/dev/full", path).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_is_full_keeps_what_was_finished_and_nothing_of_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("job");
    let (mut job, _) = open(&dir);
    finish(&mut job, 0);
    fill(&dir.join("encoded/.00001.2.part"));
    let mut file = job.chunk_file(1, &HEADER).unwrap();
    file.write(0, &UNIT).unwrap();
    let error = job.finish(record(1), vec![(file, 1)]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Output);
    assert!(error.to_string().contains("00001"), "{error}");
    let left: Vec<_> = std::fs::read_dir(dir.join("encoded")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["00000.ivf"], "the room is given back");
    finish(&mut job, 1);
    drop(job);
    assert_eq!(open(&dir).1, Opened::Resumed { finished: 2, damaged: 0 });
}

#[test]
fn a_plan_holds_from_the_start_of_the_film_to_where_something_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let (mut job, _) = open(folder.path());
    let mut short = planned(2);
    short.segment.frames = 2;
    for chunk in [planned(0), planned(1), planned(1), planned(3), short] {
        job.plan(chunk).unwrap();
    }
    let read = planned(1).point.read;
    job.end_plan(read.clone()).unwrap();
    drop(job);
    let (mut job, _) = open(folder.path());
    assert_eq!(job.take_planned(), [planned(0), planned(1)]);
    assert_eq!(job.film_read(), Some(&read));
}

#[test]
fn a_part_of_a_description_that_a_kill_left_goes_with_the_job() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("job");
    let (job, _) = open(&dir);
    std::fs::write(dir.join("encode_data/encoding.json.part"), "{").unwrap();
    job.remove().unwrap();
    assert!(!dir.exists());
}

#[cfg(unix)]
#[test]
fn a_description_that_cannot_be_read_now_costs_no_chunk() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("job");
    let (mut job, _) = open(&dir);
    finish(&mut job, 0);
    drop(job);
    let facts = dir.join("encode_data/encoding.json");
    let text = std::fs::read(&facts).unwrap();
    std::fs::remove_file(&facts).unwrap();
    // A link to itself stands in for a disk that gives an error.
    std::os::unix::fs::symlink("encoding.json", &facts).unwrap();
    let error = Job::open(&dir, &identity()).err().map(|e| e.kind());
    assert!(dir.join("encoded/00000.ivf").exists(), "what is finished stays");
    assert_eq!(error, Some(ErrorKind::Output));
    std::fs::remove_file(&facts).unwrap();
    std::fs::write(&facts, text).unwrap();
    assert_eq!(open(&dir).1, Opened::Resumed { finished: 1, damaged: 0 });
}

#[cfg(unix)]
#[test]
fn a_lock_on_a_file_that_a_run_removed_as_it_ended_does_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lock");
    let late = File::create(&path).unwrap();
    assert!(is_at(&late, &path));
    std::fs::remove_file(&path).unwrap();
    assert!(!is_at(&late, &path), "there is none");
    File::create(&path).unwrap();
    assert!(!is_at(&late, &path), "there is another");
}

#[test]
fn of_many_runs_that_begin_and_end_in_one_place_one_works_at_a_time() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("job");
    let (working, worked) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let run = || {
        for _ in 0..200 {
            // Refused, or the place went while it began.
            let Ok((job, _)) = Job::open(&dir, &identity()) else { continue };
            assert_eq!(working.fetch_add(1, Ordering::SeqCst), 0, "alone");
            worked.fetch_add(1, Ordering::SeqCst);
            std::thread::yield_now();
            working.fetch_sub(1, Ordering::SeqCst);
            job.remove().unwrap();
        }
    };
    std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(run))));
    assert!(worked.into_inner() > 0);
}
