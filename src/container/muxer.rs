//! What every muxer does, and what it tells when it is done.
#![deny(unsafe_code)]

use serde::Serialize;

use crate::base::{Rational, Result, Span};
use crate::media::{Packet, StreamKind, TrackId, TrackParams};

/// What was written of one track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct TrackStats {
    /// Packets.
    pub frames: u64,
    /// Bytes of frame data, without container overhead.
    pub bytes: u64,
    /// From the first sample or frame presented to the end of the last one.
    #[serde(skip)]
    pub duration: Span,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MuxStats {
    /// Each track, in order.
    pub tracks: Vec<TrackStats>,
    /// From time zero to the end of the last sample or frame of any track.
    #[serde(skip)]
    pub duration: Span,
    /// Bytes of the whole file.
    pub bytes: u64,
}

/// Counts what was written of a track.
#[derive(Clone, Debug)]
pub(super) struct TrackCount {
    kind: StreamKind,
    delay_ns: u64,
    frame_ns: Option<i64>,
    frames: u64,
    bytes: u64,
    /// First presented time and last end, nanoseconds.
    start_ns: Option<i64>,
    end_ns: i64,
    last_ns: Option<i64>,
    /// Distance of the last two packets, for the end of a last packet without duration.
    step_ns: i64,
}

impl TrackCount {
    pub(super) fn of(track: &TrackParams) -> Self {
        TrackCount {
            kind: track.stream_kind(),
            delay_ns: track.codec_delay_ns(),
            frame_ns: track.frame_duration_ns().and_then(|d| i64::try_from(d).ok()),
            frames: 0,
            bytes: 0,
            start_ns: None,
            end_ns: 0,
            last_ns: None,
            step_ns: 0,
        }
    }

    /// A packet of which `bytes` went into the file.
    pub(super) fn packet(&mut self, packet: &Packet, bytes: usize) {
        self.frames += 1;
        self.bytes += bytes as u64;
        let pts = packet.pts.as_nanos();
        let start = pts.saturating_add_unsigned(self.delay_ns);
        self.start_ns = Some(self.start_ns.map_or(start, |s| s.min(start)));
        let duration = packet.duration.map(Span::as_nanos).filter(|d| *d > 0).or(self.frame_ns);
        if let Some(last) = self.last_ns.replace(pts) {
            self.step_ns = pts.saturating_sub(last).max(0);
        }
        // A subtitle without an end lasts until the next one; it adds nothing that is known.
        let guessed = if self.kind == StreamKind::Subtitle { 0 } else { self.step_ns };
        // A duration that is told is how long the packet is heard; one that is guessed covers what is thrown away.
        let guessed = guessed.saturating_sub(packet.trim.discard_padding_ns().max(0));
        self.end_ns = self.end_ns.max(pts.saturating_add(duration.unwrap_or(guessed)));
    }

    pub(super) fn kind(&self) -> StreamKind {
        self.kind
    }

    pub(super) fn frames(&self) -> u64 {
        self.frames
    }

    pub(super) fn stats(&self) -> TrackStats {
        let length = self.start_ns.map_or(0, |start| self.end_ns.saturating_sub(start).max(0));
        TrackStats { frames: self.frames, bytes: self.bytes, duration: Span::new(length, Rational::NANO) }
    }
}

impl MuxStats {
    /// Of a file of `bytes` bytes with these tracks.
    pub(super) fn of(tracks: &[TrackCount], bytes: u64) -> Self {
        let end = tracks.iter().map(|t| t.end_ns).max().unwrap_or(0).max(0);
        let duration = Span::new(end, Rational::NANO);
        MuxStats { tracks: tracks.iter().map(TrackCount::stats).collect(), duration, bytes }
    }
}

/// What an [`Interleaver`](super::Interleaver) has to know of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane {
    /// Whether the others wait for this track. Subtitles come seldom and are not waited for, unless
    /// [`Interleaver::advance`](super::Interleaver::advance) tells how far they are.
    pub gating: bool,
    /// What is added to the times of packets before they are ordered, in nanoseconds: the codec delay where the format
    /// stores times with it.
    pub delay_ns: u64,
}

/// A file that is being written, packet after packet, in some format.
///
/// Law:
/// - Packets arrive in the order they are to have in the file (an [`Interleaver`](super::Interleaver) sees to that), each
///   track's in its coded order, with times by the law of [`Packet`].
/// - After an error a muxer is of no further use. Dropping it unfinished leaves a file that is not whole.
/// - One thread at a time; it may be another for every call.
pub trait Muxer: Send {
    /// The tracks as the interleaver sees them, in order.
    fn lanes(&self) -> Vec<Lane>;

    /// Writes the next packet of `track`.
    ///
    /// # Errors
    /// `Output` where the file cannot be written; `Encode`, naming track and time, for a packet that the format cannot
    /// hold or a track that does not exist.
    fn write(&mut self, track: TrackId, packet: &Packet) -> Result<()>;

    /// Bytes in the file so far; what is held back is not among them.
    fn bytes_written(&self) -> u64;

    /// Writes what is held back and everything that is known at the end only. The file is flushed, not synced: that is for
    /// whoever opened it.
    ///
    /// # Errors
    /// `Output` where the file cannot be written.
    fn finish(self: Box<Self>) -> Result<MuxStats>;
}

impl<M: Muxer + ?Sized> Muxer for Box<M> {
    fn lanes(&self) -> Vec<Lane> {
        (**self).lanes()
    }

    fn write(&mut self, track: TrackId, packet: &Packet) -> Result<()> {
        (**self).write(track, packet)
    }

    fn bytes_written(&self) -> u64 {
        (**self).bytes_written()
    }

    fn finish(self: Box<Self>) -> Result<MuxStats> {
        (*self).finish()
    }
}
