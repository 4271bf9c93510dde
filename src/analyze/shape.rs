//! Which sizes and sample aspect ratios the pictures of a film have, and which of them lasts.

use std::collections::BTreeMap;

use crate::av::VideoFrame;
use crate::base::Timestamp;
use crate::media::Frame;
use crate::plan::ShapeFacts;

/// What one picture is.
type SeenShape = (u32, u32, (i32, i32));

/// Pictures that follow each other and are alike are noted this often, in milliseconds.
const OFTEN_MS: i64 = 500;

/// Notes the shapes of pictures from all over a film, in any order.
#[derive(Default)]
pub(super) struct ShapeTally {
    /// By time in milliseconds.
    seen: BTreeMap<i64, SeenShape>,
    last: Option<(i64, SeenShape)>,
}

impl ShapeTally {
    pub(super) fn see(&mut self, frame: &Frame) {
        let decoded = frame.planes.as_any().downcast_ref::<VideoFrame>();
        // Samples of which nothing is said are square.
        let sample = decoded.and_then(VideoFrame::sample_aspect_ratio).map_or((1, 1), |r| (r.num(), r.den()));
        let shape = (frame.width, frame.height, sample);
        let at = (frame.pts.as_secs_f64() * 1000.0) as i64;
        if let Some((before, same)) = self.last
            && same == shape
            && (before..before + OFTEN_MS).contains(&at)
        {
            return;
        }
        self.last = Some((at, shape));
        self.seen.insert(at, shape);
    }

    /// The shapes in the order they first appear, each with the share of the film that has it: each picture stands for the
    /// time up to the next that was seen.
    pub(super) fn finish(&self, start: Option<Timestamp>, duration_s: Option<f64>) -> Vec<ShapeFacts> {
        let start = start.map_or(0, |s| (s.as_secs_f64() * 1000.0) as i64);
        let last = self.seen.keys().next_back().copied().unwrap_or(start);
        let end = duration_s.map_or(0, |d| start.saturating_add((d * 1000.0) as i64)).max(last + 1);
        let mut out: Vec<ShapeFacts> = Vec::new();
        let ends = self.seen.keys().skip(1).copied().chain([end]);
        for ((at, shape), next) in self.seen.iter().zip(ends) {
            let (width, height, sample_aspect_ratio) = *shape;
            let alike = |f: &&mut ShapeFacts| (f.width, f.height, f.sample_aspect_ratio) == *shape;
            let time = (next - at) as f64;
            match out.iter_mut().find(alike) {
                Some(facts) => facts.share += time,
                None => out.push(ShapeFacts {
                    width,
                    height,
                    sample_aspect_ratio,
                    from_s: (at - start) as f64 / 1000.0,
                    share: time,
                }),
            }
        }
        let whole: f64 = out.iter().map(|f| f.share).sum();
        out.iter_mut().for_each(|f| f.share /= whole.max(1.0));
        out
    }
}
