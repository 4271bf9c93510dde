//! What the stages of one run found out, gathered for the report and for verification.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::audio::AudioStats;
use crate::base::{Rational, Timestamp};
use crate::container::MuxStats;
use crate::media::{Color, HdrStatic, PoolStats};
use crate::source::DecodeStats;

/// Written by stages, read when they have ended; the atomics are read while they run.
#[derive(Default)]
pub(super) struct Tally {
    inner: Mutex<Findings>,
    /// Video packets that left the encoder.
    pub(super) encoded: AtomicU64,
    /// Where in the film the encoder is, in nanoseconds.
    position_ns: AtomicI64,
    /// Bytes handed to the file.
    pub(super) bytes: AtomicU64,
}

/// Everything found out.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) demux: DemuxFindings,
    pub(super) decode: DecodeStats,
    pub(super) decoder: String,
    pub(super) pool: PoolStats,
    pub(super) video: Option<VideoFindings>,
    /// By source stream index.
    pub(super) audio: BTreeMap<usize, AudioFindings>,
    /// Frames that came back from decoding the encoder's packets.
    pub(super) decoded_back: u64,
    pub(super) mux: Option<MuxStats>,
    /// Things the user should know, in order of appearance.
    pub(super) warnings: Vec<String>,
}

#[derive(Default)]
pub(super) struct DemuxFindings {
    /// The latest end of any packet, in seconds.
    pub(super) end_s: f64,
    /// Why reading stopped before the end of the file, where it did.
    pub(super) stopped: Option<String>,
}

/// The encoded picture track.
pub(super) struct VideoFindings {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) source_width: u32,
    pub(super) source_height: u32,
    pub(super) color: Color,
    pub(super) hdr: HdrStatic,
    pub(super) crf: f64,
    pub(super) sample_aspect_ratio: Option<Rational>,
    pub(super) rotation: i32,
    /// Presentation time of each frame, in order: what verification holds the file to.
    pub(super) times: Vec<Timestamp>,
    /// End of the last frame, where its duration is known.
    pub(super) end: Option<Timestamp>,
    pub(super) bytes: u64,
    /// One digest a packet as it was handed to the container and decoded: what is read back has to match.
    pub(super) digests: Vec<u64>,
}

/// One audio track.
#[derive(Clone, Debug, Default)]
pub(super) struct AudioFindings {
    /// For encoded tracks.
    pub(super) stats: Option<AudioStats>,
    /// Time of the first sample that is heard.
    pub(super) start: Option<Timestamp>,
    /// Packets the decoder refused.
    pub(super) damaged_packets: u64,
    /// Packets before the start of the film, which Matroska cannot carry.
    pub(super) skipped_packets: u64,
    /// Packets copied.
    pub(super) packets: u64,
}

impl Tally {
    pub(super) fn lock(&self) -> MutexGuard<'_, Findings> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn warn(&self, message: impl Into<String>) {
        let message = message.into();
        tracing::warn!("{message}");
        self.lock().warnings.push(message);
    }

    pub(super) fn set_position(&self, position: Timestamp) {
        self.position_ns.store(position.as_nanos(), Ordering::Relaxed);
    }

    /// Seconds of film encoded.
    pub(super) fn position_s(&self) -> f64 {
        self.position_ns.load(Ordering::Relaxed) as f64 / 1e9
    }

    pub(super) fn take(&self) -> Findings {
        std::mem::take(&mut *self.lock())
    }
}

/// A digest of a packet's bytes: against disks and bugs, not against an adversary.
pub(super) fn digest(bytes: &[u8]) -> u64 {
    use std::hash::{DefaultHasher, Hasher};
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}
