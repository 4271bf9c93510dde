//! Plans of folders whose films are a line of text each: codec and length in seconds.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::*;
use crate::config::Origin;
use crate::library::memory::BatchMemory;
use crate::library::names::OutputNames;
use crate::library::outcome::{FileOutcome, KnownSkip};

/// What stands in a film of these tests: `h264 60`.
fn look(path: &Path) -> Result<FilmFacts> {
    let bytes = std::fs::read(path).map_err(|e| cannot_read(path, e))?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mut words = text.split(' ');
    let codec = words.next().filter(|codec| ["h264", "hevc", "av1"].contains(codec)).map(str::to_owned);
    let Some(codec) = codec else {
        return Err(Error::new(ErrorKind::Input, "not a media file").with_file(path));
    };
    let duration_s = words.next().and_then(|seconds| seconds.trim().parse().ok());
    Ok(FilmFacts { bytes: bytes.len() as u64, duration_s, codec: Some(codec), ..FilmFacts::default() })
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new(films: &[(&str, &str)]) -> Self {
        let folder = Folder(tempfile::tempdir().unwrap());
        films.iter().for_each(|(name, text)| folder.write(name, text));
        folder
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::create_dir_all(self.at(name).parent().unwrap()).unwrap();
        std::fs::write(self.at(name), text).unwrap();
    }

    fn options(&self) -> BatchOptions {
        BatchOptions::new(self.0.path())
    }

    /// What becomes of each film: the verdict in a word.
    fn plan(&self, options: &BatchOptions) -> BTreeMap<String, String> {
        let plan = BatchPlan::make(options, look).unwrap();
        let word = |item: &BatchItem| match &item.verdict {
            ItemVerdict::Encode => "encode".to_owned(),
            ItemVerdict::Settle { film } => format!("settle {}", film.file_name().unwrap().display()),
            ItemVerdict::Skip(rule) => rule.name().to_owned(),
        };
        let name = |item: &BatchItem| item.input.strip_prefix(self.0.path()).unwrap().to_string_lossy().into_owned();
        plan.items.iter().map(|item| (name(item), word(item))).collect()
    }
}

fn verdicts(found: &BTreeMap<String, String>) -> Vec<(&str, &str)> {
    found.iter().map(|(name, verdict)| (name.as_str(), verdict.as_str())).collect()
}

#[test]
fn each_film_has_a_verdict_and_the_order_is_that_of_the_walk() {
    let folder = Folder::new(&[
        ("a.mkv", "h264 600"),
        ("b.mkv", "h264 10"),
        ("c.mkv", "av1 600"),
        ("d.mkv", "what?"),
        ("done.mkv", "h264 600"),
        ("done.av1.mkv", "av1 600"),
        ("odd.mkv", "h264 600"),
        ("odd.av1.mkv", "nothing"),
        ("e.skip.mkv", "h264 600"),
        ("f.mkv", ""),
    ]);
    let mut options = folder.options();
    options.rules.min_duration_s = Some(60.0);
    options.rename_skipped = Some(".skip".to_owned());
    let found = folder.plan(&options);
    let expected = [
        ("a.mkv", "encode"),
        ("b.mkv", "too_short"),
        ("c.mkv", "already_av1"),
        ("d.mkv", "unreadable"),
        ("done.av1.mkv", "output_suffix"),
        ("done.mkv", "output_there"),
        ("e.skip.mkv", "skip_suffix"),
        ("f.mkv", "unreadable"),
        ("odd.av1.mkv", "output_suffix"),
        ("odd.mkv", "output_no_film"),
    ];
    assert_eq!(verdicts(&found), expected);
    let plan = BatchPlan::make(&options, look).unwrap();
    let films: Vec<_> = plan.items.iter().map(|item| item.input.clone()).collect();
    assert!(films.is_sorted());
    assert_eq!((plan.to_do(), plan.bytes()), (1, 8));
    options.settings.set("output.overwrite", "true", Origin::Flag).unwrap();
    let found = folder.plan(&options);
    assert_eq!((found["done.mkv"].as_str(), found["odd.mkv"].as_str()), ("encode", "encode"));
    options.rules.reencode = true;
    assert_eq!(folder.plan(&options)["c.mkv"], "encode");
}

#[test]
fn a_plan_as_json_says_what_and_why() {
    let folder = Folder::new(&[("a.mkv", "h264 600"), ("b.mkv", "av1 1")]);
    let plan = BatchPlan::make(&folder.options(), look).unwrap();
    let json = serde_json::to_value(&plan).unwrap();
    assert_eq!((&json["films"], &json["to_do"], &json["bytes"]), (&2.into(), &1.into(), &8.into()));
    let (first, second) = (&json["items"][0], &json["items"][1]);
    assert!(
        first["input"].as_str().unwrap().ends_with("a.mkv") && first["output"].as_str().unwrap().ends_with("a.av1.mkv")
    );
    assert_eq!((&first["verdict"], &first["facts"]["codec"]), (&"encode".into(), &"h264".into()));
    assert_eq!((&second["verdict"], &second["skip"]["rule"]), (&"skip".into(), &"already_av1".into()));
    assert!(second["message"].as_str().unwrap().contains("AV1 already"));
}

#[test]
fn two_films_with_one_output_and_an_output_that_is_a_film_are_told() {
    let folder = Folder::new(&[("a.mkv", "h264 60"), ("a.mp4", "h264 60"), ("b.mkv", "av1 1"), ("b.mp4", "h264 60")]);
    let found = folder.plan(&folder.options());
    assert_eq!(
        verdicts(&found),
        [("a.mkv", "encode"), ("a.mp4", "same_output"), ("b.mkv", "already_av1"), ("b.mp4", "encode")],
    );
    let plan = BatchPlan::make(&folder.options(), look).unwrap();
    let ItemVerdict::Skip(rule) = &plan.items[1].verdict else { panic!("{:?}", plan.items[1]) };
    let text = rule.to_string();
    assert!(text.contains("a.av1.mkv") && text.contains("a.mkv"), "{text}");
    // Outputs of one folder into another that holds films.
    let folder = Folder::new(&[("one/a.mkv", "h264 60"), ("two/a.mkv", "hevc 60")]);
    let mut options = folder.options();
    options.inputs = vec![folder.at("one"), folder.at("two")];
    options.names.folder = Some(folder.at("two"));
    options.settings.set("output.overwrite", "true", Origin::Flag).unwrap();
    let found = folder.plan(&options);
    assert_eq!(verdicts(&found), [("one/a.mkv", "output_is_film"), ("two/a.mkv", "encode")]);
}

#[test]
fn outputs_in_a_folder_of_their_own_are_no_films_of_the_batch() {
    let folder = Folder::new(&[("x/a.mp4", "h264 60"), ("out/x/b.mkv", "h264 60")]);
    let names = OutputNames { folder: Some(folder.at("out")), suffix: None };
    let options = BatchOptions { names, ..folder.options() };
    let plan = BatchPlan::make(&options, look).unwrap();
    assert_eq!(plan.items.len(), 1);
    assert_eq!(plan.items[0].output, folder.at("out/x/a.mkv"));
    // A name like that of outputs beside films says nothing here.
    folder.write("x/c.av1.mkv", "h264 60");
    assert_eq!(folder.plan(&options)["x/c.av1.mkv"], "encode");
}

#[test]
fn films_that_several_inputs_name_are_planned_once() {
    let folder = Folder::new(&[("x/a.mkv", "h264 60"), ("b.mkv", "h264 60")]);
    let mut options = folder.options();
    options.inputs = vec![folder.at("x/a.mkv"), folder.0.path().to_path_buf(), folder.at("x/../b.mkv")];
    let plan = BatchPlan::make(&options, look).unwrap();
    let films: Vec<_> = plan.items.iter().map(|item| item.input.clone()).collect();
    assert_eq!(films, [folder.at("x/a.mkv"), folder.at("b.mkv")]);
    options.inputs.push(folder.at("none"));
    let error = BatchPlan::make(&options, look).unwrap_err();
    assert!(error.kind() == ErrorKind::Input && error.file() == Some(&*folder.at("none")), "{error}");
    let empty = Folder::new(&[]);
    let plan = BatchPlan::make(&empty.options(), look).unwrap();
    assert_eq!(plan.require_films().unwrap_err().kind(), ErrorKind::Input);
}

#[test]
fn a_film_that_changes_or_goes_during_the_look_is_left_alone() {
    let folder = Folder::new(&[("a.mkv", "h264 60"), ("b.mkv", "h264 60"), ("c.mkv", "h264 60")]);
    let meddle = |path: &Path| {
        let facts = look(path);
        match path.file_name().unwrap().to_str().unwrap() {
            "a.mkv" => std::fs::write(path, "h264 60 and more").unwrap(),
            "b.mkv" => {
                std::fs::remove_file(path).unwrap();
                return Err(Error::new(ErrorKind::Input, "cannot open the input"));
            }
            _ => {}
        }
        facts
    };
    let plan = BatchPlan::make(&folder.options(), meddle).unwrap();
    let verdicts: Vec<_> = plan.items.into_iter().map(|item| item.verdict).collect();
    let expected =
        [ItemVerdict::Skip(SkipRule::StillWritten), ItemVerdict::Skip(SkipRule::Vanished), ItemVerdict::Encode];
    assert_eq!(verdicts, expected);
    let stopped = |_: &Path| Err(Error::new(ErrorKind::Interrupted, "cancelled"));
    assert_eq!(BatchPlan::make(&folder.options(), stopped).unwrap_err().kind(), ErrorKind::Interrupted);
}

#[test]
fn an_output_that_is_older_than_its_film_says_so() {
    let folder = Folder::new(&[("a.av1.mkv", "av1 60"), ("a.mkv", "h264 60")]);
    let output = std::fs::File::options().write(true).open(folder.at("a.av1.mkv")).unwrap();
    output.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(60)).unwrap();
    assert_eq!(folder.plan(&folder.options())["a.mkv"], "output_older");
}

#[test]
fn where_sources_go_an_earlier_run_is_gone_on_with() {
    let run = |films: &[(&str, &str)], source: SourceRule| {
        let folder = Folder::new(films);
        folder.plan(&BatchOptions { source, ..folder.options() })
    };
    let (replace, delete) = (SourceRule::Replace, SourceRule::Delete);
    // Stopped before the source was touched.
    for rule in [replace, delete] {
        let found = run(&[("a.mp4", "h264 60"), ("a.av1.mkv", "av1 60")], rule);
        assert_eq!(found["a.mp4"], "settle a.av1.mkv");
        let found = run(&[("a.mp4", "h264 60"), ("a.av1.mkv", "")], rule);
        assert_eq!(found["a.mp4"], "output_no_film");
    }
    // Stopped before the source was removed.
    let found = run(&[("a.mp4", "h264 60"), ("a.mkv", "av1 60")], replace);
    assert_eq!(verdicts(&found), [("a.mkv", "already_av1"), ("a.mp4", "settle a.mkv")]);
    // What has the place is another film.
    let found = run(&[("a.mp4", "h264 60"), ("a.mkv", "av1 99")], replace);
    assert_eq!(found["a.mp4"], "place_taken");
    let found = run(&[("a.mp4", "h264 60"), ("a.mkv", "av1 99"), ("a.av1.mkv", "av1 60")], replace);
    assert_eq!(found["a.mp4"], "place_taken");
    // Brought from another disk, and the first copy is still there.
    let found = run(&[("a.mp4", "h264 60"), ("a.mkv", "av1 60"), ("a.av1.mkv", "av1 60")], replace);
    assert_eq!(found["a.mp4"], "settle a.mkv");
    // The place is the film's own.
    assert_eq!(run(&[("a.mkv", "h264 60")], replace)["a.mkv"], "encode");
    assert_eq!(run(&[("a.mkv", "av1 60")], replace)["a.mkv"], "already_av1");
}

#[test]
fn a_copy_that_was_brought_from_another_disk_is_remembered_by_its_size() {
    let folder = Folder::new(&[("films/a.mkv", "av1 60"), ("out/a.mkv", "av1 60")]);
    let mut options = BatchOptions { source: SourceRule::Replace, ..BatchOptions::new(folder.at("films")) };
    options.names.folder = Some(folder.at("out"));
    let found = folder.plan(&options);
    assert_eq!(found["films/a.mkv"], if cfg!(unix) { "settle a.mkv" } else { "already_av1" });
    folder.write("out/a.mkv", "av1 600");
    assert_eq!(folder.plan(&options)["films/a.mkv"], "already_av1");
}

#[derive(Default)]
struct Notes(Mutex<Vec<FilmKey>>);

impl BatchMemory for Notes {
    fn known(&self, key: &FilmKey) -> Option<KnownSkip> {
        let known = KnownSkip { rule: "not_smaller".to_owned(), message: "it grew".to_owned() };
        self.0.lock().unwrap().contains(key).then_some(known)
    }

    fn keep(&self, key: &FilmKey, _: &FileOutcome) {
        self.0.lock().unwrap().push(key.clone());
    }
}

#[test]
fn a_film_that_was_encoded_for_nothing_is_not_encoded_again_until_it_or_the_settings_change() {
    let folder = Folder::new(&[("a.mkv", "h264 60")]);
    let notes = Arc::new(Notes::default());
    let memory: Arc<dyn BatchMemory> = Arc::clone(&notes) as Arc<dyn BatchMemory>;
    let mut options = BatchOptions { memory: Some(memory), ..folder.options() };
    let (film, stamp) = (folder.at("a.mkv"), FileStamp::of(&folder.at("a.mkv")).unwrap());
    let key = FilmKey { film, stamp, settings: options.fingerprint() };
    notes.0.lock().unwrap().push(key);
    assert_eq!(folder.plan(&options)["a.mkv"], "known");
    options.settings.set("quality.crf", "50", Origin::Flag).unwrap();
    assert_eq!(folder.plan(&options)["a.mkv"], "encode");
    options.settings = crate::config::SettingValues::default();
    folder.write("a.mkv", "h264 60.5");
    assert_eq!(folder.plan(&options)["a.mkv"], "encode");
}
