//! How loud tracks are made: measured before the film is encoded, tried on the very encode, and measured again in the file.

use std::collections::BTreeMap;
use std::path::Path;

use crate::analyze::{at_once, hear, track_loudness};
use crate::audio::{AudioConfig, LevelTrial, LoudnessMeter, SoundMeter, SoundPlan};
use crate::base::{CancelToken, Error, ErrorKind, Result};
use crate::config::{EncodeSettings, LoudnessGroup};
use crate::event::{Event, Sink};
use crate::media::{MediaInfo, Sound, StreamInfo};
use crate::plan::{
    LOUDNESS_TOLERANCE, LateStream, LevelAim, LevelStep, Loudness, LoudnessTarget, MOST_GAIN, SoundLevel, TriedLevel,
    first_level, next_level,
};
use crate::report::LoudnessReport;
use crate::source::{AudioDecoder, Source};
use crate::stages::describe::FileDescription;
use crate::stages::streams::{StreamDecision, Task, in_track_order};

/// What is done to tracks, by source stream index, and what the report says of it.
#[derive(Clone, Debug, Default)]
pub(super) struct LevelledTracks {
    pub(super) levels: BTreeMap<usize, SoundLevel>,
    pub(super) reports: Vec<LoudnessReport>,
}

/// Tags that say what a player is to do to a track's loudness, which does not hold any more.
const GAIN_TAGS: [&str; 2] = ["R128_", "REPLAYGAIN_"];

impl LevelledTracks {
    /// What a file says of itself whose tracks are so loud.
    pub(super) fn said(&self, mut said: FileDescription) -> FileDescription {
        for track in said.tracks.iter_mut().filter(|track| self.levels.contains_key(&track.stream)) {
            let is_gain = |name: &str| GAIN_TAGS.iter().any(|gain| name.to_ascii_uppercase().starts_with(gain));
            track.tags.retain(|(name, _)| !is_gain(name));
        }
        said
    }

    /// Measures the tracks of a finished file, by another decoder than the trials'; what is not as it should be, in words.
    ///
    /// # Errors
    /// `Input` where the file cannot be read, `Verification` where a track is not in it, `Interrupted`.
    pub(super) fn measured(
        &self,
        file: &Path,
        decisions: &[StreamDecision],
        cancel: &CancelToken,
    ) -> Result<(Vec<LoudnessReport>, Vec<String>)> {
        let order: Vec<usize> =
            in_track_order(decisions).into_iter().filter(|d| d.codec_id().is_some()).map(|d| d.index).collect();
        let after = at_once(&self.reports, |report| {
            let place = order.iter().position(|stream| *stream == report.stream);
            track_loudness(file, place.ok_or_else(not_there)?, cancel)
        })?;
        let with_after =
            |(report, after): (&LoudnessReport, Loudness)| LoudnessReport { after: Some(after), ..report.clone() };
        let reports: Vec<_> = self.reports.iter().zip(after).map(with_after).collect();
        let complaints = reports.iter().filter_map(complaint).collect();
        Ok((reports, complaints))
    }
}

fn not_there() -> Error {
    Error::new(ErrorKind::Verification, "a track of sound is not in the file")
}

/// What tracks are measured with.
pub(super) struct Levelling<'a> {
    pub(super) settings: &'a EncodeSettings,
    pub(super) info: &'a MediaInfo,
    /// Streams that the source announces late.
    pub(super) late: &'a [LateStream],
    pub(super) decisions: &'a [StreamDecision],
    pub(super) sink: &'a dyn Sink,
    pub(super) cancel: &'a CancelToken,
}

/// A track that is encoded.
#[derive(Clone, Copy)]
struct LevelledTrack<'a> {
    stream: &'a StreamInfo,
    plan: &'a SoundPlan,
}

impl Levelling<'_> {
    /// Decides what is done to each track; nothing where no loudness is asked for. Reads the sound of the film alone.
    ///
    /// # Errors
    /// `Input` and `Unsupported` for sound that cannot be read, `Interrupted`.
    pub(super) fn level(&self) -> Result<LevelledTracks> {
        let Some((lufs, ceiling_dbtp)) = self.settings.loudness.target() else { return Ok(LevelledTracks::default()) };
        let target = LoudnessTarget { lufs, ceiling_dbtp };
        let tracks = self.tracks();
        if tracks.is_empty() {
            return Ok(LevelledTracks::default());
        }
        self.sink.event(&Event::Stage { name: "loudness" });
        let meters = at_once(&tracks, |track| self.measure(track))?;
        let programme = match self.settings.loudness.group {
            LoudnessGroup::Album => LoudnessMeter::loudness_of_all(&meters)?,
            LoudnessGroup::Track => None,
        };
        let before = meters.iter().map(LoudnessMeter::loudness).collect::<Result<Vec<_>>>()?;
        let measured: Vec<_> = tracks.into_iter().zip(before).collect();
        let settled = at_once(&measured, |(track, before)| self.settle(*track, *before, programme, target))?;
        let levels = settled.iter().filter_map(|(report, level)| Some((report.stream, (*level)?))).collect();
        Ok(LevelledTracks { levels, reports: settled.into_iter().map(|(report, _)| report).collect() })
    }

    fn tracks(&self) -> Vec<LevelledTrack<'_>> {
        let encoded = self.decisions.iter().filter_map(|decision| match &decision.task {
            Task::EncodeAudio(plan) => Some(LevelledTrack { stream: self.info.streams.get(decision.index)?, plan }),
            _ => None,
        });
        encoded.collect()
    }

    fn measure(&self, track: &LevelledTrack<'_>) -> Result<LoudnessMeter> {
        let mut meter = SoundMeter::new(track.plan, track.stream.start)?;
        self.hear(track, |sound| meter.push(sound))?;
        meter.finish()
    }

    fn hear(&self, track: &LevelledTrack<'_>, take: impl FnMut(Sound) -> Result<()>) -> Result<()> {
        let mut source = Source::open(self.settings.source(), self.cancel)?;
        source.expect(self.late);
        let mut decoder = AudioDecoder::of(source.input(), track.stream)?;
        hear(source, &mut decoder, track.stream.index, self.cancel, take)
    }

    /// The level of a track that is so loud, with others of a `programme` that is so loud.
    fn settle(
        &self,
        track: LevelledTrack<'_>,
        before: Loudness,
        programme: Option<f64>,
        target: LoudnessTarget,
    ) -> Result<(LoudnessReport, Option<SoundLevel>)> {
        let mut report = LoudnessReport {
            stream: track.stream.index,
            target_lufs: target.lufs,
            ceiling_dbtp: target.ceiling_dbtp,
            aim_lufs: target.lufs,
            before,
            after: None,
            gain_db: 0.0,
            limited: false,
            trials: 0,
            note: None,
        };
        let first = first_level(programme.or(before.integrated_lufs), before.true_peak_dbtp, target);
        let (Some(mut level), Some(own)) = (first, before.integrated_lufs) else {
            report.note = Some("there is nothing to be heard in it; it is left as it is".to_owned());
            return Ok((report, None));
        };
        // A track of a programme keeps its distance from the others.
        let true_peak_dbtp = before.true_peak_dbtp.unwrap_or(f64::NEG_INFINITY);
        let aim = LevelAim { lufs: own + level.gain_db, gain_db: level.gain_db, true_peak_dbtp };
        report.aim_lufs = aim.lufs;
        if level.gain_db >= MOST_GAIN {
            report.note = Some(format!("it is so soft that {MOST_GAIN} dB, the most that is added, do not do"));
        }
        // Also where no limiter works: Opus took 0.8 LU of short bursts of noise.
        let mut trials = Vec::new();
        loop {
            let tried = TriedLevel { level, found: self.try_level(&track, level)? };
            tracing::info!(stream = report.stream, ?tried, "loudness");
            trials.push(tried);
            match next_level(&trials, aim, target) {
                LevelStep::Keep => break,
                LevelStep::Again(next) => level = next,
                LevelStep::Miss(why) => {
                    report.note = Some(why);
                    break;
                }
            }
        }
        report.trials = trials.len() as u32;
        (report.gain_db, report.limited) = (level.gain_db, level.limit_dbtp.is_some());
        Ok((report, Some(level)))
    }

    fn try_level(&self, track: &LevelledTrack<'_>, level: SoundLevel) -> Result<Loudness> {
        let mut trial = LevelTrial::new(AudioConfig {
            plan: track.plan.clone(),
            source_rate: track.stream.audio.as_ref().map_or(48_000, |a| a.sample_rate),
            start: track.stream.start,
            level: Some(level),
        })?;
        self.hear(track, |sound| trial.push(sound))?;
        trial.finish()
    }
}

/// Decoders give the same peaks to within this, in dB.
const DECODERS_DIFFER: f64 = 0.02;

pub(super) fn complaint(report: &LoudnessReport) -> Option<String> {
    let say = |what: String| Some(format!("audio stream {}: {what}", report.stream));
    if let Some(note) = &report.note {
        return say(note.clone());
    }
    let after = report.after?;
    let loud = after.integrated_lufs?;
    if (loud - report.aim_lufs).abs() > LOUDNESS_TOLERANCE {
        return say(format!("it is {loud:.2} LUFS loud, not {:.2}", report.aim_lufs));
    }
    let peak = after.true_peak_dbtp.filter(|peak| *peak > report.ceiling_dbtp + DECODERS_DIFFER)?;
    say(format!("its true peak is {peak:.2} dBTP, above {:.1}", report.ceiling_dbtp))
}
