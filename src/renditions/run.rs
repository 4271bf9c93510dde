//! Renditions being made.

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::request::{RenditionRequest, told};
use super::spec::Rendition;
use crate::analyze::probe;
use crate::base::{CancelToken, Error, ErrorKind, Result};
use crate::config::Origin;
use crate::encode::{SoundFileReport, sound_file};
use crate::event::Sink;
use crate::front::{EncodeRequest, Outcome, start_with};
use crate::media::StreamKind;
use crate::report::Report;
use crate::still::{StillReport, StillRequest, stills};

/// What renditions came to.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct RenditionReport {
    /// Films, in the order they were asked for; those that were left out are named in the warnings of the first.
    pub films: Vec<Report>,
    /// Posters, contact sheets and previews.
    pub stills: Vec<StillReport>,
    /// Sound alone.
    pub sounds: Vec<SoundFileReport>,
}

impl RenditionRequest {
    /// The job that makes its films and the stills beside them; `None` where it has no films.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for what cannot be asked for together, and for two files of one name.
    pub fn encode_request(&self) -> Result<Option<EncodeRequest>> {
        let mut wrong = Vec::new();
        for (number, rendition) in self.renditions.iter().enumerate() {
            let path = self.place(rendition.path());
            if self.renditions[..number].iter().any(|other| self.place(other.path()) == path) {
                wrong.push(format!("two outputs have this path: {}", path.display()));
            }
        }
        if !wrong.is_empty() {
            return Err(told(wrong));
        }
        let mut request = EncodeRequest::without_outputs(self.input.clone());
        request.renditions = true;
        request.settings = self.settings.clone();
        if self.overwrite {
            request.settings.set("output.overwrite", "true", Origin::Request)?;
        }
        for rendition in &self.renditions {
            if let Rendition::Film { path, film, optional } = rendition {
                let number = request.add_output(self.place(path));
                let settings = film.settings(&self.settings)?;
                if let Some(output) = request.outputs.get_mut(number) {
                    (output.settings, output.optional) = (settings, *optional);
                }
            }
        }
        request.stills = self.still_requests();
        Ok((!request.outputs.is_empty()).then_some(request))
    }

    fn overwrites(&self) -> Result<bool> {
        Ok(self.overwrite || self.settings.resolve(&self.input, &self.input)?.0.overwrite)
    }

    fn still_requests(&self) -> Vec<StillRequest> {
        let still = |rendition: &Rendition| match rendition {
            Rendition::Still(still) => Some(StillRequest { path: self.place(&still.path), ..still.clone() }),
            _ => None,
        };
        self.renditions.iter().filter_map(still).collect()
    }
}

/// Makes all of them. Films at a fixed CRF and stills come from one decode; each file of sound alone reads the sound of the
/// film once more, after the films.
///
/// # Errors
/// As an encode's; of kind `Usage` where nothing is asked for. Files that were finished before a file of sound failed stay.
pub fn renditions(request: &RenditionRequest, sink: Arc<dyn Sink>, cancel: &CancelToken) -> Result<RenditionReport> {
    if request.renditions.is_empty() {
        return Err(Error::new(ErrorKind::Usage, "no renditions are asked for"));
    }
    let films = request.encode_request()?;
    let sounds = request.renditions.iter().filter_map(|rendition| match rendition {
        Rendition::Sound(sound) => Some(sound),
        _ => None,
    });
    let mut sound_requests = Vec::new();
    for sound in sounds {
        let mut one = (**sound).clone();
        (one.input, one.output) = (request.input.clone(), request.place(&sound.output));
        one.overwrite = request.overwrites()?;
        check_place(&one.output, one.overwrite)?;
        sound_requests.push(one);
    }
    if !sound_requests.is_empty() && (films.is_some() || !request.still_requests().is_empty()) {
        let info = probe(&request.input, cancel)?;
        if !info.streams.iter().any(|stream| stream.kind == StreamKind::Audio) {
            let message = "there is no sound in it, and a file of sound is asked for";
            return Err(Error::new(ErrorKind::Unsupported, message).with_file(&request.input));
        }
    }
    let mut report = RenditionReport { films: Vec::new(), stills: Vec::new(), sounds: Vec::new() };
    match films {
        Some(films) => match start_with(films, Arc::clone(&sink), cancel)?.wait()? {
            Outcome::Done(mut first) => {
                report.stills = std::mem::take(&mut first.stills);
                let others = std::mem::take(&mut first.others);
                report.films = std::iter::once(*first).chain(others).collect();
            }
            Outcome::Skipped(reason) => return Err(reason.into()),
        },
        None if request.still_requests().is_empty() => {}
        None => {
            report.stills = stills(&request.input, &request.still_requests(), request.overwrites()?, &*sink, cancel)?;
        }
    }
    for sound in &sound_requests {
        report.sounds.push(sound_file(sound, &*sink, cancel)?);
    }
    Ok(report)
}

/// Refuses before films are encoded what would be refused after them.
fn check_place(path: &Path, overwrite: bool) -> Result<()> {
    let usage = |message: &str| Err(Error::new(ErrorKind::Usage, message).with_file(path));
    if !overwrite && path.symlink_metadata().is_ok() {
        return usage("the output exists (--overwrite replaces it)");
    }
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
            usage("the output's folder does not exist")
        }
        _ => Ok(()),
    }
}
