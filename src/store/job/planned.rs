//! What decoding a film told: written down with each chunk, so that a run that goes on need not decode it again.

use serde::{Deserialize, Serialize};

use crate::base::{Rational, Span, Timestamp};
use crate::media::{Carried, Shown};
use crate::pixel::PictureMeasure;
use crate::plan::{ChunkMeans, ChunkSpan};
use crate::source::DecodeStats;

/// Where a chunk is in the film.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SegmentRecord {
    pub(crate) chunk: usize,
    pub(crate) first_frame: u64,
    pub(crate) frames: u64,
    /// Time of the first frame, in seconds.
    pub(crate) start_s: f64,
}

impl SegmentRecord {
    pub(crate) fn of(span: &ChunkSpan) -> Self {
        SegmentRecord {
            chunk: span.index,
            first_frame: span.first_frame,
            frames: span.frames,
            start_s: span.start.as_secs_f64(),
        }
    }
}

/// A chunk of the plan, and all that was found out about its frames.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PlannedChunk {
    pub(crate) segment: SegmentRecord,
    /// The film's picture, as its first frame has it.
    pub(crate) shown: Shown,
    pub(crate) means: ChunkMeans,
    /// Positions of frames that begin a scene, without the first.
    pub(crate) scenes: Vec<u64>,
    /// Whether all its frames are 8-bit 4:2:0.
    pub(crate) eight_bit: bool,
    times: Vec<FrameTimes>,
    /// Digest of each frame's metadata; empty where no frame has any.
    messages: Vec<u64>,
    pub(crate) point: ReadPoint,
}

/// Where reading was when the last frame of a chunk had come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ReadPoint {
    /// Whether times lead to what follows: the clock of the source did not jump.
    pub(crate) may_seek: bool,
    /// What the frame is like: whether another decoder comes to the same place with the same picture.
    pub(crate) last: PictureMeasure,
    pub(crate) read: FilmRead,
}

/// What reading a film, or its start, met with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct FilmRead {
    /// The decoder's name in FFmpeg.
    pub(crate) decoder: String,
    pub(crate) stats: DecodeStats,
    pub(crate) carried: Carried,
    /// The latest end of any picture, in seconds.
    pub(crate) end_s: f64,
}

/// The times of frames in one time base, in ticks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct FrameTimes {
    /// Numerator and denominator.
    base: (i32, i32),
    pts: Vec<i64>,
    /// The base of durations, and each frame's, where the source says it.
    duration_base: (i32, i32),
    durations: Vec<Option<i64>>,
}

/// The time of a frame, and how long it is shown, where the source says.
pub(crate) type FrameTime = (Timestamp, Option<Span>);

impl PlannedChunk {
    /// Of frames with these times and digests of metadata.
    pub(crate) fn new(
        (segment, shown): (SegmentRecord, Shown),
        (means, scenes, eight_bit): (ChunkMeans, Vec<u64>, bool),
        (times, messages): (&[FrameTime], &[u64]),
        point: ReadPoint,
    ) -> Self {
        let messages = if messages.iter().all(|&m| m == 0) { Vec::new() } else { messages.to_vec() };
        PlannedChunk { segment, shown, means, scenes, eight_bit, times: FrameTimes::of(times), messages, point }
    }

    /// The times of its frames.
    pub(crate) fn times(&self) -> Vec<FrameTime> {
        self.times.iter().flat_map(FrameTimes::all).collect()
    }

    /// The digest of each frame's metadata.
    pub(crate) fn messages(&self) -> Vec<u64> {
        if self.messages.is_empty() { vec![0; self.segment.frames as usize] } else { self.messages.clone() }
    }

    /// Whether it is all there, and the next after the frames of `before`.
    pub(super) fn follows(&self, before: Option<&PlannedChunk>) -> bool {
        let (chunk, first_frame) =
            before.map_or((0, 0), |b| (b.segment.chunk + 1, b.segment.first_frame + b.segment.frames));
        let SegmentRecord { frames, .. } = self.segment;
        (self.segment.chunk, self.segment.first_frame) == (chunk, first_frame)
            && frames > 0
            && self.times().len() as u64 == frames
            && (self.messages.is_empty() || self.messages.len() as u64 == frames)
    }
}

impl FrameTimes {
    fn of(times: &[FrameTime]) -> Vec<FrameTimes> {
        let ratio = |base: Rational| (base.num(), base.den());
        let mut runs: Vec<FrameTimes> = Vec::new();
        for (pts, duration) in times {
            let base = ratio(pts.base());
            let duration_base = duration.map(|d| ratio(d.base()));
            match runs.last_mut() {
                Some(run) if run.base == base && duration_base.is_none_or(|of| of == run.duration_base) => {
                    run.pts.push(pts.ticks());
                    run.durations.push(duration.map(Span::ticks));
                }
                _ => runs.push(FrameTimes {
                    base,
                    pts: vec![pts.ticks()],
                    duration_base: duration_base.unwrap_or(base),
                    durations: vec![duration.map(Span::ticks)],
                }),
            }
        }
        runs
    }

    /// All of them; none where a base is none.
    fn all(&self) -> Vec<FrameTime> {
        let base = |(num, den)| Rational::positive(num, den);
        let (Some(base), Some(duration_base)) = (base(self.base), base(self.duration_base)) else { return Vec::new() };
        let time = |(&pts, &duration): (&i64, &Option<i64>)| {
            (Timestamp::new(pts, base), duration.map(|ticks| Span::new(ticks, duration_base)))
        };
        self.pts.iter().zip(&self.durations).map(time).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_time() -> impl Strategy<Value = FrameTime> {
        let base = || prop_oneof![Just((1, 24)), Just((1, 90_000)), Just((1, 1_000_000_000))];
        (base(), any::<i32>(), proptest::option::of((base(), any::<u32>()))).prop_map(|(of, ticks, duration)| {
            let base = |(num, den)| Rational::positive(num, den).unwrap();
            (
                Timestamp::new(i64::from(ticks), base(of)),
                duration.map(|(of, ticks)| Span::new(i64::from(ticks), base(of))),
            )
        })
    }

    proptest! {
        #[test]
        fn times_come_back_in_their_own_bases(times in proptest::collection::vec(any_time(), 0..40)) {
            let back: Vec<FrameTime> = FrameTimes::of(&times).iter().flat_map(FrameTimes::all).collect();
            let exact = |times: &[FrameTime]| -> Vec<_> {
                let of = |(pts, duration): &FrameTime| {
                    (pts.ticks(), pts.base(), duration.map(|d| (d.ticks(), d.base())))
                };
                times.iter().map(of).collect()
            };
            prop_assert_eq!(exact(&back), exact(&times));
        }
    }
}
