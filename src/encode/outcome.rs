//! The report of a run that ended well.

use std::path::Path;
use std::time::Duration;

use super::run::{Findings, Run};
use super::searched::Searched;
use super::usage::{Stopwatch, of_this_process};
use crate::av::PictureSequence;
use crate::config::DolbyVisionMode;
use crate::container::Format;
use crate::container::mp4::tags::placed;
use crate::event::Event;
use crate::flow::StageReport;
use crate::media::{Matrix, Rect};
use crate::report::{
    ChunkReport, DolbyVisionReport, FileReport, QualityReport, Report, StreamReport, ToneReport, VideoReport,
};
use crate::search::ChunkedFilm;
use crate::stages::spec::factory;
use crate::stages::treat::dolby_vision;
use crate::stages::versions;
use crate::verify::Verification;

/// What is said of sound whose channels were added up or left out, also in a part of it only.
const DOWNMIXED: &str = "channels were mixed down";

impl Run<'_> {
    pub(crate) fn report(
        &self,
        findings: Findings,
        stages: Vec<StageReport>,
        verification: Verification,
        clock: &Stopwatch,
        encode_time: Duration,
        chunked: Option<&ChunkedFilm>,
    ) -> Report {
        let size = |path: &Path| std::fs::metadata(path).map_or(0, |m| m.len());
        let input_bytes = PictureSequence::read(self.settings.source())
            .map_or_else(|| size(self.settings.source()), |pictures| pictures.bytes());
        let output_bytes = findings.mux.bytes;
        let duration = findings.mux.duration.as_secs_f64();
        let frames = findings.video.as_ref().map_or(0, |v| v.times.len() as u64);
        let mut warnings = findings.warnings.clone();
        let unread = self.info.unread.iter();
        warnings.extend(unread.map(|why| format!("what only the source's container itself says is not kept: {why}")));
        warnings.extend(self.container_warnings(&findings));
        warnings.extend(self.audio_warnings(&findings));
        warnings.extend(self.picture_warnings(&findings));
        let searched = chunked.map(|film| Searched { film });
        warnings.extend(searched.map(|s| s.warnings()).unwrap_or_default());
        for message in &warnings {
            self.sink.event(&Event::Warning { message: message.clone() });
        }
        let (wall, cpu_s) = (clock.wall(), clock.cpu_s());
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Report {
            input: FileReport {
                path: self.settings.input.clone(),
                bytes: input_bytes,
                duration_s: self.info.duration_s.filter(|_| findings.demux.jumps == 0).unwrap_or(findings.demux.end_s),
                frames: findings.decode.stats.frames,
            },
            output: FileReport {
                path: self.settings.output.clone(),
                bytes: output_bytes,
                duration_s: duration,
                frames,
            },
            reduction_percent: reduction(input_bytes, output_bytes),
            video: self.video_report(&findings),
            streams: self
                .decisions
                .iter()
                .map(|d| StreamReport {
                    decision: d.clone(),
                    audio: findings.audio.get(&d.index).and_then(|a| a.stats),
                })
                .collect(),
            captions: Vec::new(),
            samples: None,
            loudness: Vec::new(),
            quality: searched.map_or_else(|| quality(&findings), |s| s.quality()),
            chunks: searched.map_or_else(|| chunks(&findings), |s| s.chunks()),
            stages,
            decode: findings.decode.stats,
            frame_pool: findings.pool,
            peak_memory_bytes: of_this_process().peak_memory_bytes,
            wall_s: wall.as_secs_f64(),
            cpu_s,
            cores,
            utilisation: cpu_s.map(|cpu| cpu / (wall.as_secs_f64() * cores as f64).max(1e-9)),
            encode_fps: (frames - chunked.map_or(0, |c| c.resumed).min(frames)) as f64
                / encode_time.as_secs_f64().max(1e-9),
            verification,
            warnings,
            stills: Vec::new(),
            others: Vec::new(),
            settings: self.settings.clone(),
            versions: versions(),
        }
    }

    /// What the file says less than its source because of its format.
    fn container_warnings(&self, findings: &Findings) -> Vec<String> {
        match self.format {
            Format::Mp4 => {}
            Format::MpegTs => return self.said.lost_in_broadcast(&self.picture.stream),
            _ => return Vec::new(),
        }
        let mut out = Vec::new();
        let tracks = self.said.tracks.iter().zip(&findings.mux.tracks);
        for (said, _) in tracks.filter(|(_, written)| written.frames == 0) {
            out.push(format!("MP4 holds no empty tracks: that of stream {} is not in it", said.stream));
        }
        let (_, mut lost) = placed(&self.said.tags);
        // Those with targets say who is meant, which MP4 does not.
        lost.extend(self.said.tag_entries.iter().flat_map(|entry| &entry.tags).map(|tag| tag.name.clone()));
        if !lost.is_empty() {
            out.push(format!("MP4 has no place for these tags: {}", lost.join(", ")));
        }
        if !self.said.editions.is_empty() {
            out.push("MP4 keeps a plain list of chapters: what editions say beyond it is not kept".to_owned());
        }
        out
    }

    fn audio_warnings(&self, findings: &Findings) -> Vec<String> {
        let mut out = Vec::new();
        for (stream, audio) in &findings.audio {
            let mut say = |what: String| out.push(format!("audio stream {stream}: {what}"));
            if audio.damaged_packets > 0 {
                say(format!("{} packets cannot be decoded", audio.damaged_packets));
            }
            if audio.skipped_packets > 0 {
                say(format!("{} packets before the start of the film are left out", audio.skipped_packets));
            }
            let Some(stats) = audio.stats else { continue };
            if stats.format_changes > 0 {
                let times = if stats.format_changes == 1 { "once" } else { "several times" };
                say(format!("the sound changes its format (channels, rate or sample type) {times}"));
            }
            if stats.downmixed {
                say(DOWNMIXED.to_owned());
            }
            if stats.frames == 0 {
                say("there is no sound in it; the track is empty".to_owned());
            }
            if stats.gaps + stats.overlaps > 0 {
                say(format!(
                    "{} gaps were filled with {:.2} s of silence and {} overlaps cut by {:.2} s",
                    stats.gaps,
                    stats.inserted_samples as f64 / f64::from(stats.sample_rate),
                    stats.overlaps,
                    stats.trimmed_samples as f64 / f64::from(stats.sample_rate)
                ));
            }
        }
        out
    }

    fn video_report(&self, findings: &Findings) -> VideoReport {
        let stream = self.video();
        let info = stream.and_then(|s| s.video.as_ref());
        let v = findings.video.as_ref();
        let (width, height) = v.map_or((0, 0), |v| (v.width, v.height));
        let treatment = &self.picture.treatment;
        let (source_width, source_height) = treatment.source;
        let cropped = treatment.crop != Rect::whole(source_width, source_height);
        let color = v.map(|v| v.color).unwrap_or_default();
        VideoReport {
            width,
            height,
            source_width,
            source_height,
            fields: self.picture.fields.name(),
            deinterlaced: treatment.deinterlace.is_some(),
            bit_depth: treatment.depth,
            crop: cropped.then(|| treatment.crop.to_string()),
            frame_rate: info.and_then(|i| i.frame_rate).map(|r| r.to_string()),
            sample_aspect_ratio: v.and_then(|v| v.sample_aspect_ratio).map(|r| r.to_string()),
            rotation: v.map_or(0, |v| v.rotation),
            color,
            implied_color: (!color.primaries.is_specified() && !color.matrix.is_specified())
                .then(|| Matrix::implied(width, height).name()),
            hdr_kind: if treatment.tone.is_some() { "SDR" } else { self.facts.hdr_kind() },
            tonemap: treatment.tone.map(|tone| ToneReport {
                source: self.facts.hdr_kind(),
                curve: tone.curve.name(),
                peak: tone.peak,
            }),
            hdr: v.map(|v| v.hdr).unwrap_or_default(),
            dolby_vision: self.dolby_vision_report(findings),
            hdr10_plus_frames: findings.carried.hdr10_plus,
            source_codec: stream.map(|s| s.codec.clone()).unwrap_or_default(),
            decoder: findings.decode.decoder.clone(),
            codec: factory(self.settings).map_or("av1", |f| f.traits().codec),
        }
    }

    fn dolby_vision_report(&self, findings: &Findings) -> Option<DolbyVisionReport> {
        let source = self.picture.dolby_vision?;
        let video = self.picture.stream.video.as_ref();
        let output = video.and_then(|v| dolby_vision(&self.picture.treatment, v));
        Some(DolbyVisionReport {
            source: source.name(),
            layers: source.layers(),
            output: output.map(|(_, compatibility)| format!("10.{compatibility}")),
            level: output.map(|(level, _)| level),
            frames: findings.carried.dolby_vision,
        })
    }

    /// What of the picture could not be carried, or was changed without being asked.
    fn picture_warnings(&self, findings: &Findings) -> Vec<String> {
        let mut out = self.picture.warnings.clone();
        let (decode, carried) = (&findings.decode.stats, &findings.carried);
        let sdr = self.picture.treatment.tone.is_some();
        let lost = decode.hdr10_plus_frames.saturating_sub(carried.hdr10_plus);
        if lost > 0 && !sdr {
            out.push(format!("HDR10+ metadata of {lost} pictures cannot be read or written and is not carried"));
        }
        let frames = decode.frames.saturating_sub(carried.dolby_vision);
        if let (Some(loss), 1..) = (&carried.first_loss, frames) {
            out.push(format!("Dolby Vision metadata of {frames} pictures is not carried; the first: {loss}"));
        }
        let astray = decode.dolby_vision_rpus.saturating_sub(decode.dolby_vision_frames);
        let dropped = sdr || self.settings.picture.dolby_vision == DolbyVisionMode::Strip;
        if astray > 0 && !dropped {
            out.push(format!("{astray} Dolby Vision RPUs of the source belong to no picture that was decoded"));
        }
        let unforeseen = if self.picture.dolby_vision.is_none() { decode.dolby_vision_frames } else { 0 };
        if unforeseen > 0 && !dropped {
            out.push(format!(
                "Dolby Vision metadata of {unforeseen} pictures is not carried: the first pictures have none"
            ));
        }
        let treatment = &self.picture.treatment;
        let (width, height) = treatment.source;
        if (width % 2, height % 2) != (0, 0) && treatment.crop == Rect::whole(width, height).even() {
            let crop = treatment.crop;
            out.push(format!(
                "the picture was cut from {width}x{height} to {}x{}: 4:2:0 needs even sizes",
                crop.width, crop.height
            ));
        }
        if carried.resized > 0 {
            let ((width, height), resized) = (treatment.source, carried.resized);
            out.push(format!("{resized} pictures of another size are scaled to {width}x{height}"));
        }
        out.extend(decode.hardware_fallback.clone());
        out.extend(factory(self.settings).map(|encoder| encoder.notes()).unwrap_or_default());
        out.extend(time_warnings(findings));
        if decode.caption_frames > 0 && !self.settings.extract_captions {
            let frames = decode.caption_frames;
            out.push(format!(
                "closed captions are embedded in {frames} pictures and not carried; --extract-captions writes them"
            ));
        }
        out
    }
}

fn time_warnings(findings: &Findings) -> Vec<String> {
    let mut out = Vec::new();
    let decode = &findings.decode.stats;
    if decode.synthesised_timestamps > 0 {
        out.push(format!(
            "{} pictures have no time in the source and follow its frame rate",
            decode.synthesised_timestamps
        ));
    }
    if decode.repaired_timestamps > 0 {
        out.push(format!(
            "{} pictures had times that do not increase and were moved by a tick",
            decode.repaired_timestamps
        ));
    }
    out
}

fn quality(findings: &Findings) -> QualityReport {
    let scores = findings.scores.as_ref();
    QualityReport {
        mode: "crf",
        crf: findings.crf,
        target: None,
        tolerance: None,
        worst_chunk: None,
        encodes_a_chunk: None,
        encodes_made: None,
        encodes_remembered: None,
        relative: None,
        mean: scores.map(|s| s.mean),
        harmonic_mean: scores.map(|s| s.harmonic_mean),
        p5: scores.map(|s| s.p5),
        min: scores.map(|s| s.min),
        stride: scores.map(|s| s.stride.get()),
        model: scores.map(|s| s.metric.name().to_owned()),
    }
}

/// At a fixed CRF the film is one chunk.
fn chunks(findings: &Findings) -> Vec<ChunkReport> {
    let chunk = findings.video.as_ref().map(|v| ChunkReport {
        index: 0,
        start_pts: v.times.first().map_or(0.0, |t| t.as_secs_f64()),
        frames: v.times.len() as u64,
        crf: findings.crf,
        attempts: 1,
        bytes: v.bytes,
        vmaf: None,
        ceiling: None,
        note: None,
        pieces: Vec::new(),
        stride: None,
        tries: Vec::new(),
        scores: Vec::new(),
    });
    chunk.into_iter().collect()
}

fn reduction(input: u64, output: u64) -> f64 {
    if input == 0 { 0.0 } else { (1.0 - output as f64 / input as f64) * 100.0 }
}
