//! Settings files of earlier forms, brought to the form of today.
//!
//! Owns what each form was: one file a step, which stays as it is whatever settings are called later. Refuses to know
//! whether a value is sound.

mod entry;
mod v1_to_v2;
mod v2_to_v3;

pub(super) use entry::Entry;

/// What a form is changed by to be the next.
type MigrationStep = fn(Vec<Entry>) -> Vec<Entry>;

/// The first makes version 2 of version 1.
const STEPS: [MigrationStep; 2] = [v1_to_v2::migrate, v2_to_v3::migrate];

/// The form of today.
pub(super) const CURRENT: usize = STEPS.len() + 1;

/// What stands in tables of these names since version 3.
pub(super) const SECTIONS: [&str; 9] =
    ["encoding", "processing", "resources", "audio", "crop", "filters", "input", "output", "cache"];

/// The version of a file that does not say it: files of version 1 never did, and later ones are known by their tables.
pub(super) fn guessed(entries: &[Entry]) -> usize {
    let in_section = |e: &Entry| e.place.len() > 1 && SECTIONS.contains(&e.place[0].as_str());
    if entries.is_empty() || entries.iter().any(in_section) {
        CURRENT
    } else if entries.iter().any(|e| e.place.len() > 1 && e.is_in(&["crf"])) {
        2
    } else {
        1
    }
}

/// The entries of a file of `version`, 1 to [`CURRENT`], in the form of today.
pub(super) fn migrated(entries: Vec<Entry>, version: usize) -> Vec<Entry> {
    STEPS.iter().skip(version.saturating_sub(1)).fold(entries, |entries, step| step(entries))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SettingValues;

    /// The same settings in each form.
    const FILES: [&str; CURRENT] = [
        "version = 1\ncrf = 30\npreset = 3\nmax_memory_mib = 2048\nworkers = 2\naudio = \"copy\"\ncrop = \"off\"\ncrf_min = 9\n\
         [svt]\nenable-tf = 0\n",
        "version = 2\ncrf.sd = 30\ncrf.hd = 30\ncrf.uhd = 30\npreset = 3\nmax_memory_mib = 2048\nworkers = 2\naudio = \"copy\"\n\
         crop = \"off\"\ncrf_min = 9\n[svt]\nenable-tf = 0\n",
        "version = 3\naudio.mode = \"copy\"\ncrop.mode = \"off\"\nprocessing.parallel_jobs = 2\nresources.max_memory = \"2G\"\n\
         [encoding]\ncrf = { sd = 30, hd = 30, uhd = 30 }\npreset = 3\ncq_search_min = 9\nsvt_params = \"enable-tf=0\"\n",
    ];

    fn read(text: &str) -> SettingValues {
        let mut values = SettingValues::new();
        values.read_toml(text).unwrap();
        values
    }

    #[test]
    fn a_file_of_any_version_says_what_the_same_file_of_today_says() {
        let resolved = FILES.map(|text| read(text).resolve("in", "out").unwrap().0);
        assert_eq!(resolved[2].get("quality.crf").unwrap().as_deref(), Some("30"));
        assert_eq!((resolved[2].preset, resolved[2].quality.is_one_pass()), (3, true));
        for text in FILES {
            let values = read(text);
            let said = |name| values.get(name).unwrap().map(|(text, _)| text.to_owned());
            let of_target = ["workers", "run.max_memory", "crf_min"].map(said);
            let memory = if text.contains("2G") { "2G" } else { "2048M" };
            assert_eq!(of_target, [Some("2".to_owned()), Some(memory.to_owned()), Some("9".to_owned())]);
        }
        assert_eq!(resolved[2].svt, [("enable-tf".to_owned(), "0".to_owned())]);
        for (version, settings) in resolved.iter().enumerate() {
            assert_eq!(settings, &resolved[2], "version {}", version + 1);
        }
        // And where the file does not say what it is.
        for (version, text) in FILES.iter().enumerate() {
            let silent = text.split_once('\n').unwrap().1;
            assert_eq!(read(silent).resolve("in", "out").unwrap().0, resolved[2], "version {}", version + 1);
        }
    }

    #[test]
    fn every_step_is_walked_and_every_key_of_the_flat_forms_has_a_place_today() {
        for setting in
            crate::config::settings().iter().filter(|s| v2_to_v3::PLACES.iter().any(|(key, _)| *key == s.key))
        {
            let entry = Entry {
                place: vec![setting.key.to_owned()],
                written: setting.key.to_owned(),
                line: 1,
                value: toml::Value::Boolean(true),
            };
            let today = migrated(vec![entry], 1);
            let places: Vec<String> = today.iter().map(|e| e.place.join(".")).collect();
            let expected = match setting.key {
                "crf" => vec!["encoding.crf.sd", "encoding.crf.hd", "encoding.crf.uhd"],
                _ => vec![setting.place],
            };
            assert_eq!(places, expected, "{}", setting.key);
        }
    }

    #[test]
    fn a_version_that_is_not_known_is_refused() {
        for (text, part) in [
            ("version = 4\npreset = 3", "version 4"),
            ("version = 0", "version 0"),
            ("version = \"new\"", "line 1: version"),
        ] {
            let error = SettingValues::new().read_toml(text).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
