//! The paths of a job, checked before it looks at its source.

use std::path::Path;

use crate::base::{Error, ErrorKind, Result};
use crate::config::EncodeSettings;
use crate::store::{PathCheck, Written, partial_path};

/// Checks every path that encodes with these settings read and write, and those that their caller reads (`reads`) and
/// writes (`writes`) beside them, each with what it is in words.
///
/// # Errors
/// `Usage` that names the path.
pub(crate) fn check_paths(outputs: &[EncodeSettings], reads: &[(&str, &Path)], writes: &[(&str, &Path)]) -> Result<()> {
    let mut check = PathCheck::default();
    if let Some(first) = outputs.first() {
        check.read("the input", &first.input);
    }
    reads.iter().for_each(|(what, path)| check.read(what, path));
    for (number, settings) in outputs.iter().enumerate() {
        let what = if number == 0 { "the output".to_owned() } else { format!("output {}", number + 1) };
        check.write(&what, &settings.output, Written::File)?;
        if !settings.overwrite && settings.output.symlink_metadata().is_ok() {
            let message = format!("{what} exists (--overwrite replaces it)");
            return Err(Error::new(ErrorKind::Usage, message).with_file(&settings.output));
        }
        check.in_the_making(&what, &partial_path(&settings.output))?;
        if let Some(temp) = &settings.temp_dir {
            check.keep_in("the temporary folder", temp)?;
        }
        if let Some(job) = settings.job_dir() {
            check.keep_in("the job directory", &job)?;
        }
    }
    writes.iter().try_for_each(|(what, path)| check.write(what, path, Written::FileOrStream))
}
