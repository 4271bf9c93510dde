//! What happened to the sound of a track on its way.
#![deny(unsafe_code)]

use serde::Serialize;

/// What happened to a track's sound. Counts of samples are samples a channel at the track's rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AudioStats {
    /// Samples a second of the track that was made.
    pub sample_rate: u32,
    /// Decoded frames with sound in them; 0 means that the track is empty and has no packets.
    pub frames: u64,
    /// Packets made.
    pub packets: u64,
    /// Bytes of all packets.
    pub bytes: u64,
    /// Samples that play, inserted silence included.
    pub samples: u64,
    /// Gaps filled with silence.
    pub gaps: u64,
    /// Samples of silence put in.
    pub inserted_samples: u64,
    /// Overlaps cut.
    pub overlaps: u64,
    /// Samples cut away.
    pub trimmed_samples: u64,
    /// Timestamps that jumped alone and were not believed.
    pub stray_timestamps: u64,
    /// Changes of sample format, rate or layout in mid-stream.
    pub format_changes: u64,
    /// Samples that were no numbers or far over full scale.
    pub damaged_samples: u64,
    /// Whether neither the first frame nor the container said when the sound starts, so that 0 was taken.
    pub start_unknown: bool,
    /// Whether channels were added up or left out at any time.
    pub downmixed: bool,
}
