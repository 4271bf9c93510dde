//! Frames measured and cut into chunks, in display order.

use crate::base::Result;
use crate::media::Frame;
use crate::pixel::{PictureMeasure, PictureMeasurer};
use crate::plan::{ChunkPlanner, ChunkRules, ChunkSpan, FramePoint};

/// Measures frames and finds where the film is cut.
pub(crate) struct Cutter {
    meter: PictureMeasurer,
    planner: ChunkPlanner,
}

/// A frame that was measured.
pub(crate) struct Measured {
    pub(crate) frame: Frame,
    pub(crate) measure: PictureMeasure,
    pub(crate) point: FramePoint,
    /// The chunk that is decided by it, if one is.
    pub(crate) chunk: Option<ChunkSpan>,
}

impl Cutter {
    /// For chunks of at most `seconds`.
    pub(crate) fn new(seconds: f64) -> Self {
        Cutter { meter: PictureMeasurer::new(), planner: ChunkPlanner::new(ChunkRules::up_to(seconds)) }
    }

    /// Begins at chunk `next`, as the first frame that is taken.
    pub(crate) fn begin_at(&mut self, next: usize) {
        self.planner.begin_at(next);
    }

    /// Measures the next as the first picture.
    pub(crate) fn forget(&mut self) {
        self.meter = PictureMeasurer::new();
    }

    /// Measures the next frame, which is planar and of a chunk that is planned.
    pub(crate) fn measure(&mut self, frame: &Frame) -> Result<PictureMeasure> {
        self.meter.measure(frame)
    }

    /// Takes the next frame, which is planar.
    pub(crate) fn take(&mut self, frame: Frame) -> Result<Measured> {
        let measure = self.measure(&frame)?;
        let point = FramePoint {
            index: frame.index,
            pts: frame.pts,
            change: measure.change,
            change_from_second: measure.change_from_second,
            effort: measure.detail + measure.motion,
        };
        let chunk = self.planner.push(point);
        Ok(Measured { frame, measure, point, chunk })
    }

    /// The chunks that are left at the end of the film.
    pub(crate) fn finish(&mut self) -> Vec<ChunkSpan> {
        self.planner.finish()
    }
}
