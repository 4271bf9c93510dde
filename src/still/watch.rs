//! All stills of a run, watching its pictures.

use std::collections::VecDeque;

use super::best::{Best, Eyes, Seen};
use super::made::MadeStill;
use super::preview::PreviewWatch;
use super::request::{PosterOptions, StillForm, StillRequest};
use super::sheet::SheetWatch;
use super::shown::{HowShown, Shower};
use crate::base::{Error, ErrorKind, Result};
use crate::media::{Frame, StreamInfo};
use crate::plan::Treatment;
use crate::stages::treat::Treat;

/// Watches the decoded pictures of a film, in display order.
pub(crate) struct StillWatch {
    treatment: Treatment,
    treat: Treat,
    ready: VecDeque<Frame>,
    eyes: Option<Eyes>,
    stills: Vec<WatchedStill>,
    length: Option<f64>,
}

enum WatchedStill {
    Poster(Box<PosterWatch>),
    Sheet(Box<SheetWatch>),
    Preview(Box<PreviewWatch>),
}

impl StillWatch {
    /// For pictures that get `treatment`, of the stream as it is then, in a film of so many seconds.
    ///
    /// # Errors
    /// `Usage` for times beyond its end; `Unsupported` for a sheet of a film whose length is not known.
    pub(crate) fn new(
        requests: &[StillRequest],
        (treatment, stream): (Treatment, &StreamInfo),
        length: Option<f64>,
    ) -> Result<Self> {
        let missing = || Error::new(ErrorKind::Unsupported, "is no video stream").with_stream(stream.index);
        let how = HowShown::of(stream.video.as_ref().ok_or_else(missing)?, treatment.source);
        let mut stills = Vec::new();
        for request in requests {
            let place = |e: Error| e.with_file(&request.path);
            let begins = match &request.kind {
                StillForm::Poster(options) => options.at.or(options.within.map(|(from, _)| from)),
                StillForm::Preview(options) => options.start,
                StillForm::Sheet(_) => None,
            };
            if let Some((at, length)) = begins.zip(length).filter(|(at, length)| at > length) {
                let message = format!("there is no picture at {at} s: the film is {length:.3} s long");
                return Err(place(Error::new(ErrorKind::Usage, message)));
            }
            stills.push(match &request.kind {
                StillForm::Poster(options) => WatchedStill::Poster(Box::new(PosterWatch::new(options, how))),
                StillForm::Preview(options) => WatchedStill::Preview(Box::new(PreviewWatch::new(options, how, length))),
                StillForm::Sheet(options) => {
                    let unknown =
                        "how long the film is is not known: a sheet of its scenes needs no length (at=scenes)";
                    let even = options.at == super::request::SheetTimes::Even;
                    let length = match length {
                        None if even => return Err(place(Error::new(ErrorKind::Unsupported, unknown))),
                        length => length.unwrap_or_default(),
                    };
                    WatchedStill::Sheet(Box::new(SheetWatch::new(options, how, length)))
                }
            });
        }
        let scenes = stills.iter().any(|still| matches!(still, WatchedStill::Sheet(sheet) if sheet.needs_eyes()));
        let eyes = stills.iter().any(WatchedStill::needs_eyes).then(|| Eyes::new(scenes));
        Ok(StillWatch { treatment, treat: Treat::new(treatment), ready: VecDeque::new(), eyes, stills, length })
    }

    /// The next picture as it was decoded.
    ///
    /// # Errors
    /// `Unsupported` for pictures that cannot be converted.
    pub(crate) fn push(&mut self, frame: Frame) -> Result<()> {
        self.treat.push(frame, &mut self.ready)?;
        self.see()
    }

    fn see(&mut self) -> Result<()> {
        while let Some(frame) = self.ready.pop_front() {
            let at = frame.pts.as_secs_f64();
            let seen = self.eyes.as_mut().map(|eyes| eyes.see(&frame)).transpose()?.flatten();
            for still in &mut self.stills {
                match still {
                    WatchedStill::Poster(poster) => poster.push(at, &frame, seen),
                    WatchedStill::Sheet(sheet) => sheet.push(at, &frame, seen)?,
                    WatchedStill::Preview(preview) => preview.push(at, &frame)?,
                }
            }
        }
        Ok(())
    }

    /// What comes does not follow what came.
    ///
    /// # Errors
    /// As [`push`](Self::push), for pictures that were held back.
    pub(crate) fn jump(&mut self) -> Result<()> {
        self.treat.finish(&mut self.ready)?;
        self.see()?;
        self.treat = Treat::new(self.treatment);
        self.eyes.iter_mut().for_each(Eyes::jump);
        for still in &mut self.stills {
            match still {
                WatchedStill::Poster(poster) => poster.best.jump(),
                WatchedStill::Sheet(sheet) => sheet.jump(),
                WatchedStill::Preview(_) => {}
            }
        }
        Ok(())
    }

    /// The parts of the film that are enough, in seconds, in their order; `None` for all of it.
    pub(crate) fn spans(&self) -> Option<Vec<(f64, f64)>> {
        let mut out = Vec::new();
        for still in &self.stills {
            match still {
                WatchedStill::Poster(poster) => out.extend(poster.spans(self.length)?),
                WatchedStill::Sheet(sheet) if sheet.needs_eyes() => return None,
                WatchedStill::Sheet(sheet) => out.extend(sheet.times().map(|at| (at, at))),
                WatchedStill::Preview(preview) => out.push(preview.span()),
            }
        }
        out.sort_by(|a, b| a.0.total_cmp(&b.0));
        Some(out)
    }

    /// What came of each, in the order they were asked for.
    ///
    /// # Errors
    /// `Input` where there was no picture for one of them.
    pub(crate) fn finish(mut self) -> Result<Vec<MadeStill>> {
        self.treat.finish(&mut self.ready)?;
        self.see()?;
        let made = self.stills.into_iter().map(|still| match still {
            WatchedStill::Poster(poster) => poster.finish(),
            WatchedStill::Sheet(sheet) => sheet.finish(),
            WatchedStill::Preview(preview) => preview.finish(),
        });
        let none = || Error::new(ErrorKind::Input, "there is no picture in it for a still");
        made.map(|made| made?.ok_or_else(none)).collect()
    }
}

impl WatchedStill {
    fn needs_eyes(&self) -> bool {
        match self {
            WatchedStill::Poster(poster) => poster.options.at.is_none(),
            WatchedStill::Sheet(sheet) => sheet.needs_eyes(),
            WatchedStill::Preview(_) => false,
        }
    }
}

/// Takes one picture: the one that is shown at a time, or the best.
struct PosterWatch {
    options: PosterOptions,
    shower: Shower,
    best: Best,
    held: Option<Frame>,
}

/// Where a film is looked at for its best picture, where nobody decodes all of it: so many places, for so many seconds.
const PLACES: u32 = 24;
const PLACE_S: f64 = 0.6;

impl PosterWatch {
    fn new(options: &PosterOptions, how: HowShown) -> Self {
        let shower = Shower::new(how, options.fit);
        PosterWatch { options: options.clone(), shower, best: Best::default(), held: None }
    }

    fn push(&mut self, at: f64, frame: &Frame, seen: Option<Seen>) {
        match (self.options.at, seen) {
            (Some(wanted), _) if at <= wanted + 1e-6 || self.held.is_none() => self.held = Some(frame.clone()),
            (None, Some(seen)) if self.options.within.is_none_or(|(from, to)| at >= from && at <= to) => {
                self.best.push(frame, seen);
            }
            _ => {}
        }
    }

    fn spans(&self, length: Option<f64>) -> Option<Vec<(f64, f64)>> {
        if let Some(at) = self.options.at {
            return Some(vec![(at, at)]);
        }
        let (from, to) = self.options.within.unwrap_or((0.0, length?));
        let to = length.map_or(to, |length| to.min(length));
        let part = (to - from) / f64::from(PLACES);
        if part <= 2.0 * PLACE_S {
            return Some(vec![(from, to)]);
        }
        let place = |n| from + (f64::from(n) + 0.5) * part;
        Some((0..PLACES).map(|n| (place(n), place(n) + PLACE_S)).collect())
    }

    fn finish(mut self) -> Result<Option<MadeStill>> {
        let found = self.held.take().or_else(|| self.best.take().map(|best| best.frame));
        let Some(frame) = found else { return Ok(None) };
        let picture = self.shower.show(&frame)?;
        let (at, toned, quality) = (vec![frame.pts.as_secs_f64()], self.shower.toned, self.options.quality);
        Ok(Some(MadeStill { pictures: vec![(picture, 0)], at, toned, quality }))
    }
}
