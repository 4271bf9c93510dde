//! What the pictures of a film are made of: whole pictures, fields, or film spread over fields.
#![deny(unsafe_code)]

use super::shape::ShapeTally;
use crate::av::FieldMeter;
use crate::base::{CancelToken, Rational, Result, Timestamp};
use crate::media::{FieldCounts, FieldLook, Frame, StreamInfo};
use crate::plan::{FieldPlace, FieldReport, Fields, Finding, is_told, judge};
use crate::source::Pictures;

/// Consecutive pictures that are looked at: 3:2 pulldown is a pattern over neighbours.
const STRETCH: usize = 120;

/// So many are enough to know a film whose pictures are whole and flagged so.
const PLAIN_STRETCH: usize = 48;

/// Where a film is looked at, in hundredths of its duration.
const PLACES: [u32; 3] = [25, 50, 75];

/// Looks at consecutive pictures of one film.
///
/// From a quarter of the film on a few are enough where they are whole and flagged so. Otherwise, and where nothing
/// moves, it looks further on as well, and most places decide: fades and noise hide a pattern. A film that cannot be sought
/// in is looked at from its start.
pub(super) struct FieldSampler {
    places: Vec<FieldPlace>,
    /// For a film that is read from its start.
    meter: Option<FieldMeter>,
    read: usize,
    size: (u32, u32),
    failure: Option<String>,
}

impl FieldSampler {
    pub(super) fn new() -> Self {
        FieldSampler { places: Vec::new(), meter: None, read: 0, size: (0, 0), failure: None }
    }

    /// Looks at the places; none where the film cannot be sought in.
    ///
    /// # Errors
    /// `Interrupted`; all else is noted.
    pub(super) fn by_seeks(
        &mut self,
        pictures: &mut Pictures,
        shapes: &mut ShapeTally,
        main: &StreamInfo,
        cancel: &CancelToken,
    ) -> Result<()> {
        let mut look = |at, most| self.look((&mut *pictures, &mut *shapes), main, at, most, cancel);
        let looked = look(PLACES[0], PLAIN_STRETCH).and_then(|first| {
            if first.as_ref().is_some_and(is_plain) {
                return Ok(first.into_iter().collect());
            }
            let mut places = Vec::new();
            for at_percent in PLACES {
                places.extend(look(at_percent, STRETCH)?);
                if places.last().is_some_and(|p: &FieldPlace| p.at_percent == at_percent && is_plain(p)) {
                    break;
                }
            }
            Ok(places)
        });
        cancel.check()?;
        match looked {
            Ok(places) => self.places = places,
            Err(error) => self.failed(&error.to_string()),
        }
        Ok(())
    }

    fn look(
        &self,
        (pictures, shapes): (&mut Pictures, &mut ShapeTally),
        main: &StreamInfo,
        at_percent: u32,
        most: usize,
        cancel: &CancelToken,
    ) -> Result<Option<FieldPlace>> {
        let start = main.start.map_or(0.0, Timestamp::as_secs_f64);
        let Some(duration) = pictures.info().duration_s.filter(|d| d.is_finite() && *d > 0.0) else { return Ok(None) };
        let target = start + duration * f64::from(at_percent) / 100.0;
        if pictures.seek(Timestamp::new((target * 1000.0) as i64, Rational::MILLI)).is_err() {
            return Ok(None);
        }
        let mut meter = FieldMeter::new();
        let mut seen = 0;
        while let Some(frame) = pictures.next()? {
            cancel.check()?;
            shapes.see(&frame);
            meter.push(&frame)?;
            seen += 1;
            if seen == most {
                break;
            }
        }
        Ok(if seen > 0 { Some(place(at_percent, &meter.finish()?.looks)) } else { None })
    }

    /// Whether the film has to be looked at from its start.
    pub(super) fn must_read(&self) -> bool {
        self.places.is_empty() && self.failure.is_none()
    }

    /// Takes the next picture of a film that is read; whether more are wanted.
    pub(super) fn read(&mut self, frame: &Frame) -> bool {
        let size = (frame.width, frame.height);
        if std::mem::replace(&mut self.size, size) != size {
            // Pictures of several sizes are not compared.
            (self.meter, self.read) = (None, 0);
        }
        if let Err(error) = self.meter.get_or_insert_with(FieldMeter::new).push(frame) {
            self.failed(&error.to_string());
            return false;
        }
        self.read += 1;
        self.read < STRETCH
    }

    /// Notes why looking broke off, where nothing was seen before.
    pub(super) fn failed(&mut self, why: &str) {
        if self.places.is_empty() {
            self.failure.get_or_insert_with(|| why.to_owned());
        }
    }

    /// What the places say.
    pub(super) fn finish(mut self) -> Finding<FieldReport> {
        if let Some(why) = self.failure {
            return Finding::Failed(why);
        }
        if let Some(meter) = self.meter.filter(|_| self.read > 0) {
            match meter.finish() {
                Ok(found) => self.places.push(place(0, &found.looks)),
                Err(error) => return Finding::Failed(error.to_string()),
            }
        }
        tracing::debug!(places = ?self.places, "fields");
        match vote(&self.places) {
            Some(fields) => Finding::Found(FieldReport { fields, places: self.places }),
            None => Finding::Failed("no picture of it can be decoded".to_owned()),
        }
    }
}

fn place(at_percent: u32, looks: &[FieldLook]) -> FieldPlace {
    FieldPlace { at_percent, fields: judge(looks), counts: FieldCounts::of(looks) }
}

/// Whether what is seen and what is flagged agree that the pictures are whole.
fn is_plain(place: &FieldPlace) -> bool {
    let flagged = place.counts.flagged_interlaced * 2 > place.counts.pictures;
    !flagged && is_told(&place.counts) && matches!(place.fields, Fields::Progressive | Fields::SoftTelecine)
}

/// What most places say, of those that say something if there are any; the earliest of those that are equal.
fn vote(places: &[FieldPlace]) -> Option<Fields> {
    let any_told = places.iter().any(|p| is_told(&p.counts));
    let says: Vec<Fields> = places.iter().filter(|p| !any_told || is_told(&p.counts)).map(|p| p.fields).collect();
    let votes = |fields: &Fields| says.iter().filter(|other| *other == fields).count();
    says.iter().copied().rev().max_by_key(votes)
}

#[cfg(test)]
mod tests;
