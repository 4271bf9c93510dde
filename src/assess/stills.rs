//! The worst pictures of a file beside the reference's, small: decoded once more, because scores come after pictures.
#![deny(unsafe_code)]

use std::path::Path;

use super::metric::QualityMetric;
use super::options::AssessOptions;
use super::pairing::PairedFilm;
use super::report::{Thumbnail, WorstPicture};
use crate::av::{DecoderOptions, RgbConverter};
use crate::base::{CancelToken, Error, ErrorKind, Result, Timestamp};
use crate::media::StreamInfo;
use crate::plan::main_video;
use crate::source::{PicturePlace, Pictures, Source};
use crate::stages::treat::TreatedPictures;

/// The widest a small picture is, in samples.
const WIDTH: u32 = 400;

/// Worst pictures are no nearer to each other than this, in seconds: neighbours look the same.
const APART_S: f64 = 1.0;

/// The worst pictures of the file, by VMAF where that was measured, else by the first metric that was.
///
/// # Errors
/// `Input` and `Unsupported` where a picture cannot be decoded again; `Interrupted`.
pub(super) fn worst_pictures(
    (reference, file, main): (&Path, &Path, &StreamInfo),
    paired: &PairedFilm,
    options: &AssessOptions,
    cancel: &CancelToken,
) -> Result<Vec<WorstPicture>> {
    let Some((metric, scores)) = paired.scores.iter().next() else { return Ok(Vec::new()) };
    let worst = worst_places(*metric, scores, options, |at| paired.times[at].1.as_secs_f64());
    let stream = main_stream(reference, cancel)?;
    let mut out = Vec::new();
    for (at, score) in worst {
        cancel.check()?;
        let index = at as u64;
        let (of_reference, of_file) = paired.times[at];
        let before = at.checked_sub(1).map(|at| paired.times[at].0);
        let place = PicturePlace { stream, start: of_reference, index, may_seek: true };
        let decoder = DecoderOptions::default();
        let treated = (decoder, paired.treatment);
        let mut pictures = TreatedPictures::open_at(reference, place, before, treated, cancel)?;
        let one = pictures.next()?.ok_or_else(|| gone(reference, of_reference))?;
        let place = PicturePlace { stream: main.index, start: of_file, index, may_seek: true };
        let other = Pictures::open_at(file, place, decoder, cancel)?.next()?.ok_or_else(|| gone(file, of_file))?;
        let height = (u64::from(other.height) * u64::from(WIDTH)).div_ceil(u64::from(other.width.max(1))) as u32;
        let size = if other.width > WIDTH { (WIDTH, height.max(1)) } else { (other.width, other.height) };
        let small = |frame| RgbConverter::new(Some(size)).convert(frame).map(Thumbnail::of);
        out.push(WorstPicture {
            index: at,
            at_s: of_file.as_secs_f64(),
            metric: *metric,
            score,
            reference: small(&one)?,
            file: small(&other)?,
        });
    }
    Ok(out)
}

/// Pictures by how bad they are, the worst first, some time apart: places among the pairs, and scores.
fn worst_places(
    metric: QualityMetric,
    scores: &[f32],
    options: &AssessOptions,
    time: impl Fn(usize) -> f64,
) -> Vec<(usize, f64)> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| match metric.more_is_better() {
        true => scores[*a].total_cmp(&scores[*b]),
        false => scores[*b].total_cmp(&scores[*a]),
    });
    let mut out: Vec<(usize, f64)> = Vec::new();
    for nth in order {
        if out.len() == options.worst {
            break;
        }
        let at = nth * options.stride as usize;
        if out.iter().all(|(other, _)| (time(*other) - time(at)).abs() >= APART_S) {
            out.push((at, f64::from(scores[nth])));
        }
    }
    out
}

fn main_stream(path: &Path, cancel: &CancelToken) -> Result<usize> {
    let source = Source::open(path, cancel)?;
    let missing = || Error::new(ErrorKind::Unsupported, "there is no video stream in it").with_file(path);
    main_video(source.info()).ok_or_else(missing)
}

fn gone(path: &Path, at: Timestamp) -> Error {
    Error::new(ErrorKind::Input, "a picture that was decoded before is there no more").at(at).with_file(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_pictures_are_apart_and_in_order() {
        let options = AssessOptions { worst: 3, stride: 3, ..AssessOptions::default() };
        let scores = [90.0, 20.0, 10.0, 80.0, 70.0, 60.0, 95.0, 50.0];
        // Three pictures a score, ten pictures a second.
        let found = worst_places(QualityMetric::Vmaf, &scores, &options, |at| at as f64 / 10.0);
        assert_eq!(
            found,
            [(6, 10.0), (21, 50.0)],
            "at 0.6 and 2.1 s; all others are nearer than a second to one of them"
        );
        let banding = worst_places(QualityMetric::Cambi, &scores, &options, |at| at as f64);
        assert_eq!(banding.iter().map(|w| w.1).collect::<Vec<_>>(), [95.0, 90.0, 80.0]);
    }
}
