//! What the stages of one run found out, gathered for the report and for verification.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::treat::Carried;
use crate::audio::AudioStats;
use crate::base::{Rational, Span, Timestamp};
use crate::container::MuxStats;
use crate::event::Event;
use crate::media::{Color, FieldOrder, HdrStatic, PoolStats, Shown};
use crate::source::DecodeStats;

/// Written by stages, read when they have ended; the atomics are read while they run.
#[derive(Default)]
pub(crate) struct Tally {
    inner: Mutex<Findings>,
    /// Video packets that left the encoder.
    pub(crate) encoded: AtomicU64,
    /// Those of them that an earlier run encoded.
    pub(crate) resumed: AtomicU64,
    /// Where in the film the encoder is, in nanoseconds.
    position_ns: AtomicI64,
    /// Bytes handed to the file.
    pub(crate) bytes: AtomicU64,
}

/// Everything found out.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) demux: DemuxFindings,
    pub(crate) decode: DecodeStats,
    pub(crate) decoder: String,
    /// Metadata of single pictures.
    pub(crate) carried: Carried,
    pub(crate) pool: PoolStats,
    pub(crate) video: Option<VideoFindings>,
    /// By source stream index.
    pub(crate) audio: BTreeMap<usize, AudioFindings>,
    /// The frames of a film that is encoded in chunks.
    pub(crate) film: Film,
    /// To be told.
    finished_chunks: Vec<Event>,
    /// Frames that came back from decoding the encoder's packets.
    pub(crate) decoded_back: u64,
    pub(crate) mux: Option<MuxStats>,
    /// Things the user should know, in order of appearance.
    pub(crate) warnings: Vec<String>,
}

/// The frames of a film that is encoded in chunks, in order.
#[derive(Clone, Default)]
pub(crate) struct Film {
    /// How the picture is shown.
    pub(crate) shown: Option<Shown>,
    /// Time and duration of each frame.
    pub(crate) times: Vec<(Timestamp, Option<Span>)>,
    /// Digest of each frame's metadata; see [`message_digest`].
    pub(crate) messages: Vec<u64>,
    /// Frames in each chunk.
    pub(crate) chunks: Vec<u64>,
}

#[derive(Default)]
pub(crate) struct DemuxFindings {
    /// The latest end of any packet, in seconds.
    pub(crate) end_s: f64,
    /// Why reading stopped before the end of the file, where it did.
    pub(crate) stopped: Option<String>,
}

/// The encoded picture track.
pub(crate) struct VideoFindings {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) color: Color,
    pub(crate) hdr: HdrStatic,
    pub(crate) crf: f64,
    pub(crate) sample_aspect_ratio: Option<Rational>,
    pub(crate) rotation: i32,
    pub(crate) field_order: FieldOrder,
    /// Presentation time of each frame, in order: what verification holds the file to.
    pub(crate) times: Vec<Timestamp>,
    /// End of the last frame, where its duration is known.
    pub(crate) end: Option<Timestamp>,
    pub(crate) bytes: u64,
    /// Digest of each frame's metadata; see [`message_digest`].
    pub(crate) messages: Vec<u64>,
    /// The Dolby Vision configuration record.
    pub(crate) dolby_vision: Option<[u8; 24]>,
    /// One digest a packet as it was handed to the container and decoded: what is read back has to match.
    pub(crate) digests: Vec<u64>,
}

/// One audio track.
#[derive(Clone, Debug, Default)]
pub(crate) struct AudioFindings {
    /// For encoded tracks.
    pub(crate) stats: Option<AudioStats>,
    /// Time of the first sample that is heard.
    pub(crate) start: Option<Timestamp>,
    /// Packets the decoder refused.
    pub(crate) damaged_packets: u64,
    /// Packets before the start of the film, which Matroska cannot carry.
    pub(crate) skipped_packets: u64,
    /// Packets copied.
    pub(crate) packets: u64,
}

impl Tally {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Findings> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn warn(&self, message: impl Into<String>) {
        let message = message.into();
        tracing::warn!("{message}");
        self.lock().warnings.push(message);
    }

    pub(crate) fn set_position(&self, position: Timestamp) {
        self.position_ns.store(position.as_nanos(), Ordering::Relaxed);
    }

    /// Seconds of film encoded, in a run that encodes it in order.
    pub(crate) fn position_s(&self) -> Option<f64> {
        let position = self.position_ns.load(Ordering::Relaxed);
        (position != 0).then(|| position as f64 / 1e9)
    }

    /// Adds the counts of one stage's frame pool.
    pub(crate) fn add_pool(&self, stats: PoolStats) {
        let mut findings = self.lock();
        findings.pool.allocations += stats.allocations;
        findings.pool.reuses += stats.reuses;
    }

    /// Takes what a try gave out off the counts again: what is kept is added when it is.
    pub(crate) fn take_back(&self, frames: u64, bytes: u64) {
        self.encoded.fetch_sub(frames, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Has the run tell that a chunk is finished.
    pub(crate) fn chunk_done(&self, chunk: Event) {
        self.lock().finished_chunks.push(chunk);
    }

    /// Events of chunks that were finished since this was last asked.
    pub(crate) fn finished_chunks(&self) -> Vec<Event> {
        std::mem::take(&mut self.lock().finished_chunks)
    }

    pub(crate) fn take(&self) -> Findings {
        std::mem::take(&mut *self.lock())
    }
}

/// A digest of the ITU-T T.35 messages of a picture; 0 where there are none.
pub(crate) fn message_digest<M: AsRef<[u8]>>(messages: &[M]) -> u64 {
    if messages.is_empty() {
        0
    } else {
        digest(&messages.iter().flat_map(|m| m.as_ref()).copied().collect::<Vec<u8>>())
    }
}

/// A digest of a packet's bytes: against disks and bugs, not against an adversary.
pub(crate) fn digest(bytes: &[u8]) -> u64 {
    use std::hash::{DefaultHasher, Hasher};
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}
