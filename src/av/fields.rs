//! What the fields of a run of pictures look like, by FFmpeg's idet.
#![deny(unsafe_code)]

use std::borrow::Cow;
use std::collections::VecDeque;

use super::ffi::filter::{Filter, FilterGraph};
use super::ffi::frame::VideoFrame;
use super::weave::weave;
use crate::base::{Error, ErrorKind, Result};
use crate::media::{Combing, FieldCounts, FieldFlags, FieldLook, Frame, RepeatedField};

const IDET: Filter = Filter { filter: c"idet", name: c"fields", options: Cow::Borrowed(c"") };

/// What a [`FieldMeter`] saw.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FieldVerdict {
    /// The sums of the series.
    pub counts: FieldCounts,
    /// A look at each picture, in their order: 3:2 pulldown is seen in the series, not in the sums.
    pub looks: Vec<FieldLook>,
}

/// Looks at consecutive pictures for combing, repeated fields and what the decoder flags.
///
/// Law: each picture pushed is one look. What is seen depends on the pictures alone.
#[derive(Default)]
pub struct FieldMeter {
    graph: Option<FilterGraph>,
    /// Of the pictures pushed and not given out by the filter.
    waiting: VecDeque<FieldFlags>,
    /// The last two the filter gave out: the look at the later of them is not complete.
    last: [Option<VideoFrame>; 2],
    looks: Vec<FieldLook>,
}

impl FieldMeter {
    /// A meter; it is set up by the first picture.
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks at the next picture.
    ///
    /// # Errors
    /// `Unsupported` for pictures that are not a decoder's or that idet does not take, `Encode` where it fails.
    pub fn push(&mut self, frame: &Frame) -> Result<()> {
        let picture = frame.planes.as_any().downcast_ref::<VideoFrame>().ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "only a decoder's pictures can be looked at for fields").at(frame.pts)
        })?;
        // idet walks through three pictures with the strides of one.
        if self.graph.as_ref().is_some_and(|graph| !graph.takes(picture) || !graph.has_rows_of(picture)) {
            self.end_run()?;
        }
        let graph = match &mut self.graph {
            Some(graph) => graph,
            none => none.insert(FilterGraph::new(&IDET, picture).map_err(|e| e.at(frame.pts))?),
        };
        graph.push(picture).map_err(|e| e.at(frame.pts))?;
        self.waiting.push_back(picture.field_flags());
        self.drain()
    }

    /// What was seen.
    ///
    /// # Errors
    /// `Encode` where idet fails.
    pub fn finish(mut self) -> Result<FieldVerdict> {
        self.end_run()?;
        Ok(FieldVerdict { counts: FieldCounts::of(&self.looks), looks: self.looks })
    }

    fn end_run(&mut self) -> Result<()> {
        if let Some(graph) = &mut self.graph {
            graph.finish()?;
            self.drain()?;
            self.graph = None;
            self.complete(None);
        }
        match self.waiting.is_empty() {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::Encode, "idet lost a picture")),
        }
    }

    fn drain(&mut self) -> Result<()> {
        while let Some(seen) = self.graph.as_mut().map_or(Ok(None), FilterGraph::pull)? {
            let flags = self
                .waiting
                .pop_front()
                .ok_or_else(|| Error::new(ErrorKind::Encode, "idet gave a picture too many"))?;
            self.complete(Some(&seen));
            self.looks.push(FieldLook {
                flags,
                single: combing(seen.note(c"lavfi.idet.single.current_frame")),
                multiple: combing(seen.note(c"lavfi.idet.multiple.current_frame")),
                repeated: repeated(seen.note(c"lavfi.idet.repeated.current_frame")),
                weave: 1.0,
            });
            self.last = [self.last[1].take(), Some(seen)];
        }
        Ok(())
    }

    /// Completes the look at the last picture by the one after; at the ends of a run it is its own neighbour, as in idet.
    fn complete(&mut self, next: Option<&VideoFrame>) {
        if let ([prev, Some(cur)], Some(look)) = (&self.last, self.looks.last_mut()) {
            look.weave = weave(prev.as_ref().unwrap_or(cur), cur, next.unwrap_or(cur));
        }
        if next.is_none() {
            self.last = [None, None];
        }
    }
}

fn combing(note: Option<&str>) -> Combing {
    match note {
        Some("tff") => Combing::Top,
        Some("bff") => Combing::Bottom,
        Some("progressive") => Combing::Progressive,
        _ => Combing::Undetermined,
    }
}

fn repeated(note: Option<&str>) -> RepeatedField {
    match note {
        Some("top") => RepeatedField::Top,
        Some("bottom") => RepeatedField::Bottom,
        _ => RepeatedField::Neither,
    }
}
