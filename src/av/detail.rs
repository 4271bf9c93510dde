//! How blocky and how blurred pictures are, by FFmpeg's blockdetect and blurdetect.
#![deny(unsafe_code)]

use std::borrow::Cow;
use std::ffi::CStr;

use super::ffi::filter::{Filter, FilterGraph};
use super::ffi::frame::VideoFrame;
use crate::base::{Error, ErrorKind, Result};
use crate::media::Frame;

const BLOCK: Filter = Filter { filter: c"blockdetect", name: c"blocks", options: Cow::Borrowed(c"") };
const BLUR: Filter = Filter { filter: c"blurdetect", name: c"blur", options: Cow::Borrowed(c"") };

/// What [`DetailMeter`] says of one picture; luma at 8 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PictureDetail {
    /// How much stronger edges are on a grid than beside it (Jean-Michel Moreau's no-reference measure): about 1 where
    /// there is no grid.
    pub blockiness: Option<f32>,
    /// Mean width of edges in samples (Marziliano et al. 2002): the more, the more blurred; `None` where there are no
    /// edges to be measured.
    pub blur: Option<f32>,
}

/// Measures pictures, each by itself.
///
/// Law: each picture pushed gives one answer at once. A filter that this FFmpeg lacks (both came with 5.1) measures
/// nothing.
#[derive(Default)]
pub struct DetailMeter {
    block: Measuring,
    blur: Measuring,
}

#[derive(Default)]
enum Measuring {
    #[default]
    Fresh,
    By(FilterGraph),
    Never,
}

impl DetailMeter {
    /// A meter; it is set up by the first picture.
    pub fn new() -> Self {
        Self::default()
    }

    /// Measures a picture.
    ///
    /// # Errors
    /// `Unsupported` for pictures that are not a decoder's, `Encode` where a filter fails.
    pub fn measure(&mut self, frame: &Frame) -> Result<PictureDetail> {
        let picture = frame.planes.as_any().downcast_ref::<VideoFrame>().ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "only a decoder's pictures can be looked at for detail").at(frame.pts)
        })?;
        let value = |meter: &mut Measuring, filter, key| meter.value(filter, key, picture).map_err(|e| e.at(frame.pts));
        Ok(PictureDetail {
            blockiness: value(&mut self.block, &BLOCK, c"lavfi.block")?,
            blur: value(&mut self.blur, &BLUR, c"lavfi.blur")?,
        })
    }
}

impl Measuring {
    fn value(&mut self, filter: &Filter, key: &CStr, picture: &VideoFrame) -> Result<Option<f32>> {
        if matches!(self, Measuring::By(graph) if !graph.takes(picture)) {
            *self = Measuring::Fresh;
        }
        if matches!(self, Measuring::Fresh) {
            *self = match FilterGraph::new(filter, picture) {
                Ok(graph) => Measuring::By(graph),
                Err(error) if error.kind() == ErrorKind::Unsupported => Measuring::Never,
                Err(error) => return Err(error),
            };
        }
        let Measuring::By(graph) = self else { return Ok(None) };
        graph.push(picture)?;
        let seen = graph.pull()?;
        let value = seen.as_ref().and_then(|seen| seen.note(key)).and_then(|text| text.parse::<f32>().ok());
        // A flat picture has no edges: the filters say nan, inf or less than nothing of it.
        Ok(value.filter(|value| value.is_finite() && *value >= 0.0))
    }
}
