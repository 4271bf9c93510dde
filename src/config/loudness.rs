//! How loud audio tracks are to be.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};

use crate::base::{Error, ErrorKind, Result};

/// How loud audio tracks are made.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum LoudnessGoal {
    /// As they are.
    #[default]
    Off,
    /// -23 LUFS, peaks below -1 dBTP (EBU R 128).
    Ebu,
    /// -24 LUFS, peaks below -2 dBTP (ATSC A/85).
    Atsc,
    /// -14 LUFS, peaks below -1 dBTP, as many streaming services play.
    Streaming,
    /// So many LUFS, peaks below -1 dBTP.
    Lufs(f64),
}

/// The loudness that can be asked for by number, in LUFS.
const LUFS: std::ops::RangeInclusive<f64> = -40.0..=-5.0;

impl LoudnessGoal {
    /// In LUFS, with the peak that goes with it in dB of full scale; `None` where tracks stay as they are.
    fn values(self) -> Option<(f64, f64)> {
        match self {
            LoudnessGoal::Off => None,
            LoudnessGoal::Ebu => Some((-23.0, -1.0)),
            LoudnessGoal::Atsc => Some((-24.0, -2.0)),
            LoudnessGoal::Streaming => Some((-14.0, -1.0)),
            LoudnessGoal::Lufs(lufs) => Some((lufs, -1.0)),
        }
    }
}

impl fmt::Display for LoudnessGoal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoudnessGoal::Off => f.write_str("off"),
            LoudnessGoal::Ebu => f.write_str("ebu"),
            LoudnessGoal::Atsc => f.write_str("atsc"),
            LoudnessGoal::Streaming => f.write_str("streaming"),
            LoudnessGoal::Lufs(lufs) => write!(f, "{lufs}"),
        }
    }
}

impl FromStr for LoudnessGoal {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let named = [LoudnessGoal::Off, LoudnessGoal::Ebu, LoudnessGoal::Atsc, LoudnessGoal::Streaming];
        if let Some(goal) = named.into_iter().find(|goal| goal.to_string() == text) {
            return Ok(goal);
        }
        let usage = |message: String| Error::new(ErrorKind::Usage, message);
        let wrong = || usage(format!("loudness: {text:?} is not off, ebu, atsc, streaming or a number of LUFS"));
        let number = text.trim();
        let lufs: f64 = number.strip_suffix("LUFS").unwrap_or(number).trim().parse().map_err(|_| wrong())?;
        if LUFS.contains(&lufs) {
            return Ok(LoudnessGoal::Lufs(lufs));
        }
        Err(usage(format!("loudness {lufs} is not within {} to {} LUFS", LUFS.start(), LUFS.end())))
    }
}

impl Serialize for LoudnessGoal {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// Which audio tracks get the same gain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LoudnessGroup {
    /// Each its own.
    #[default]
    Track,
    /// All of the film, as one programme.
    Album,
}

/// What is asked of the loudness of audio tracks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct LoudnessSettings {
    /// How loud they are made.
    pub goal: LoudnessGoal,
    /// Their highest true peak in dB of full scale; `None` takes what goes with the goal.
    pub true_peak: Option<f64>,
    /// Which of them get the same gain.
    pub group: LoudnessGroup,
}

impl LoudnessSettings {
    /// Integrated loudness in LUFS and highest true peak in dB of full scale; `None` where tracks stay as they are.
    pub fn target(&self) -> Option<(f64, f64)> {
        self.goal.values().map(|(lufs, peak)| (lufs, self.true_peak.unwrap_or(peak)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_are_read_as_they_are_written() {
        for text in ["off", "ebu", "atsc", "streaming", "-16", "-23.5"] {
            assert_eq!(text.parse::<LoudnessGoal>().unwrap().to_string(), text);
        }
        assert_eq!("-16 LUFS".parse::<LoudnessGoal>().unwrap(), LoudnessGoal::Lufs(-16.0));
        for text in ["", "loud", "16", "-3", "nan", "inf"] {
            assert_eq!(text.parse::<LoudnessGoal>().unwrap_err().kind(), ErrorKind::Usage, "{text}");
        }
    }

    #[test]
    fn a_peak_that_is_asked_for_goes_before_that_of_the_goal() {
        let atsc = LoudnessSettings { goal: LoudnessGoal::Atsc, ..LoudnessSettings::default() };
        assert_eq!(atsc.target(), Some((-24.0, -2.0)));
        assert_eq!(LoudnessSettings { true_peak: Some(-3.0), ..atsc }.target(), Some((-24.0, -3.0)));
        assert_eq!(LoudnessSettings { true_peak: Some(-3.0), ..LoudnessSettings::default() }.target(), None);
    }
}
