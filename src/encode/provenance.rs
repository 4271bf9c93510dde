//! What a file says of how its video track was made: decided once, before the file is written, and part of the description
//! that writer and verifier share.

use super::run::Run;
use super::searched::Searched;
use crate::base::{Rational, Result, Rounding};
use crate::config::{EncodeSettings, Quality, Target, parameters_text, settings};
use crate::container::provenance::{
    Provenance, ProvenanceChunk, ProvenancePiece, ProvenanceScore, ProvenanceTarget, parameters_said,
};
use crate::media::{Color, Crf, HdrStatic, Shown};
use crate::plan::Piece;
use crate::search::ChunkedFilm;
use crate::stages::spec::{encode_spec, factory, video_params};
use crate::store::job::ChunkRecord;

/// Groups of settings that decide how the picture looks.
const GROUPS: [&str; 3] = ["quality", "video", "picture"];

/// Of those the ones that do not, or that are said otherwise.
const OTHERS: [&str; 4] = ["quality.measure", "quality.crf", "quality.target_vmaf", "video.svt"];

impl Run<'_> {
    /// Adds to what the file says of its video track how that is made, unless that is to be left out; `chunked` is the
    /// picture, where it had a target.
    ///
    /// # Errors
    /// As opening the encoder.
    pub(super) fn say_how_it_is_made(&mut self, chunked: Option<&ChunkedFilm>) -> Result<()> {
        if self.settings.no_provenance {
            return Ok(());
        }
        let tags = self.provenance(chunked)?.tags();
        let main = self.picture.stream.index;
        if let Some(track) = self.said.tracks.iter_mut().find(|t| t.stream == main) {
            track.tags.extend(tags);
        }
        Ok(())
    }

    fn provenance(&self, chunked: Option<&ChunkedFilm>) -> Result<Provenance> {
        let (width, height) = self.picture.treatment.size();
        // Colour is told by the track itself.
        let shown = Shown { width, height, color: Color::default(), hdr: HdrStatic::default() };
        let encoder = factory(self.settings)?;
        let spec = encode_spec(self.settings, &shown)?;
        let mut told = encoder.parameters(&spec, &video_params(self.picture.video()?, &shown))?;
        if chunked.is_some() {
            told.retain(|(name, _)| name != "crf");
        }
        Ok(Provenance {
            encoder: Some(encoder.version()),
            encoder_settings: Some(parameters_text(&parameters_said(&told))),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            settings: Some(parameters_text(&chosen(self.settings, spec.quality)?)),
            target: chunked.map(target),
            score: chunked.and_then(score),
            chunks: chunked.map(|film| self.chunks_said(film)),
            unreadable: Vec::new(),
        })
    }

    fn chunks_said(&self, film: &ChunkedFilm) -> Vec<ProvenanceChunk> {
        let start = self.info.start_kept(self.settings.keep_start);
        let mut next = 0;
        let chunk = |r: &ChunkRecord| {
            let first_frame = next;
            next += r.frames;
            let time = usize::try_from(first_frame).ok().and_then(|frame| film.film.times.get(frame));
            ProvenanceChunk {
                first_frame,
                frames: r.frames,
                // As the file has it: rounded once.
                start_ms: time
                    .map_or(0, |(pts, _)| pts.plus(start).rescale(Rational::MILLI, Rounding::Nearest).ticks()),
                crf: r.crf(),
                score: r.harmonic_mean,
                min: r.scores.iter().min().map_or(r.harmonic_mean, |s| f64::from(*s) / 100.0),
                pieces: if r.pieces.len() > 1 { r.pieces.iter().map(piece).collect() } else { Vec::new() },
            }
        };
        film.records.iter().map(chunk).collect()
    }
}

fn piece(piece: &Piece) -> ProvenancePiece {
    ProvenancePiece { from: piece.from, crf: piece.crf }
}

/// What quality was asked for, and what other settings of the picture are not as by default.
fn chosen(given: &EncodeSettings, crf: Crf) -> Result<Vec<(String, String)>> {
    let pair = |key: &str, value: String| (key.to_owned(), value);
    let default = EncodeSettings { quality: as_default(&given.quality), ..EncodeSettings::new("", "") };
    let mut out = vec![match &given.quality {
        Quality::Target(target) => pair("target_vmaf", target.vmaf.to_string()),
        Quality::Crf(_) => pair("crf", crf.to_string()),
    }];
    for setting in settings().iter().filter(|s| GROUPS.contains(&s.group()) && !OTHERS.contains(&s.name)) {
        let value = given.get(setting.name)?;
        if let Some(value) = value.filter(|value| default.get(setting.name).ok().flatten().as_ref() != Some(value)) {
            out.push(pair(setting.key, value));
        }
    }
    if given.sequence {
        out.push(pair("frame_rate", given.frame_rate.to_string()));
    }
    if !given.svt.is_empty() {
        out.push(pair("svt", parameters_text(&parameters_said(&given.svt))));
    }
    Ok(out)
}

/// The default of the same kind.
fn as_default(quality: &Quality) -> Quality {
    match quality {
        Quality::Target(_) => Quality::Target(Target::default()),
        Quality::Crf(_) => Quality::Crf(None),
    }
}

fn target(film: &ChunkedFilm) -> ProvenanceTarget {
    ProvenanceTarget {
        vmaf: film.target.vmaf,
        tolerance: film.target.tolerance,
        per: film.target.per.name().to_owned(),
        stride: film.stride.get(),
        model: film.model.name().to_owned(),
    }
}

/// The numbers of the report.
fn score(film: &ChunkedFilm) -> Option<ProvenanceScore> {
    let quality = Searched { film }.quality();
    Some(ProvenanceScore {
        harmonic_mean: quality.harmonic_mean?,
        mean: quality.mean?,
        p5: quality.p5?,
        min: quality.min?,
        worst_chunk: quality.worst_chunk?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(given: &EncodeSettings) -> String {
        parameters_text(&chosen(given, Crf::whole(25).unwrap()).unwrap())
    }

    #[test]
    fn settings_that_are_not_as_by_default_are_said_and_no_paths() {
        let mut given = EncodeSettings::new("/home/me/film.mkv", "/srv/film.mkv");
        given.temp_dir = Some("/var/tmp".into());
        assert_eq!(said(&given), "target_vmaf=93");
        for (name, value) in [
            ("video.preset", "4"),
            ("quality.per", "title"),
            ("video.film_grain", "8"),
            ("video.svt", "tune=1:stats=/home/me/x:sharpness=2"),
            ("picture.crop", "off"),
        ] {
            given.set(name, value).unwrap();
        }
        let found = said(&given);
        assert_eq!(
            found,
            r"target_vmaf=93:per=title:preset=4:crop=off:film_grain=8:svt=tune=1\:stats=(file)\:sharpness=2"
        );
        given.set("quality.crf", "30").unwrap();
        // A fixed CRF is said as it was used, also where it was the encoder's default.
        assert!(said(&given).starts_with("crf=25:preset=4:"), "{}", said(&given));
    }
}
