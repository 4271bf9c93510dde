//! One whole picture for each interlaced one, by FFmpeg's bwdif.
#![deny(unsafe_code)]

use std::collections::VecDeque;
use std::sync::Arc;

use super::ffi::filter::{Filter, FilterGraph};
use super::ffi::frame::VideoFrame;
use crate::base::{Error, ErrorKind, Result};
use crate::media::{Frame, Parity, Selection};

/// Makes whole pictures of interlaced ones: the earlier field stays, the rows of the later one are made from it, its
/// neighbours and the pictures before and after.
///
/// Law: each picture in gives one picture out, in order, with all its attributes; only `planes` and `format` are new
/// (formats that bwdif does not take become their nearest that it does; 8- and 10-bit 4:2:0 and 4:2:2 stay). A
/// picture depends on itself and its two neighbours alone: after a start in mid-film, all but the first come out as in
/// a run from the film's start, so start one picture early. The first of a run, which has none before, is made from
/// its own rows alone; so are both sides of a change of format or size. One picture is held back until the next comes,
/// or the end.
pub struct Deinterlacer {
    filter: Filter,
    selection: Selection,
    graph: Option<FilterGraph>,
    /// Pushed and not given out.
    waiting: VecDeque<Frame>,
}

impl Deinterlacer {
    /// A deinterlacer; it is set up by the first picture.
    pub fn new(parity: Parity, selection: Selection) -> Self {
        // All pictures pass through bwdif whatever is selected: its own selection makes a picture depend on pictures
        // further away than its neighbours.
        let options = match parity {
            Parity::Top => c"mode=send_frame:parity=tff:deint=all",
            Parity::Bottom => c"mode=send_frame:parity=bff:deint=all",
            Parity::Auto => c"mode=send_frame:parity=auto:deint=all",
        };
        let filter = Filter { filter: c"bwdif", name: c"deinterlace", options: options.into() };
        Deinterlacer { filter, selection, graph: None, waiting: VecDeque::new() }
    }

    /// Takes the next picture; gives those that are done: none, one, or at a change of format or size several.
    ///
    /// # Errors
    /// `Unsupported` for pictures that are not a decoder's, or that bwdif does not take (under 3 columns or rows);
    /// `Encode` where it fails.
    pub fn push(&mut self, frame: Frame) -> Result<Vec<Frame>> {
        let planes = Arc::clone(&frame.planes);
        let picture = planes.as_any().downcast_ref::<VideoFrame>().ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "only a decoder's pictures can be deinterlaced").at(frame.pts)
        })?;
        let mut done = Vec::new();
        if self.graph.as_ref().is_some_and(|graph| !graph.takes(picture)) {
            done = self.finish()?;
        }
        let pts = frame.pts;
        let graph = match &mut self.graph {
            Some(graph) => graph,
            none => none.insert(FilterGraph::new(&self.filter, picture).map_err(|e| e.at(pts))?),
        };
        graph.push(picture).map_err(|e| e.at(pts))?;
        self.waiting.push_back(frame);
        self.drain(&mut done)?;
        Ok(done)
    }

    /// Gives what is held back. The next picture pushed starts anew.
    ///
    /// # Errors
    /// `Encode` where bwdif fails.
    pub fn finish(&mut self) -> Result<Vec<Frame>> {
        let mut done = Vec::new();
        if let Some(graph) = &mut self.graph {
            graph.finish()?;
            self.drain(&mut done)?;
            self.graph = None;
        }
        match self.waiting.pop_front() {
            None => Ok(done),
            Some(lost) => Err(Error::new(ErrorKind::Encode, "the deinterlacer lost a picture").at(lost.pts)),
        }
    }

    fn drain(&mut self, done: &mut Vec<Frame>) -> Result<()> {
        let Some(graph) = &mut self.graph else { return Ok(()) };
        while let Some(whole) = graph.pull()? {
            let frame = self
                .waiting
                .pop_front()
                .ok_or_else(|| Error::new(ErrorKind::Encode, "the deinterlacer gave a picture too many"))?;
            done.push(if self.selection == Selection::Flagged && !is_flagged(&frame) {
                frame
            } else {
                Frame { format: whole.format(), planes: Arc::new(whole), ..frame }
            });
        }
        Ok(())
    }
}

fn is_flagged(frame: &Frame) -> bool {
    frame.planes.as_any().downcast_ref::<VideoFrame>().is_some_and(|picture| picture.field_flags().interlaced)
}
