//! What can be wrong with a file, and how bad it is.
#![deny(unsafe_code)]

use std::fmt;

use serde::Serialize;

/// How a file, or one thing about it, is judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Judgement {
    /// As it should be.
    #[default]
    Pass,
    /// Someone should look at it.
    Warn,
    /// Not to be delivered.
    Fail,
}

impl Judgement {
    /// `pass`, `warn` or `fail`.
    pub fn name(self) -> &'static str {
        match self {
            Judgement::Pass => "pass",
            Judgement::Warn => "warn",
            Judgement::Fail => "fail",
        }
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $unit:literal, $about:literal,)*) => {
        /// A kind of finding. What is limited is its value: how long, how much or how many, in [`unit`](Self::unit).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FindingKind {
            $($(#[$doc])* $variant,)*
        }

        impl FindingKind {
            /// All of them.
            pub const ALL: &'static [FindingKind] = &[$(FindingKind::$variant,)*];

            /// Its name in thresholds and reports.
            pub fn name(self) -> &'static str {
                match self { $(FindingKind::$variant => $name,)* }
            }

            /// The unit of its value.
            pub fn unit(self) -> &'static str {
                match self { $(FindingKind::$variant => $unit,)* }
            }

            /// What it is, for people, after the name of the film.
            pub fn about(self) -> &'static str {
                match self { $(FindingKind::$variant => $about,)* }
            }
        }
    };
}

kinds! {
    /// A stretch of black pictures.
    Black = "black", "s", "black pictures",
    /// A stretch in which the picture stands still and is not black.
    Freeze = "freeze", "s", "a picture that stands still",
    /// Cuts that follow each other closely: flashes, or a stream that is broken.
    Cuts = "cuts", "a minute", "suspiciously many scene cuts",
    /// Banding by CAMBI.
    Banding = "banding", "CAMBI", "banding",
    /// A grid of blocks, by blockdetect.
    Blockiness = "blockiness", "", "blocks",
    /// Wide edges, by blurdetect.
    Blur = "blur", "samples", "blur",
    /// Samples outside of the legal range, at their own depth.
    Range = "range", "%", "samples outside of the legal range",
    /// Colour metadata that contradicts itself.
    Color = "color", "", "colour metadata that contradicts itself",
    /// Pictures whose fields are not what the stream says.
    Fields = "fields", "", "fields that are not what the stream says",
    /// Pictures shown twice while things move.
    Duplicates = "duplicates", "pictures", "pictures shown twice",
    /// Pictures that are missing by their times.
    Dropped = "dropped", "pictures", "pictures that are missing",
    /// Packets and pictures that cannot be decoded whole.
    Damage = "damage", "", "damage",
    /// Pictures more or fewer than the reference has.
    Length = "length", "pictures", "another number of pictures than the reference",
    /// A stretch of silence on all channels.
    Silence = "silence", "s", "silence",
    /// A channel in which nothing is heard while others sound.
    DeadChannel = "dead_channel", "channel", "a channel without sound",
    /// Runs of samples at full scale.
    Clipping = "clipping", "samples", "clipped sound",
    /// The highest true peak.
    TruePeak = "true_peak", "dBTP", "a true peak that is too high",
    /// Left and right in opposite phase: mono playback cancels them.
    Phase = "phase", "s", "left and right in opposite phase",
    /// More than so loud.
    Loud = "loud", "LUFS", "sound that is too loud",
    /// Less than so loud: the limit is the least.
    Soft = "soft", "LUFS", "sound that is too soft",
    /// How far the times of sound are from its samples.
    Drift = "drift", "ms", "sound that drifts from its times",
    /// How far apart sound and picture end.
    EndsApart = "ends_apart", "s", "sound and picture that end apart",
}

impl FindingKind {
    /// Whether it is the small values that are bad.
    pub fn less_is_worse(self) -> bool {
        self == FindingKind::Soft
    }
}

impl Serialize for FindingKind {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.name())
    }
}

/// Something that was found, where and how much of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct QualityFinding {
    /// What it is.
    pub kind: FindingKind,
    /// How bad that is by the thresholds.
    pub judgement: Judgement,
    /// When it begins, in seconds of the film; `None` where it is about all of it.
    pub from_s: Option<f64>,
    /// When it ends.
    pub to_s: Option<f64>,
    /// How long, how much or how many.
    pub value: f64,
    /// The unit of the value.
    pub unit: &'static str,
    /// The stream it is in, where it is in one of several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<usize>,
    /// All of it in words, for people.
    pub message: String,
}

impl QualityFinding {
    /// A finding that is not judged yet, about the stretch of seconds if there is one.
    pub(super) fn new(kind: FindingKind, span: Option<(f64, f64)>, value: f64, message: impl Into<String>) -> Self {
        let (from_s, to_s) = (span.map(|s| s.0), span.map(|s| s.1));
        let (judgement, unit, message) = (Judgement::Pass, kind.unit(), message.into());
        QualityFinding { kind, judgement, from_s, to_s, value, unit, stream: None, message }
    }

    /// The same, in that stream.
    pub(super) fn of_stream(self, stream: usize) -> Self {
        QualityFinding { stream: Some(stream), ..self }
    }
}
