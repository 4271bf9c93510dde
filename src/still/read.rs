//! Stills of a film that nobody decodes at the time: only what they need is read.

use std::path::Path;

use super::file::{StillFile, StillReport, made};
use super::made::MadeStill;
use super::request::{StillRequest, still_treatment};
use super::watch::StillWatch;
use crate::analyze::{Analysis, Looks};
use crate::base::{CancelToken, Error, ErrorKind, Rational, Result, Timestamp};
use crate::event::{Event, Sink};
use crate::media::PictureSettings;
use crate::source::{Pictures, decoder_options, looked_at};

/// Spans no further from each other than this are read through, in seconds.
const NEAR_S: f64 = 3.0;

/// How far before a picture a seek aims: the first pictures after a keyframe may lean on what was skipped.
const LEAD_S: f64 = 1.0;

/// Writes stills of the film at `input`, and reads no more of it than they need.
///
/// # Errors
/// `Usage` for what cannot be asked for, `Input` and `Unsupported` for films, `Output` for what cannot be written,
/// `Verification` for a file that does not decode to what was written, `Interrupted`. No file is there then under its name
/// that was not there before.
pub fn stills(
    input: &Path,
    requests: &[StillRequest],
    overwrite: bool,
    sink: &dyn Sink,
    cancel: &CancelToken,
) -> Result<Vec<StillReport>> {
    let files = StillFile::create_all(input, requests, overwrite)?;
    looked_at(input, cancel, |path| {
        let analysis = Analysis::open(path, cancel)?;
        let main = analysis.main_video()?.clone();
        let length = main.length_s().or(analysis.info().duration_s);
        for request in requests {
            sink.event(&Event::Started {
                input: input.display().to_string(),
                output: request.path.display().to_string(),
                frames: None,
                duration_s: length,
            });
        }
        let facts = analysis.facts(Looks { crop: true, fields: true })?;
        let (treatment, stream) = still_treatment(&facts, &main, &PictureSettings::default())?;
        let watch = StillWatch::new(requests, (treatment, &stream), length)?;
        sink.event(&Event::Stage { name: "stills" });
        let all = read_stills(path, main.index, watch, cancel)?;
        let reports = made(&files, all)?;
        for (file, report) in files.into_iter().zip(&reports) {
            file.publish()?;
            sink.event(&Event::Finished { output: report.path.display().to_string(), bytes: report.bytes });
        }
        Ok(reports)
    })
    .map_err(|e| if e.file().is_some() { e } else { e.with_file(input) })
}

/// Shows `watch` what it needs of a stream.
///
/// # Errors
/// `Input` where no picture can be decoded; `Unsupported`; `Interrupted`.
pub(crate) fn read_stills(
    path: &Path,
    stream: usize,
    mut watch: StillWatch,
    cancel: &CancelToken,
) -> Result<Vec<MadeStill>> {
    let open = || Pictures::open(path, |_| Some(stream), decoder_options(), cancel);
    let Some(spans) = watch.spans().map(joined) else {
        let mut pictures = open()?;
        read(&mut pictures, f64::INFINITY, &mut watch, cancel)?;
        return watch.finish();
    };
    let mut pictures = open()?;
    let end = spans.last().map_or(0.0, |span| span.1);
    for (number, (from, to)) in spans.into_iter().enumerate() {
        let target = from - LEAD_S;
        if number == 0 && target <= 0.0 {
            read(&mut pictures, to, &mut watch, cancel)?;
            continue;
        }
        let target = Timestamp::new((target.max(0.0) * 1e9) as i64, Rational::NANO);
        if pictures.seek(target).is_err() {
            // A source that cannot be sought in is read from its start.
            pictures = open()?;
            watch.jump()?;
            read(&mut pictures, end, &mut watch, cancel)?;
            break;
        }
        watch.jump()?;
        read(&mut pictures, to, &mut watch, cancel)?;
    }
    watch.finish()
}

/// Gives pictures on until one is after `to`. A film that breaks off ends there.
fn read(pictures: &mut Pictures, to: f64, watch: &mut StillWatch, cancel: &CancelToken) -> Result<()> {
    loop {
        cancel.check()?;
        match pictures.next() {
            Ok(Some(frame)) => {
                let after = frame.pts.as_secs_f64() > to;
                watch.push(frame)?;
                if after {
                    return Ok(());
                }
            }
            Ok(None) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Input => {
                tracing::warn!(%error, "stills");
                return Ok(());
            }
            Err(error) => return Err::<(), Error>(error),
        }
    }
}

/// Spans in their order, those that are near to each other as one.
fn joined(spans: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let mut out: Vec<(f64, f64)> = Vec::new();
    for (from, to) in spans {
        match out.last_mut() {
            Some(last) if from - last.1 <= NEAR_S => last.1 = last.1.max(to),
            _ => out.push((from, to)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_that_are_near_are_one() {
        assert_eq!(joined(vec![(0.0, 1.0), (0.5, 0.7), (3.0, 4.0), (20.0, 21.0)]), [(0.0, 4.0), (20.0, 21.0)]);
        assert!(joined(Vec::new()).is_empty());
    }
}
