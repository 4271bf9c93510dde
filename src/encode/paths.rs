//! The paths of a job, checked before it looks at its source.

use std::path::Path;

use super::captions::caption_paths;
use crate::av::PictureSequence;
use crate::base::{CancelToken, Error, ErrorKind, Result};
use crate::config::EncodeSettings;
use crate::event::{Event, Sink};
use crate::source::{Spool, gives_once};
use crate::store::{PathCheck, Written, job, partial_path};

/// Checks every path that encodes with these settings read and write, and those that their caller reads (`reads`) and
/// writes (`writes`) beside them, each with what it is in words.
///
/// # Errors
/// `Usage` that names the path.
pub(crate) fn check_paths(outputs: &[EncodeSettings], reads: &[(&str, &Path)], writes: &[(&str, &Path)]) -> Result<()> {
    let mut check = PathCheck::default();
    if let Some(first) = outputs.first() {
        check.read("the input", &first.input);
        if first.sequence {
            let pictures = PictureSequence::find(&first.input, first.frame_rate)?;
            pictures.files().for_each(|picture| check.read("a picture of the input", &picture));
        }
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
        for (_, path) in caption_paths(settings) {
            check.write("a file of captions", &path, Written::File)?;
        }
        if let Some(temp) = &settings.temp_dir {
            check.keep_in("the temporary folder", temp)?;
        }
        if let Some(job) = settings.job_dir() {
            check.keep_in("the job directory", &job)?;
        }
    }
    writes.iter().try_for_each(|(what, path)| check.write(what, path, Written::FileOrStream))
}

/// The file that stands for an input that cannot be sought in, or is numbered pictures; `None` for films in files.
///
/// It is beside the output or in the temporary folder, where a film has room.
///
/// # Errors
/// As [`Spool::read`] and [`Spool::of_pictures`].
pub(super) fn stand_in(settings: &EncodeSettings, sink: &dyn Sink, cancel: &CancelToken) -> Result<Option<Spool>> {
    let EncodeSettings { input, output, temp_dir, .. } = settings;
    let path = job::place_of_input(temp_dir.as_deref(), input, output);
    if !settings.sequence && !gives_once(input) {
        return Ok(None);
    }
    if let Some(temp) = temp_dir {
        let failed = |e| Error::new(ErrorKind::Output, "cannot make the temporary folder").caused_by(e).with_file(temp);
        std::fs::create_dir_all(temp).map_err(failed)?;
    }
    if settings.sequence {
        return Spool::of_pictures(input, settings.frame_rate, &path).map(Some);
    }
    let message = format!(
        "{} cannot be sought in: it is read to its end into {}, which is removed when the run ends",
        input.display(),
        path.display()
    );
    sink.event(&Event::Warning { message });
    Spool::read(input, &path, cancel).map(Some)
}
