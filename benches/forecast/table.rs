//! The table of measured encodes: a line for each, fields between tabs.

use std::fmt;

use super::Fallible;

/// How a chunk was encoded and scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Way {
    pub preset: u8,
    pub depth: u8,
    pub crf_quarters: u16,
    pub stride: u32,
}

impl Way {
    /// From `preset:depth:crf:stride`.
    pub fn parse(text: &str) -> Fallible<Way> {
        let fields: Vec<&str> = text.split(':').collect();
        let [preset, depth, crf, stride] = fields[..] else {
            return Err(format!("{text} is no preset:depth:crf:stride").into());
        };
        let crf_quarters = (crf.parse::<f64>()? * 4.0).round() as u16;
        Ok(Way { preset: preset.parse()?, depth: depth.parse()?, crf_quarters, stride: stride.parse()? })
    }
}

/// One encode of one chunk.
#[derive(Clone, Debug)]
pub struct Row {
    pub version: String,
    pub film: String,
    pub chunk: usize,
    pub frames: u64,
    pub detail: f64,
    pub motion: f64,
    pub brightness: f64,
    pub way: Way,
    /// Harmonic mean of VMAF.
    pub score: f64,
    pub bytes: u64,
    /// Processor seconds of the encode, and of decoding and scoring it.
    pub cpu_s: f64,
    pub score_cpu_s: f64,
    /// Position of the first frame of each scene.
    pub scenes: Vec<usize>,
    /// Of every `stride`-th frame; the table that is kept has none.
    pub frame_scores: Vec<f64>,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row {
            version, film, chunk, frames, detail, motion, brightness, way, score, bytes, cpu_s, score_cpu_s, ..
        } = self;
        let Way { preset, depth, crf_quarters, stride } = way;
        let scenes: Vec<String> = self.scenes.iter().map(usize::to_string).collect();
        // Hundredths are what VMAF is worth.
        let scores: Vec<String> = self.frame_scores.iter().map(|s| format!("{s:.2}")).collect();
        write!(f, "{version}\t{film}\t{chunk}\t{frames}\t{detail:.5}\t{motion:.5}\t{brightness:.5}\t")?;
        write!(f, "{preset}\t{depth}\t{crf_quarters}\t{stride}\t{score:.4}\t{bytes}\t{cpu_s:.2}\t{score_cpu_s:.2}\t")?;
        write!(f, "{}\t{}", scenes.join(","), scores.join(","))
    }
}

impl Row {
    /// From a line.
    pub fn parse(line: &str) -> Fallible<Row> {
        let fields: Vec<&str> = line.split('\t').collect();
        let [
            version,
            film,
            chunk,
            frames,
            detail,
            motion,
            brightness,
            preset,
            depth,
            crf,
            stride,
            score,
            bytes,
            cpu_s,
            score_cpu_s,
            scenes,
            scores,
        ] = fields[..]
        else {
            return Err(format!("a line of {} fields: {line}", fields.len()).into());
        };
        Ok(Row {
            version: version.to_owned(),
            film: film.to_owned(),
            chunk: chunk.parse()?,
            frames: frames.parse()?,
            detail: detail.parse()?,
            motion: motion.parse()?,
            brightness: brightness.parse()?,
            way: Way {
                preset: preset.parse()?,
                depth: depth.parse()?,
                crf_quarters: crf.parse()?,
                stride: stride.parse()?,
            },
            score: score.parse()?,
            bytes: bytes.parse()?,
            cpu_s: cpu_s.parse()?,
            score_cpu_s: score_cpu_s.parse()?,
            scenes: scenes.split(',').map(str::parse).collect::<Result<_, _>>()?,
            frame_scores: scores.split(',').filter(|s| !s.is_empty()).map(str::parse).collect::<Result<_, _>>()?,
        })
    }
}
