//! What the pictures of a film are made of: whole pictures, fields, or film spread over fields.
// Told apart here, acted on by the encode once it asks.
#![allow(dead_code)]

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
    /// What was counted in the pictures it stands on.
    pub(super) counts: FieldCounts,
    /// Where those begin in the film, in hundredths of its duration.
    pub(super) at_percent: u32,
}

/// Consecutive pictures that are looked at: 3:2 pulldown is a pattern over neighbours.
const STRETCH: usize = 120;

/// Where in the film, in hundredths of its duration; the next only where the one before says too little.
const PLACES: [u32; 4] = [25, 50, 75, 0];

/// Looks at consecutive pictures from a quarter of the film on, and says what they are made of. Where nothing moves
/// there, it looks further on.
///
/// # Errors
/// `Input` and `Unsupported` for files that cannot be read or hold no video, `Interrupted` where cancelled.
pub(super) fn fields(input: &Path, cancel: &CancelToken) -> Result<FieldReport> {
    let in_file = |e: Error| e.with_file(input);
    let mut first = None;
    for at_percent in PLACES {
        let Some(looks) = stretch(input, at_percent, cancel).map_err(in_file)? else { continue };
        let report = FieldReport { fields: judge(&looks), counts: FieldCounts::of(&looks), at_percent };
        tracing::debug!(?report, "fields");
        if is_told(&report.counts) {
            return Ok(report);
        }
        first.get_or_insert(report);
    }
    first.ok_or_else(|| in_file(Error::new(ErrorKind::Input, "no picture of it can be decoded")))
}

/// Looks at the pictures from there on; `None` where there are none, or the file cannot be sought in.
fn stretch(input: &Path, at_percent: u32, cancel: &CancelToken) -> Result<Option<Vec<FieldLook>>> {
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
        if seen == STRETCH {
            break;
        }
    }
    Ok((seen > 0).then_some(meter.finish()?.looks))
}

#[cfg(test)]
#[path = "fields_tests.rs"]
mod tests;
