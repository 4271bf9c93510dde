//! The stills of a run as a stage beside its encodes.

use super::made::MadeStill;
use super::watch::StillWatch;
use crate::base::Result;
use crate::flow::{Nothing, Out, Stage};
use crate::media::Frame;

/// Watches the pictures of the one decode.
pub(crate) struct WatchStills {
    pub(crate) watch: StillWatch,
}

impl Stage for WatchStills {
    type In = Frame;
    type Out = Nothing;
    type Found = Vec<MadeStill>;

    fn push(&mut self, frame: Frame, _: &mut Out<Nothing>) -> Result<()> {
        self.watch.push(frame)
    }

    fn finish(self, _: &mut Out<Nothing>) -> Result<Vec<MadeStill>> {
        self.watch.finish()
    }
}
