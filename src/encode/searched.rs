//! What a search for a target came to, as the report has it.

use crate::config::Per;
use crate::media::Transfer;
use crate::meter::Pooled;
use crate::plan::Clamp;
use crate::report::{ChunkReport, QualityReport};
use crate::search::ChunkedFilm;
use crate::store::job::ChunkRecord;

/// A film whose chunks were searched, to be reported.
#[derive(Clone, Copy)]
pub(super) struct Searched<'a> {
    pub(super) film: &'a ChunkedFilm,
}

impl Searched<'_> {
    pub(super) fn quality(&self) -> QualityReport {
        let scores = self.pooled();
        let frames: u64 = self.film.records.iter().map(|r| r.frames).sum();
        let weighted = |value: fn(&ChunkRecord) -> f64| {
            self.film.records.iter().map(|r| value(r) * r.frames as f64).sum::<f64>() / (frames as f64).max(1.0)
        };
        let encoded: u64 =
            self.film.records.iter().map(|r| r.tries.iter().map(|t| t.frames).sum::<u64>().max(r.frames)).sum();
        QualityReport {
            mode: self.film.target.per.name(),
            crf: weighted(ChunkRecord::crf),
            target: Some(self.film.target.vmaf),
            tolerance: Some(self.film.target.tolerance),
            worst_chunk: self.film.records.iter().map(|r| r.harmonic_mean).min_by(f64::total_cmp),
            encodes_a_chunk: Some(encoded as f64 / (frames as f64).max(1.0)),
            encodes_made: Some(self.film.encodes.0),
            encodes_remembered: Some(self.film.encodes.1),
            relative: self.relative(),
            mean: scores.map(|s| s.mean),
            harmonic_mean: scores.map(|s| s.harmonic_mean),
            p5: scores.map(|s| s.p5),
            min: scores.map(|s| s.min),
            stride: Some(self.film.stride.get()),
            model: Some(self.film.model.name().to_owned()),
        }
    }

    fn pooled(&self) -> Option<Pooled> {
        let scored = self.film.records.iter().flat_map(|r| scores(r).map(|score| (score, r.stride)));
        over_all_frames(scored)
    }

    fn relative(&self) -> Option<&'static str> {
        let transfer = self.film.film.shown.map(|s| s.color.transfer)?;
        [Transfer::PQ, Transfer::HLG].contains(&transfer).then_some("VMAF has no model for HDR")
    }

    pub(super) fn chunks(&self) -> Vec<ChunkReport> {
        let report = |r: &ChunkRecord| ChunkReport {
            index: r.chunk,
            start_pts: r.start_s,
            frames: r.frames,
            crf: r.crf(),
            attempts: r.tries.len() as u32,
            bytes: r.bytes,
            vmaf: Some(r.harmonic_mean),
            ceiling: r.ceiling,
            note: r.clamp.map(|clamp| self.note(r, clamp)),
            pieces: if r.pieces.len() > 1 { r.pieces.clone() } else { Vec::new() },
            tries: r.tries.clone(),
            stride: Some(r.stride),
            scores: scores(r).collect(),
        };
        self.film.records.iter().map(report).collect()
    }

    fn note(&self, r: &ChunkRecord, clamp: Clamp) -> String {
        let (crf, score) = (r.crf(), r.harmonic_mean);
        match clamp {
            Clamp::Above => format!("better than asked for even at CRF {crf}: {score:.2}"),
            Clamp::Below => format!("the target cannot be met: CRF {crf} scores {score:.2}"),
            Clamp::Ceiling => {
                let ceiling = r.ceiling.unwrap_or(0.0);
                format!("the source against itself scores {ceiling:.2}, so {:.2} was aimed at", r.aim)
            }
            Clamp::BetweenSteps => format!("no CRF lies nearer to the target than {crf}: {score:.2}"),
            Clamp::Missed => format!("{} tries did not land nearer to {:.2} than {score:.2}", r.tries.len(), r.aim),
        }
    }

    /// What the user should know of chunks that are worse than asked for.
    pub(super) fn warnings(&self) -> Vec<String> {
        let (aim, tolerance) = (self.film.target.vmaf, self.film.target.tolerance);
        let mut of_title = Vec::new();
        if self.film.target.per.is_title() {
            let score = self.pooled().map_or(0.0, |s| s.harmonic_mean);
            let miss = (score - aim).abs() > tolerance;
            let message = || format!("the title scores {score:.2}, which is not within {tolerance} of {aim}");
            of_title.extend(miss.then(message));
        }
        let least = match self.film.target.per {
            Per::Chunk => aim - tolerance,
            Per::Title => self.film.target.floor().unwrap_or(0.0),
            Per::TitleCrf | Per::Samples => return of_title,
        };
        let low = |r: &&ChunkRecord| r.harmonic_mean < least;
        let chunk = |r: &ChunkRecord| {
            let note = r.clamp.map_or(String::new(), |clamp| format!(": {}", self.note(r, clamp)));
            format!("chunk {} at {:.1} s scores {:.2}{note}", r.chunk, r.start_s, r.harmonic_mean)
        };
        let mut warnings: Vec<String> = self.film.records.iter().filter(low).map(chunk).collect();
        let further = warnings.len().saturating_sub(NAMED);
        if further > 0 {
            warnings.truncate(NAMED);
            warnings.push(format!("{further} further chunks are below it; the report names them"));
        }
        of_title.into_iter().chain(warnings).collect()
    }
}

/// Chunks below the target that are named one by one.
const NAMED: usize = 5;

/// Pools scores, each with every how many-th frame of its chunk was scored: it stands for those up to the next.
fn over_all_frames(scored: impl Iterator<Item = (f64, u32)>) -> Option<Pooled> {
    Pooled::of(scored.flat_map(|(score, stride)| std::iter::repeat_n(score, stride as usize)))
}

fn scores(record: &ChunkRecord) -> impl Iterator<Item = f64> {
    record.scores.iter().map(|&s| f64::from(s) / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_of_which_every_frame_is_scored_counts_no_more_than_others() {
        let rough = std::iter::repeat_n((90.0, 1), 300);
        let others = std::iter::repeat_n((96.0, 3), 100);
        let pooled = over_all_frames(rough.chain(others)).unwrap();
        assert!((pooled.mean - 93.0).abs() < 1e-9, "{}", pooled.mean);
    }
}
