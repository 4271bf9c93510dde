//! A file read beside its reference, or alone, and what came of it.
#![deny(unsafe_code)]

use std::path::Path;

use super::film::{JudgedFilm, Watched, WatchedFilm};
use super::finding::{FindingKind, Judgement, QualityFinding};
use super::metric::{PooledMetric, QualityMetric};
use super::options::AssessOptions;
use super::pairing::{PairedFilm, Pairing, PairingRules, ReferenceFacts, treated_words};
use super::picture_findings::picture_findings;
use super::picture_watch::{LOOK, WatchedPictures};
use super::report::{
    AbsentMetric, AssessedPicture, AssessedReference, AssessedSeries, AssessedSound, Assessment, PictureMeans,
    REPORT_VERSION,
};
use super::series::secs;
use super::stills::worst_pictures;
use crate::base::{CancelToken, Error, ErrorKind, Result};
use crate::media::StreamInfo;
use crate::meter::Model;
use crate::plan::Fields;
use crate::source::{Pictures, looked_at};

/// Looks at the pictures and the sound of `file` and judges them; with a `reference`, by metrics as well.
///
/// Each file is decoded once for all of it. Pictures are paired by their order, never by timestamps; the reference is
/// deinterlaced, cropped and scaled as the file says that it was made.
///
/// # Errors
/// `Input` and `Unsupported` for files that cannot be read or compared, `Usage` for options that are wrong; `Interrupted`.
/// What is wrong with the file is no error.
pub fn assess(
    reference: Option<&Path>,
    file: &Path,
    options: &AssessOptions,
    cancel: &CancelToken,
) -> Result<Assessment> {
    let rules = options.rules(1)?;
    looked_at(file, cancel, |file| match reference {
        None => alone(file, options, cancel),
        Some(reference) => {
            looked_at(reference, cancel, |reference| beside(reference, file, rules.clone(), options, cancel))
        }
    })
}

fn alone(file: &Path, options: &AssessOptions, cancel: &CancelToken) -> Result<Assessment> {
    let mut film = JudgedFilm::open(file, Watched::All { banding: true }, cancel)?;
    while film.next()?.is_some() {}
    let watched = film.finish(&options.thresholds).map_err(|e| e.with_file(file))?;
    Ok(report(file, watched, None, options))
}

fn beside(
    reference: &Path,
    file: &Path,
    rules: PairingRules,
    options: &AssessOptions,
    cancel: &CancelToken,
) -> Result<Assessment> {
    let banding = !options.metrics.contains(&QualityMetric::Cambi);
    let film = JudgedFilm::open(file, Watched::All { banding }, cancel)?;
    let mut compared = Compared::open(reference, vec![(file, film)], &rules, cancel)?;
    compared.run(cancel)?;
    let (film, paired) = compared.finish()?.remove(0);
    let watched = film.finish(&options.thresholds).map_err(|e| e.with_file(file))?;
    let main = watched.main.clone();
    let mut report = report(file, watched, Some((reference, &paired)), options);
    if let (true, Some(main)) = (options.worst > 0, main) {
        report.worst = worst_pictures((reference, file, &main), &paired, options, cancel)?;
    }
    Ok(report)
}

/// Files read in step with their reference, which is decoded once for all of them.
pub(super) struct Compared<'a> {
    reference: Pictures,
    path: &'a Path,
    files: Vec<(&'a Path, JudgedFilm, Pairing)>,
}

impl<'a> Compared<'a> {
    /// Opens the reference for files that were opened.
    ///
    /// # Errors
    /// `Input` and `Unsupported` for files that cannot be read, or have no pictures.
    pub(super) fn open(
        path: &'a Path,
        films: Vec<(&'a Path, JudgedFilm)>,
        rules: &PairingRules,
        cancel: &CancelToken,
    ) -> Result<Self> {
        let no_pictures = |file: &Path| {
            Error::new(ErrorKind::Unsupported, "there are no pictures in it to be compared").with_file(file)
        };
        let mains: Vec<StreamInfo> = films
            .iter()
            .map(|(file, film)| film.main().cloned().ok_or_else(|| no_pictures(file)))
            .collect::<Result<_>>()?;
        let facts = ReferenceFacts::look(path, &mains.iter().collect::<Vec<_>>(), cancel)?;
        let stream = facts.main.index;
        let options = crate::av::DecoderOptions { threads: 0, ..Default::default() };
        let reference = Pictures::open(path, |_| Some(stream), options, cancel)?;
        let files = films.into_iter().zip(&mains).map(|((file, film), main)| {
            let treatment = facts.treatment(file, main, cancel).map_err(|e| e.with_file(path))?;
            Ok((file, film, Pairing::new(rules.clone(), treatment)))
        });
        Ok(Compared { reference, path, files: files.collect::<Result<_>>()? })
    }

    /// Reads all files to their ends.
    ///
    /// # Errors
    /// As of [`Pairing::push`].
    pub(super) fn run(&mut self, cancel: &CancelToken) -> Result<()> {
        while let Some(frame) = self.reference.next().map_err(|e| e.with_file(self.path))? {
            cancel.check()?;
            for (file, film, pairing) in &mut self.files {
                pairing.push(frame.clone(), film).map_err(|e| e.with_file(file))?;
            }
        }
        Ok(())
    }

    /// What the pairs of each file came to.
    ///
    /// # Errors
    /// As of [`Pairing::finish`].
    pub(super) fn finish(self) -> Result<Vec<(JudgedFilm, PairedFilm)>> {
        let done = self.files.into_iter().map(|(file, mut film, pairing)| {
            let paired = pairing.finish(&mut film).map_err(|e| e.with_file(file))?;
            Ok((film, paired))
        });
        done.collect()
    }
}

/// What metrics come to.
pub(super) fn pooled(paired: &PairedFilm, stride: u32) -> Vec<PooledMetric> {
    let one = |(metric, scores): (&QualityMetric, &Vec<f32>)| {
        let pooled = PooledMetric::of(*metric, stride, scores)?;
        let model = paired.model.filter(|_| *metric == QualityMetric::Vmaf).map(Model::name);
        Some(PooledMetric { model, relative: paired.relative(*metric), ..pooled })
    };
    paired.scores.iter().filter_map(one).collect()
}

fn report(
    file: &Path,
    film: WatchedFilm,
    reference: Option<(&Path, &PairedFilm)>,
    options: &AssessOptions,
) -> Assessment {
    let WatchedFilm { main, pictures, sounds, frames, coded_bytes, mut findings, mut notes, container } = film;
    let mut series = AssessedSeries { stride: options.stride, looked_every: LOOK, ..AssessedSeries::default() };
    let mut ends = None;
    let picture = main.as_ref().map(|main| {
        let picture = assessed_picture(main, pictures.as_ref(), frames, coded_bytes);
        if let Some(watched) = pictures {
            ends = Some(secs(watched.series.end));
            findings.extend(picture_findings(&watched.series, &options.thresholds));
            findings.extend(watched.findings);
            notes.extend(watched.notes);
            fill(&mut series, watched.series);
        }
        picture
    });
    let mut sound = Vec::new();
    for (stream, heard) in sounds {
        findings.extend(heard.findings);
        findings.extend(ends_apart(ends, heard.span, stream.index));
        notes.extend(heard.notes.into_iter().map(|note| format!("stream {}: {note}", stream.index)));
        sound.push(AssessedSound {
            stream: stream.index,
            codec: stream.codec,
            layout: stream.audio.map_or(String::new(), |audio| audio.layout),
            language: stream.language,
            loudness: heard.loudness,
            correlation: heard.correlation,
            peaks: heard.peaks,
            span_s: heard.span,
        });
    }
    let (mut metrics, mut absent) = (Vec::new(), Vec::new());
    if let Some((_, paired)) = reference {
        metrics = pooled(paired, options.stride);
        absent = paired.absent.iter().map(|(metric, why)| AbsentMetric { metric: *metric, why: why.clone() }).collect();
        findings.extend(length_finding(paired));
        series.metrics = paired.scores.clone();
        if series.time_s.is_empty() {
            series.time_s = paired.times.iter().map(|(_, at)| at.as_secs_f64()).collect();
        }
    }
    let mut report = Assessment {
        version: REPORT_VERSION,
        file: file.to_path_buf(),
        bytes: std::fs::metadata(file).map_or(0, |found| found.len()),
        container,
        verdict: Judgement::Pass,
        reference: reference.map(|(path, paired)| AssessedReference {
            file: path.to_path_buf(),
            treatment: treated_words(&paired.treatment),
            pairs: paired.times.len() as u64,
            missing: paired.missing,
            extra: paired.extra,
        }),
        picture,
        sound,
        metrics,
        absent,
        checks: Vec::new(),
        findings,
        notes,
        thresholds: options.thresholds.clone(),
        series,
        worst: Vec::new(),
    };
    report.judge();
    report
}

fn assessed_picture(
    main: &StreamInfo,
    watched: Option<&WatchedPictures>,
    frames: u64,
    coded_bytes: u64,
) -> AssessedPicture {
    let (width, height, bit_depth) = main.video.as_ref().map_or((0, 0, 0), |v| (v.width, v.height, v.bit_depth));
    let series = watched.map(|w| &w.series);
    let length = series.and_then(|s| Some(secs(s.end - s.times.first()?))).or(main.length_s()).unwrap_or(0.0);
    let mean = |values: &[f32], scale: f64| {
        let known: Vec<f64> = values.iter().filter(|v| v.is_finite()).map(|v| f64::from(*v)).collect();
        (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64 * scale)
    };
    AssessedPicture {
        stream: main.index,
        codec: main.codec.clone(),
        width,
        height,
        bit_depth,
        frames,
        duration_s: length,
        bit_rate: if length > 0.0 { coded_bytes as f64 * 8.0 / length } else { 0.0 },
        fields: watched.and_then(|w| w.fields).map(Fields::name),
        color: watched.and_then(|w| w.color.as_ref()).map(|said| said.color),
        cuts: series.map_or(0, |s| s.begins.iter().filter(|begins| **begins).count()),
        means: series.map_or(PictureMeans::default(), |s| PictureMeans {
            outside_percent: mean(&s.outside, 100.0),
            banding: mean(&s.banding, 1.0),
            blockiness: mean(&s.blockiness, 1.0),
            blur: mean(&s.blur, 1.0),
        }),
    }
}

fn fill(series: &mut AssessedSeries, measured: super::series::PictureSeries) {
    series.time_s = measured.times.iter().map(|at| secs(*at)).collect();
    series.cuts = (0..measured.begins.len()).filter(|at| measured.begins[*at]).collect();
    series.dark = measured.dark;
    series.outside = measured.outside;
    series.moved = measured.moved;
    series.banding = measured.banding;
    series.blockiness = measured.blockiness;
    series.blur = measured.blur;
}

fn ends_apart(picture: Option<f64>, sound: Option<(f64, f64)>, stream: usize) -> Option<QualityFinding> {
    let (picture, (_, sound)) = (picture?, sound?);
    let apart = (picture - sound).abs();
    let which = if sound < picture { "sound ends before the picture" } else { "the picture ends before sound" };
    let span = (picture.min(sound), picture.max(sound));
    let message = format!("{which}, by {apart:.2} s");
    Some(QualityFinding::new(FindingKind::EndsApart, Some(span), apart, message).of_stream(stream))
}

fn length_finding(paired: &PairedFilm) -> Option<QualityFinding> {
    let message = match (paired.missing, paired.extra) {
        (0, 0) => return None,
        (missing, 0) => format!("it ends {missing} pictures before the reference"),
        (_, extra) => format!("it goes on for {extra} pictures after the reference"),
    };
    Some(QualityFinding::new(FindingKind::Length, None, (paired.missing + paired.extra) as f64, message))
}
