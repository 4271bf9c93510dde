//! What a job does beside its films: stills of the same decode, and leaving out renditions that come to nothing of their own.

use std::path::PathBuf;

use super::wanted::wanted;
use crate::base::{CancelToken, Error, ErrorKind, Result};
use crate::config::EncodeSettings;
use crate::container::Format;
use crate::event::{Event, Sink};
use crate::media::{MediaInfo, PictureSettings, Scale, StreamInfo};
use crate::plan::{PicturePlan, RenditionShape, RenditionVerdict, SourceFacts, chosen, fitted};
use crate::report::Report;
use crate::still::{MadeStill, StillFile, StillReport, StillRequest, StillWatch, made, read_stills, still_treatment};

/// What is asked for beside films.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Beside<'a> {
    pub(crate) stills: &'a [StillRequest],
    /// For renditions, by output: whether it is one of a row of sizes of which those above the film are not meant.
    pub(crate) optional: Option<&'a [bool]>,
}

/// Which outputs are made, and what is said of the others.
pub(super) struct RenditionChoice {
    kept: Vec<bool>,
    pub(super) warnings: Vec<String>,
}

impl RenditionChoice {
    /// By what each output would come to.
    ///
    /// # Errors
    /// As [`PicturePlan::new`].
    pub(super) fn new(
        outputs: &[EncodeSettings],
        beside: Beside<'_>,
        (facts, main): (&SourceFacts, &StreamInfo),
        sink: &dyn Sink,
    ) -> Result<Self> {
        let Some(optional) = beside.optional else {
            return Ok(RenditionChoice { kept: vec![true; outputs.len()], warnings: Vec::new() });
        };
        let mut shapes = Vec::new();
        for (number, settings) in outputs.iter().enumerate() {
            let optional = optional.get(number).copied().unwrap_or(false);
            shapes.push(RenditionShape { optional, ..shape(settings, facts, main)? });
        }
        let mut choice = RenditionChoice { kept: Vec::new(), warnings: Vec::new() };
        for (settings, verdict) in outputs.iter().zip(chosen(&shapes)) {
            let name = settings.output.display();
            let why = match verdict {
                RenditionVerdict::Made => None,
                RenditionVerdict::Above => Some(format!("{name} is not made: the film is smaller")),
                RenditionVerdict::SameAs(other) => {
                    let other = outputs.get(other).map_or_else(String::new, |o| o.output.display().to_string());
                    Some(format!("{name} is not made: it would come to the same size as {other}"))
                }
            };
            choice.kept.push(why.is_none());
            choice.warnings.extend(why);
        }
        for message in &choice.warnings {
            sink.event(&Event::Warning { message: message.clone() });
        }
        Ok(choice)
    }

    /// Those of `all` that are made; the others are dropped, and with them their temporary files.
    pub(super) fn of<T>(&self, all: Vec<T>) -> Vec<T> {
        all.into_iter().zip(&self.kept).filter(|(_, kept)| **kept).map(|(one, _)| one).collect()
    }
}

fn shape(settings: &EncodeSettings, facts: &SourceFacts, main: &StreamInfo) -> Result<RenditionShape> {
    let format = Format::of_name(&settings.output);
    let plan = PicturePlan::new(facts, main, &wanted(settings, format, facts)?)?;
    let size = plan.treatment.size();
    let above = match settings.picture.scale {
        Some(Scale::Fit { sides, enlarge: false }) => {
            let shape = main.video.as_ref().and_then(|v| v.sample_aspect_ratio).unwrap_or(crate::base::Rational::ONE);
            // Enlarged it would be larger.
            let most = fitted(sides, true, plan.treatment.crop, shape);
            most.0 > size.0 + 1 && most.1 > size.1 + 1
        }
        _ => false,
    };
    // All that is asked for but how large and where.
    let picture = PictureSettings { scale: None, ..settings.picture.clone() };
    let other = EncodeSettings { output: PathBuf::new(), picture, ..settings.clone() };
    let kind = format!("{} {other:?}", format.name());
    Ok(RenditionShape { kind, size, above, optional: false })
}

/// The stills of a job.
pub(super) struct JobStills {
    files: Vec<StillFile>,
    requests: Vec<StillRequest>,
}

impl JobStills {
    /// Takes their names.
    ///
    /// # Errors
    /// `Usage` and `Output`.
    pub(super) fn create(first: &EncodeSettings, beside: Beside<'_>) -> Result<Self> {
        let files = StillFile::create_all(&first.input, beside.stills, first.overwrite)?;
        Ok(JobStills { files, requests: beside.stills.to_vec() })
    }

    /// What watches the film for them; `None` where none is asked for.
    ///
    /// # Errors
    /// `Usage` for times beyond its end, and as [`PicturePlan::new`].
    pub(super) fn watch(
        &self,
        first: &EncodeSettings,
        (facts, main, info): (&SourceFacts, &StreamInfo, &MediaInfo),
    ) -> Result<Option<StillWatch>> {
        if self.requests.is_empty() {
            return Ok(None);
        }
        let (treatment, stream) = still_treatment(facts, main, &first.picture)?;
        let length = main.length_s().or(info.duration_s);
        StillWatch::new(&self.requests, (treatment, &stream), length).map(Some)
    }

    /// Writes and verifies them. Where no pass decoded the film, they read what they need of it.
    ///
    /// # Errors
    /// As those of [`stills`](crate::still::stills).
    pub(super) fn made(
        &self,
        first: &EncodeSettings,
        stream: usize,
        (seen, watch): (Option<Vec<MadeStill>>, Option<StillWatch>),
        cancel: &CancelToken,
    ) -> Result<Vec<StillReport>> {
        let all = match (seen, watch) {
            (Some(seen), _) => seen,
            (None, Some(watch)) => read_stills(first.source(), stream, watch, cancel)?,
            (None, None) if self.files.is_empty() => return Ok(Vec::new()),
            (None, None) => return Err(Error::new(ErrorKind::Encode, "internal error: nobody watched for stills")),
        };
        made(&self.files, all)
    }

    /// Gives them their names.
    ///
    /// # Errors
    /// `Output`.
    pub(super) fn publish(self, reports: &[StillReport], sink: &dyn Sink) -> Result<()> {
        for (file, report) in self.files.into_iter().zip(reports) {
            file.publish()?;
            sink.event(&Event::Finished { output: report.path.display().to_string(), bytes: report.bytes });
        }
        Ok(())
    }
}

/// Puts into the first report what concerns the whole job.
pub(super) fn report(reports: &mut [Report], stills: Vec<StillReport>, choice: RenditionChoice) {
    if let Some(first) = reports.first_mut() {
        first.stills = stills;
        first.warnings.splice(0..0, choice.warnings);
    }
}
