//! What the pictures of a film are made of: whole pictures, fields, or film spread over fields.
#![deny(unsafe_code)]

use std::path::Path;

use super::pipeline::decoder_options;
use super::streams::main_video;
use crate::av::FieldMeter;
use crate::base::{CancelToken, Error, ErrorKind, Rational, Result, Timestamp};
use crate::media::{FieldCounts, FieldLook};
use crate::plan::{Fields, is_told, judge};
use crate::source::Pictures;

/// What a film's pictures are made of, and on what that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FieldReport {
    /// The verdict.
    pub(super) fields: Fields,
    /// Where the film was looked at; one at least.
    pub(super) places: Vec<FieldPlace>,
}

/// A look at consecutive pictures somewhere in a film.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FieldPlace {
    /// Where they begin, in hundredths of the film's duration.
    pub(super) at_percent: u32,
    /// What those pictures are made of.
    pub(super) fields: Fields,
    /// What was counted in them.
    pub(super) counts: FieldCounts,
}

/// Consecutive pictures that are looked at: 3:2 pulldown is a pattern over neighbours.
const STRETCH: usize = 120;

/// So many are enough to know a film whose pictures are whole and flagged so.
const PLAIN_STRETCH: usize = 48;

/// Where a film is looked at, in hundredths of its duration.
const PLACES: [u32; 3] = [25, 50, 75];

/// Looks at consecutive pictures from a quarter of the film on, and says what they are made of.
///
/// A few are enough where they are whole and flagged so. Otherwise, and where nothing moves, it looks further on as well,
/// and most places decide: fades and noise hide a pattern. A film that cannot be sought in is looked at from its start.
///
/// # Errors
/// `Input` and `Unsupported` for files that cannot be read or hold no video, `Interrupted` where cancelled.
pub(super) fn fields(input: &Path, cancel: &CancelToken) -> Result<FieldReport> {
    let in_file = |e: Error| e.with_file(input);
    let mut places = Vec::new();
    if let Some(plain) = look(input, PLACES[0], PLAIN_STRETCH, cancel).map_err(in_file)?.filter(is_plain) {
        return Ok(FieldReport { fields: plain.fields, places: vec![plain] });
    }
    for at_percent in PLACES {
        let place = look(input, at_percent, STRETCH, cancel).map_err(in_file)?;
        let is_plain = place.as_ref().is_some_and(is_plain);
        places.extend(place);
        if is_plain {
            break;
        }
    }
    if places.is_empty() {
        places.extend(look(input, 0, STRETCH, cancel).map_err(in_file)?);
    }
    tracing::debug!(?places, "fields");
    let fields = vote(&places);
    let fields = fields.ok_or_else(|| in_file(Error::new(ErrorKind::Input, "no picture of it can be decoded")))?;
    Ok(FieldReport { fields, places })
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

fn look(input: &Path, at_percent: u32, most: usize, cancel: &CancelToken) -> Result<Option<FieldPlace>> {
    let looks = stretch(input, at_percent, most, cancel)?;
    Ok(looks.map(|looks| FieldPlace { at_percent, fields: judge(&looks), counts: FieldCounts::of(&looks) }))
}

/// Looks at the pictures from there on, at `most` of them; `None` where there are none, or the file cannot be sought in.
fn stretch(input: &Path, at_percent: u32, most: usize, cancel: &CancelToken) -> Result<Option<Vec<FieldLook>>> {
    let mut pictures = Pictures::open(input, main_video, decoder_options(), cancel)?;
    if at_percent > 0 {
        let info = pictures.info();
        let start = main_video(info).and_then(|i| info.streams.get(i)?.start).map_or(0.0, Timestamp::as_secs_f64);
        let Some(duration) = info.duration_s.filter(|d| d.is_finite() && *d > 0.0) else { return Ok(None) };
        let target = start + duration * f64::from(at_percent) / 100.0;
        if pictures.seek(Timestamp::new((target * 1000.0) as i64, Rational::MILLI)).is_err() {
            return Ok(None);
        }
    }
    let mut meter = FieldMeter::new();
    let mut seen = 0;
    while let Some(frame) = pictures.next()? {
        cancel.check()?;
        meter.push(&frame)?;
        seen += 1;
        if seen == most {
            break;
        }
    }
    Ok((seen > 0).then_some(meter.finish()?.looks))
}

#[cfg(test)]
mod tests;
