//! Folders of films, through the library: what is encoded, what is left alone, and that no film is ever lost.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use drapto::batch::{
    Batch, BatchEvent, BatchMemory, BatchOptions, BatchPlan, BatchSink, BatchSummary, FailureCause, FileOutcome,
    FilmKey, KnownSkip, SkipRule, SourceFate, SourceRule, look_at, walk,
};
use drapto::data::Origin;
use drapto::{CancelToken, Silent, verify};

use super::support::{fixture, names, scratch};

/// Options that encode in no time.
fn quick(folder: &Path) -> BatchOptions {
    let mut options = BatchOptions::new(folder);
    for (name, value) in [("quality.crf", "50"), ("video.preset", "13"), ("picture.crop", "off")] {
        options.settings.set(name, value, Origin::Request).expect("a setting");
    }
    options
}

fn plan(options: &BatchOptions) -> BatchPlan {
    BatchPlan::make(options, |film| look_at(film, &CancelToken::new())).expect("a plan")
}

/// Notes events as JSON.
#[derive(Default)]
struct EventNotes(Mutex<Vec<serde_json::Value>>);

impl BatchSink for EventNotes {
    fn batch_event(&self, event: &BatchEvent) {
        self.0.lock().expect("nobody panicked").push(serde_json::to_value(event).expect("JSON"));
    }
}

impl EventNotes {
    fn count(&self, name: &str) -> usize {
        self.0.lock().expect("nobody panicked").iter().filter(|event| event["event"] == name).count()
    }
}

/// Plans and runs.
fn run(options: &BatchOptions) -> (BatchSummary, Arc<EventNotes>) {
    let events = Arc::new(EventNotes::default());
    let batch = Batch::new(plan(options), options.clone());
    let summary = batch.run(Arc::clone(&events) as Arc<dyn BatchSink>, &CancelToken::new());
    for (name, count) in
        [("file_done", summary.done), ("file_skipped", summary.skipped), ("file_failed", summary.failed)]
    {
        assert_eq!(events.count(name), count, "{name}: {summary:#?}");
    }
    assert_eq!((events.count("batch_started"), events.count("batch_finished")), (1, 1));
    (summary, events)
}

/// What became of each film, in a word.
fn words(summary: &BatchSummary) -> BTreeMap<String, String> {
    let word = |outcome: &FileOutcome| match outcome {
        FileOutcome::Done { fate: SourceFate::Kept, .. } => "done".to_owned(),
        FileOutcome::Done { fate: SourceFate::Replaced { .. }, .. } => "replaced".to_owned(),
        FileOutcome::Done { fate: SourceFate::Deleted, .. } => "deleted".to_owned(),
        FileOutcome::Skipped { rule, .. } => rule.name().to_owned(),
        FileOutcome::Failed { cause, .. } => format!("{cause:?}"),
        other => format!("{other:?}"),
    };
    let name = |path: &PathBuf| path.file_name().expect("a name").to_string_lossy().into_owned();
    summary.items.iter().map(|item| (name(&item.input), word(&item.outcome))).collect()
}

fn is(words: &BTreeMap<String, String>, expected: &[(&str, &str)]) {
    let found: Vec<_> = words.iter().map(|(name, word)| (name.as_str(), word.as_str())).collect();
    assert_eq!(found, expected);
}

/// Copies `clip` to `names` below `folder`.
fn lay_out(folder: &Path, clip: &Path, names: &[&str]) {
    for name in names {
        let to = folder.join(name);
        std::fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
        std::fs::copy(clip, to).expect("a copy");
    }
}

fn clip() -> Option<PathBuf> {
    fixture("tenframes")
}

#[cfg(unix)]
#[test]
fn a_folder_is_mirrored_with_all_that_is_odd_in_it_and_a_second_run_encodes_nothing() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};
    let (Some(clip), Some(text), Some(ruined)) = (clip(), fixture("text"), fixture("ruined")) else { return };
    let scratch = scratch();
    let films = scratch.path().join("films");
    lay_out(&films, &clip, &["a.mkv", "sub/b.mp4", "c.mkv", "c.webm", "locked/l.mkv"]);
    lay_out(&films, &text, &["d.mkv", "notes.txt"]);
    lay_out(&films, &ruined, &["e.mkv"]);
    let latin = films.join(OsStr::from_bytes(b"lat\xe9in.mkv"));
    std::fs::copy(&clip, &latin).expect("a copy");
    symlink("..", films.join("sub/up")).expect("a link");
    symlink("a.mkv", films.join("z.mkv")).expect("a link");
    symlink("nowhere.mkv", films.join("gone.mkv")).expect("a link");
    let locked = films.join("locked");
    std::fs::set_permissions(&locked, PermissionsExt::from_mode(0o000)).expect("rights");
    let is_locked = std::fs::read_dir(&locked).is_err();
    let mut options = quick(&films);
    options.names.folder = Some(films.join("out"));

    let before = plan(&options);
    let unreadable: Vec<_> = before.unreadable.iter().map(|place| place.path.clone()).collect();
    let mut expected = vec![films.join("gone.mkv")];
    expected.extend(is_locked.then(|| locked.clone()));
    assert_eq!(unreadable, expected);
    let json = serde_json::to_string(&before).expect("names of any bytes are text in JSON");
    assert!(json.contains("lat\u{fffd}in.mkv"), "{json}");

    let (summary, events) = run(&options);
    let mut expected = vec![
        ("a.mkv", "done"),
        ("b.mp4", "done"),
        ("c.mkv", "done"),
        ("c.webm", "same_output"),
        ("d.mkv", "unreadable"),
        ("e.mkv", "Film"),
        ("lat\u{fffd}in.mkv", "done"),
    ];
    if !is_locked {
        expected.insert(7, ("l.mkv", "done"));
        expected.sort_unstable();
    }
    is(&words(&summary), &expected);
    assert_eq!(summary.exit_code(), 3, "a film failed that cannot be read");
    assert!(summary.bytes_in > summary.bytes_out && summary.bytes_out > 0);
    assert!(events.count("finished") == summary.done && events.count("progress") > 0);
    let out = options.names.folder.clone().expect("a folder");
    assert_eq!(names(&out.join("sub")), ["b.mkv"]);
    assert!(names(&out).iter().all(|name| !name.starts_with('.')), "{:?}", names(&out));
    assert!(verify(&latin, &out.join(OsStr::from_bytes(b"lat\xe9in.mkv")), &CancelToken::new()).expect("a film").pass);
    let same = summary.items.iter().find(|item| item.input.ends_with("c.webm")).expect("a film");
    let FileOutcome::Skipped { rule: SkipRule::SameOutput { other, output }, .. } = &same.outcome else { panic!() };
    assert!(other.ends_with("c.mkv") && output.ends_with("out/c.mkv"));

    std::fs::remove_file(films.join("e.mkv")).expect("removed");
    let (again, events) = run(&options);
    assert_eq!((again.done, again.failed, again.exit_code()), (0, 0, 5), "{again:#?}");
    assert_eq!(words(&again)["a.mkv"], "output_there");
    assert_eq!(events.count("file_started"), 0, "nothing is encoded");
    std::fs::set_permissions(&locked, PermissionsExt::from_mode(0o755)).expect("rights");
}

#[test]
fn films_that_do_not_get_small_enough_keep_their_bytes_and_lose_their_output() {
    let Some(clip) = clip() else { return };
    let folder = scratch();
    lay_out(folder.path(), &clip, &["a.mkv", "b.mkv"]);
    let notes = Arc::new(Notes::default());
    let memory: Arc<dyn BatchMemory> = Arc::clone(&notes) as Arc<dyn BatchMemory>;
    let mut options = BatchOptions { min_reduction_percent: Some(99.9), memory: Some(memory), ..quick(folder.path()) };
    let (summary, _) = run(&options);
    is(&words(&summary), &[("a.mkv", "not_smaller"), ("b.mkv", "not_smaller")]);
    assert_eq!((names(folder.path()), summary.exit_code()), (vec!["a.mkv".to_owned(), "b.mkv".to_owned()], 5));
    assert_eq!(std::fs::read(folder.path().join("a.mkv")).ok(), std::fs::read(&clip).ok());
    // What was remembered is not tried again, unless the settings are others.
    let (again, events) = run(&options);
    is(&words(&again), &[("a.mkv", "known"), ("b.mkv", "known")]);
    assert_eq!(events.count("file_started"), 0);
    options.rename_skipped = Some(".skip".to_owned());
    options.min_reduction_percent = Some(99.8);
    let (renamed, _) = run(&options);
    is(&words(&renamed), &[("a.mkv", "not_smaller"), ("b.mkv", "not_smaller")]);
    assert_eq!(names(folder.path()), ["a.skip.mkv", "b.skip.mkv"]);
    is(&words(&run(&options).0), &[("a.skip.mkv", "skip_suffix"), ("b.skip.mkv", "skip_suffix")]);
}

/// Remembers what films came to.
#[derive(Default)]
struct Notes(Mutex<Vec<(FilmKey, KnownSkip)>>);

impl BatchMemory for Notes {
    fn known(&self, key: &FilmKey) -> Option<KnownSkip> {
        let notes = self.0.lock().expect("nobody panicked");
        notes.iter().find(|(known, _)| known == key).map(|(_, skip)| skip.clone())
    }

    fn keep(&self, key: &FilmKey, outcome: &FileOutcome) {
        let skip = outcome.worth_keeping().map(|skip| (key.clone(), skip));
        self.0.lock().expect("nobody panicked").extend(skip);
    }
}

#[test]
fn sources_are_replaced_or_deleted_also_where_an_earlier_run_left_them() {
    let Some(clip) = clip() else { return };
    let folder = scratch();
    lay_out(folder.path(), &clip, &["a.mkv", "b.mp4"]);
    let options = quick(folder.path());
    let replace = BatchOptions { source: SourceRule::Replace, ..options.clone() };
    is(&words(&run(&replace).0), &[("a.mkv", "replaced"), ("b.mp4", "replaced")]);
    assert_eq!(names(folder.path()), ["a.mkv", "b.mkv"]);
    for name in ["a.mkv", "b.mkv"] {
        assert!(verify(&clip, &folder.path().join(name), &CancelToken::new()).expect("a film").pass, "{name}");
    }
    is(&words(&run(&replace).0), &[("a.mkv", "already_av1"), ("b.mkv", "already_av1")]);

    let folder = scratch();
    lay_out(folder.path(), &clip, &["a.mkv", "b.mp4"]);
    let options = quick(folder.path());
    is(&words(&run(&options).0), &[("a.mkv", "done"), ("b.mp4", "done")]);
    // What has the output's name is no encode of it.
    let Some(stranger) = fixture("static") else { return };
    lay_out(folder.path(), &stranger, &["b.av1.mkv"]);
    let delete = BatchOptions { source: SourceRule::Delete, ..options };
    let (summary, events) = run(&delete);
    is(
        &words(&summary),
        &[
            ("a.av1.mkv", "output_suffix"),
            ("a.mkv", "deleted"),
            ("b.av1.mkv", "output_suffix"),
            ("b.mp4", "Verification"),
        ],
    );
    assert_eq!(events.count("progress"), 0, "nothing is encoded");
    assert_eq!(names(folder.path()), ["a.av1.mkv", "b.av1.mkv", "b.mp4"]);
    assert!(verify(&clip, &folder.path().join("a.av1.mkv"), &CancelToken::new()).expect("a film").pass);
}

#[test]
fn a_film_that_grows_or_goes_between_plan_and_turn_is_left_alone() {
    use std::io::Write;
    let Some(clip) = clip() else { return };
    let folder = scratch();
    lay_out(folder.path(), &clip, &["a.mkv", "b.mkv", "c.mkv"]);
    let options = BatchOptions { source: SourceRule::Delete, ..quick(folder.path()) };
    let planned = plan(&options);
    let mut grows = std::fs::File::options().append(true).open(folder.path().join("a.mkv")).expect("a film");
    grows.write_all(b"more").expect("written");
    std::fs::remove_file(folder.path().join("b.mkv")).expect("removed");
    let summary = Batch::new(planned, options).run(Arc::new(Silent), &CancelToken::new());
    is(&words(&summary), &[("a.mkv", "still_written"), ("b.mkv", "vanished"), ("c.mkv", "deleted")]);
    assert_eq!(names(folder.path()), ["a.mkv", "c.av1.mkv"]);
}

#[test]
fn a_film_that_changes_while_it_is_encoded_is_not_deleted() {
    use std::io::Write;
    let Some(clip) = clip() else { return };
    let folder = scratch();
    lay_out(folder.path(), &clip, &["a.mkv"]);
    let options = BatchOptions { source: SourceRule::Delete, ..quick(folder.path()) };
    let film = folder.path().join("a.mkv");
    let sink = move |event: &BatchEvent| {
        if let BatchEvent::FileStarted { .. } = event {
            let mut grows = std::fs::File::options().append(true).open(&film).expect("a film");
            grows.write_all(b"more").expect("written");
        }
    };
    let summary = Batch::new(plan(&options), options).run(Arc::new(sink), &CancelToken::new());
    let FileOutcome::Done { fate: SourceFate::KeptBoth { why }, .. } = &summary.items[0].outcome else {
        panic!("{summary:#?}")
    };
    assert!(why.contains("changed"), "{why}");
    assert_eq!(names(folder.path()), ["a.av1.mkv", "a.mkv"]);
}

#[test]
fn three_failures_of_one_cause_end_the_batch_and_say_so() {
    let Some(clip) = clip() else { return };
    let folder = scratch();
    lay_out(folder.path(), &clip, &["films/1.mkv", "films/2.mkv", "films/3.mkv", "films/4.mkv", "films/5.mkv"]);
    let mut options = quick(&folder.path().join("films"));
    std::fs::write(folder.path().join("file"), b"").expect("a file");
    options.names.folder = Some(folder.path().join("file/out"));
    let (summary, events) = run(&options);
    assert_eq!((summary.failed, summary.left, summary.gave_up), (3, 2, Some(FailureCause::Output)), "{summary:#?}");
    assert_eq!((events.count("breaker_open"), summary.exit_code()), (1, 1));
    assert!(summary.items[3..].iter().all(|item| item.outcome == FileOutcome::NotBegun));
}

#[test]
fn several_films_at_once_share_the_machine_and_meet_their_target() {
    let Some(clip) = clip() else { return };
    let folder = scratch();
    lay_out(folder.path(), &clip, &["1.mkv", "2.mkv", "3.mkv"]);
    let mut options = BatchOptions { jobs: 2, ..quick(folder.path()) };
    options.settings.set("quality.target_vmaf", "80", Origin::Request).expect("a setting");
    options.settings.set("run.workers", "3", Origin::Request).expect("a setting");
    let workers: Arc<Mutex<Vec<Option<u32>>>> = Arc::default();
    struct Reports(Arc<Mutex<Vec<Option<u32>>>>);
    impl BatchSink for Reports {
        fn batch_event(&self, _: &BatchEvent) {}
        fn film_report(&self, _: usize, report: &drapto::Report) {
            self.0.lock().expect("nobody panicked").push(report.settings.workers);
        }
    }
    let sink = Arc::new(Reports(Arc::clone(&workers)));
    let summary = Batch::new(plan(&options), options).run(sink, &CancelToken::new());
    is(&words(&summary), &[("1.mkv", "done"), ("2.mkv", "done"), ("3.mkv", "done")]);
    let mut workers = workers.lock().expect("nobody panicked").clone();
    workers.sort_unstable();
    // Two films have two and one; the third has what is free then: what the one before it had.
    assert!(workers == [Some(1), Some(1), Some(2)] || workers == [Some(1), Some(2), Some(2)], "{workers:?}");
    assert_eq!(names(folder.path()), ["1.av1.mkv", "1.mkv", "2.av1.mkv", "2.mkv", "3.av1.mkv", "3.mkv"]);
}

#[test]
fn a_batch_that_is_cancelled_or_drained_says_what_is_left_and_goes_on_later() {
    let (Some(clip), Some(long)) = (clip(), fixture("sample")) else { return };
    let folder = scratch();
    lay_out(folder.path(), &long, &["1.mkv"]);
    lay_out(folder.path(), &clip, &["2.mkv"]);
    let mut options = quick(folder.path());
    options.settings.set("video.preset", "4", Origin::Request).expect("a setting");
    let cancel = CancelToken::new();
    let stop = cancel.clone();
    let sink = move |event: &BatchEvent| {
        if matches!(event, BatchEvent::File { event: drapto::Event::Progress { .. }, .. }) {
            stop.cancel();
        }
    };
    let summary = Batch::new(plan(&options), options.clone()).run(Arc::new(sink), &cancel);
    assert_eq!((summary.left, summary.done, summary.exit_code()), (2, 0, 130), "{summary:#?}");
    assert_eq!(
        summary.items[0].outcome,
        FileOutcome::Interrupted { resumable: false },
        "at a fixed CRF nothing is kept"
    );
    assert_eq!(names(folder.path()), ["1.mkv", "2.mkv"]);

    // Drained: what runs is finished.
    lay_out(folder.path(), &clip, &["1.mkv"]);
    options.settings.set("video.preset", "13", Origin::Request).expect("a setting");
    let batch = Batch::new(plan(&options), options.clone());
    let drain = batch.drain_token();
    let sink = move |event: &BatchEvent| {
        if matches!(event, BatchEvent::FileStarted { .. }) {
            drain.cancel();
        }
    };
    let summary = batch.run(Arc::new(sink), &CancelToken::new());
    assert_eq!((summary.done, summary.left, summary.exit_code()), (1, 1, 130), "{summary:#?}");
    is(&words(&run(&options).0), &[("1.av1.mkv", "output_suffix"), ("1.mkv", "output_there"), ("2.mkv", "done")]);
}

#[test]
fn a_film_in_the_middle_of_its_chunks_goes_on_from_them_the_next_time() {
    let Some(long) = fixture("sample") else { return };
    let folder = scratch();
    lay_out(folder.path(), &long, &["1.mkv"]);
    let mut options = quick(folder.path());
    for (name, value) in
        [("quality.target_vmaf", "80"), ("quality.chunk_size", "2"), ("run.workers", "1"), ("picture.scale", "180")]
    {
        options.settings.set(name, value, Origin::Request).expect("a setting");
    }
    let cancel = CancelToken::new();
    let stop = cancel.clone();
    let sink = move |event: &BatchEvent| {
        if matches!(event, BatchEvent::File { event: drapto::Event::Chunk { .. }, .. }) {
            stop.cancel();
        }
    };
    let summary = Batch::new(plan(&options), options.clone()).run(Arc::new(sink), &cancel);
    assert_eq!(summary.items[0].outcome, FileOutcome::Interrupted { resumable: true });
    let (summary, events) = run(&options);
    is(&words(&summary), &[("1.mkv", "done")]);
    assert_eq!(events.count("resumed"), 1);
    assert_eq!(names(folder.path()), ["1.av1.mkv", "1.mkv"]);
}

#[test]
fn a_film_whose_target_no_encode_reaches_loses_its_output_where_that_is_asked_for() {
    let (Some(noise), Some(clip)) = (fixture("noise"), clip()) else { return };
    let folder = scratch();
    lay_out(folder.path(), &noise, &["noise.mkv"]);
    lay_out(folder.path(), &clip, &["plain.mkv"]);
    let mut options = BatchOptions { skip_unreachable: true, ..quick(folder.path()) };
    for (name, value) in [("quality.target_vmaf", "90"), ("quality.crf_min", "45")] {
        options.settings.set(name, value, Origin::Request).expect("a setting");
    }
    let (summary, _) = run(&options);
    let FileOutcome::Skipped { rule: SkipRule::Unreachable { target, score }, .. } = summary.items[0].outcome else {
        panic!("{summary:#?}")
    };
    assert!(target == 90.0 && score < 89.5, "{score}");
    println!("{}", summary.items.iter().map(|item| format!("{:?}", item.outcome)).collect::<Vec<_>>().join("\n"));
    assert!(!names(folder.path()).contains(&"noise.av1.mkv".to_owned()));
}

#[test]
fn content_tells_films_whose_names_do_not() {
    let (Some(clip), Some(sound), Some(text), Some(picture)) =
        (clip(), fixture("novideo"), fixture("text"), fixture("exifflip"))
    else {
        return;
    };
    let folder = scratch();
    lay_out(folder.path(), &clip, &["film.bin", "film", "named.txt"]);
    lay_out(folder.path(), &sound, &["sound"]);
    lay_out(folder.path(), &text, &["words"]);
    lay_out(folder.path(), &picture, &["picture"]);
    let mut options = quick(folder.path());
    assert!(walk(folder.path(), &options.walk).films.is_empty());
    options.walk.by_content = true;
    assert_eq!(walk(folder.path(), &options.walk).films, [folder.path().join("film"), folder.path().join("film.bin")]);
}

/// The batch of a test below, in a process of its own, where that starts it with orders; does nothing else.
#[test]
fn a_batch_in_a_process_of_its_own() {
    let Ok(folder) = std::env::var("DRAPTO_TEST_BATCH") else { return };
    let rule = std::env::var("DRAPTO_TEST_BATCH_SOURCE").unwrap_or_default();
    let source = if rule == "replace" { SourceRule::Replace } else { SourceRule::Keep };
    let options = BatchOptions { source, ..quick(Path::new(&folder)) };
    let (summary, _) = run(&options);
    println!("summary {}", serde_json::to_string(&summary).expect("JSON"));
}

/// Such a process, run by `bash` after `before`.
#[cfg(unix)]
fn own_process(folder: &Path, before: &str, rule: &str) -> Command {
    let mut command = Command::new("bash");
    let script = format!(r#"{before} exec "$0" --exact batch::a_batch_in_a_process_of_its_own --nocapture"#);
    command.args(["-c", &script]).arg(std::env::current_exe().expect("this program"));
    command.env("DRAPTO_TEST_BATCH", folder).env("DRAPTO_TEST_BATCH_SOURCE", rule).stderr(Stdio::null());
    command
}

#[cfg(unix)]
#[test]
fn a_full_disk_ends_the_batch_and_leaves_every_film_and_nothing_else() {
    let Some(clip) = clip() else { return };
    let folder = scratch();
    let films = ["1.mkv", "2.mkv", "3.mkv", "4.mkv"];
    lay_out(folder.path(), &clip, &films);
    // A file size limit stands in for a full disk: writes fail with an error, as they do there.
    let out = own_process(folder.path(), "trap '' XFSZ; ulimit -f 1;", "replace").output().expect("bash runs");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let json = text.lines().find_map(|line| line.split_once("summary ")).expect("a summary").1;
    let summary: serde_json::Value = serde_json::from_str(json).expect("JSON");
    assert_eq!((&summary["failed"], &summary["left"]), (&3.into(), &1.into()), "{text}");
    assert_eq!(summary["gave_up"], "disk_full", "{text}");
    assert_eq!(names(folder.path()), films);
    for film in films {
        assert_eq!(std::fs::read(folder.path().join(film)).ok(), std::fs::read(&clip).ok());
    }
}

#[cfg(unix)]
#[test]
fn a_batch_that_replaces_films_and_is_killed_at_any_time_loses_none_and_goes_on() {
    let Some(clip) = clip() else { return };
    let original = std::fs::read(&clip).expect("a clip");
    let films = ["1.mkv", "2.mp4", "3.mkv"];
    let whole = |path: &Path| {
        path.is_file()
            && (std::fs::read(path).expect("a file") == original
                || verify(&clip, path, &CancelToken::new()).is_ok_and(|found| found.pass))
    };
    let check = |folder: &Path| {
        for film in films {
            let stem = film.split('.').next().expect("a stem");
            let left = names(folder);
            let names = left.iter().filter(|name| name.starts_with(stem));
            assert!(names.clone().any(|name| whole(&folder.join(name))), "{film}: {left:?}");
        }
    };
    let folder = scratch();
    lay_out(folder.path(), &clip, &films);
    let begun = Instant::now();
    assert!(own_process(folder.path(), "", "replace").stdout(Stdio::null()).status().expect("bash runs").success());
    let time = begun.elapsed();
    assert_eq!(names(folder.path()), ["1.mkv", "2.mkv", "3.mkv"]);
    check(folder.path());
    let kills = 10;
    for kill in 1..=kills {
        let folder = scratch();
        lay_out(folder.path(), &clip, &films);
        let mut child = own_process(folder.path(), "", "replace").stdout(Stdio::null()).spawn().expect("bash runs");
        std::thread::sleep(time * kill / (kills + 1));
        child.kill().expect("SIGKILL");
        child.wait().expect("an exit");
        check(folder.path());
        assert!(own_process(folder.path(), "", "replace").stdout(Stdio::null()).status().expect("bash runs").success());
        let visible: Vec<_> = names(folder.path()).into_iter().filter(|name| !name.starts_with('.')).collect();
        assert_eq!(visible, ["1.mkv", "2.mkv", "3.mkv"], "killed at {kill} of {kills}");
        check(folder.path());
    }
    println!("killed {kills} times within {:.1} s", time.as_secs_f64().max(Duration::ZERO.as_secs_f64()));
}
