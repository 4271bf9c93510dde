//! Which picture of a film, or of a scene, is shown for it: sharp, not black, well exposed, not beside a cut or in a blur.

use std::collections::VecDeque;

use crate::base::Result;
use crate::media::{Frame, PixelFormat};
use crate::pixel::{PictureMeasure, PictureMeasurer};

/// A picture so unlike the one before begins a scene.
const CUT: f32 = 0.5;

/// So many pictures beside a cut are not taken: dissolves end there, and encoders have little to show yet.
const FROM_CUT: usize = 4;

/// How far apart the pictures are that are looked at for the best, in seconds.
const APART_S: f64 = 0.12;

/// Every how many-th luma sample of every how many-th row is looked at for exposure.
const STEP: usize = 8;

/// A picture and how good it is.
#[derive(Clone)]
pub(super) struct StillCandidate {
    pub(super) frame: Frame,
    pub(super) score: f32,
}

/// What is known of a picture.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    /// Whether it begins a scene.
    pub(super) cut: bool,
    measure: PictureMeasure,
}

/// Measures pictures in display order.
pub(super) struct Eyes {
    measurer: PictureMeasurer,
    /// Pictures nearer to the last one that was looked at are not, in seconds.
    apart: f64,
    last: Option<f64>,
}

impl Eyes {
    /// For scenes every picture is looked at; for a good one of many, some do.
    pub(super) fn new(scenes: bool) -> Self {
        Eyes { measurer: PictureMeasurer::new(), apart: if scenes { 0.0 } else { APART_S }, last: None }
    }

    /// `None` for a picture that is not looked at.
    pub(super) fn see(&mut self, frame: &Frame) -> Result<Option<Seen>> {
        let at = frame.pts.as_secs_f64();
        if self.last.is_some_and(|last| at > last && at - last < self.apart) {
            return Ok(None);
        }
        self.last = Some(at);
        let measure = self.measurer.measure(frame)?;
        let cut = measure.change >= CUT && measure.change_from_second >= CUT;
        Ok(Some(Seen { cut, measure }))
    }

    /// The next picture does not follow the last.
    pub(super) fn jump(&mut self) {
        (self.measurer, self.last) = (PictureMeasurer::new(), None);
    }
}

/// The best picture of a run of them.
#[derive(Default)]
pub(super) struct Best {
    /// The last pictures, which may turn out to be beside a cut.
    waiting: VecDeque<StillCandidate>,
    since_cut: usize,
    best: Option<StillCandidate>,
    /// The best of all, where none is away from cuts.
    any: Option<StillCandidate>,
}

impl Best {
    pub(super) fn push(&mut self, frame: &Frame, seen: Seen) {
        if seen.cut {
            self.jump();
        }
        let candidate = StillCandidate { frame: frame.clone(), score: score(frame, &seen.measure) };
        better(&mut self.any, &candidate);
        self.since_cut += 1;
        if self.since_cut <= FROM_CUT {
            return;
        }
        self.waiting.push_back(candidate);
        if self.waiting.len() > FROM_CUT
            && let Some(safe) = self.waiting.pop_front()
        {
            better(&mut self.best, &safe);
        }
    }

    /// What comes is of another scene.
    pub(super) fn jump(&mut self) {
        self.waiting.clear();
        self.since_cut = 0;
    }

    /// The best so far; what comes is of another scene.
    pub(super) fn take(&mut self) -> Option<StillCandidate> {
        let Best { best, any, .. } = std::mem::take(self);
        best.or(any)
    }
}

/// Of equals the first.
fn better(best: &mut Option<StillCandidate>, other: &StillCandidate) {
    if best.as_ref().is_none_or(|best| other.score > best.score) {
        *best = Some(other.clone());
    }
}

/// 0 for a picture that shows nothing, up to 1.
fn score(frame: &Frame, measure: &PictureMeasure) -> f32 {
    let Some(exposure) = Exposure::of(frame) else { return 0.0 };
    // Noise has detail, too: beyond a few steps more is not better.
    let sharp = measure.detail / (measure.detail + 4.0);
    let contrast = (exposure.deviation / 0.22).min(1.0);
    let lit = (1.0 - (exposure.mean - 0.45).abs() * 1.6).max(0.02);
    let clipped = (1.0 - exposure.dark * 0.8 - exposure.bright * 0.8).max(0.02);
    let still = 1.0 / (1.0 + measure.motion / 12.0);
    sharp.sqrt() * contrast * lit * clipped * still.sqrt()
}

/// Of luma, 0 to 1 of full scale.
struct Exposure {
    mean: f32,
    deviation: f32,
    dark: f32,
    bright: f32,
}

impl Exposure {
    fn of(frame: &Frame) -> Option<Self> {
        let PixelFormat::Planar { depth, .. } = frame.format else { return None };
        let (width, height) = frame.plane_size(0);
        let (bytes, stride) = (frame.planes.plane(0), frame.planes.stride(0));
        let size = if depth > 8 { 2 } else { 1 };
        let full = f64::from((1u32 << depth) - 1);
        let (mut count, mut sum, mut squares, mut dark, mut bright) = (0u32, 0.0, 0.0, 0u32, 0u32);
        for y in (0..height).step_by(STEP) {
            let row = bytes.get(y * stride..)?.get(..width * size)?;
            for dot in row.chunks_exact(size).step_by(STEP) {
                let value = match dot {
                    [low, high] => f64::from(u16::from_ne_bytes([*low, *high])),
                    [value] => f64::from(*value),
                    _ => return None,
                } / full;
                count += 1;
                sum += value;
                squares += value * value;
                dark += u32::from(value < 0.11);
                bright += u32::from(value > 0.91);
            }
        }
        let n = f64::from(count.max(1));
        let mean = sum / n;
        let share = |part: u32| (f64::from(part) / n) as f32;
        Some(Exposure {
            mean: mean as f32,
            deviation: (squares / n - mean * mean).max(0.0).sqrt() as f32,
            dark: share(dark),
            bright: share(bright),
        })
    }
}
