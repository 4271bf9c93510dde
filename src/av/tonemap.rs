//! HDR to SDR, by libavfilter's zscale (the zimg library) and tonemap.
#![deny(unsafe_code)]

use std::ffi::CString;
use std::sync::Arc;

use super::ffi::filter::{Filter, FilterGraph};
use super::ffi::frame::VideoFrame;
use crate::base::{Error, ErrorKind, Result};
use crate::media::{Color, Frame, HdrStatic, ToneMapping};

/// Light of SDR's white in cd/m²: what is 1 to the curve.
const WHITE: f64 = 100.0;

/// Makes pictures of PQ or HLG into such of BT.709, 4:2:0 of limited range.
///
/// Law: a picture in gives a picture out, of the same size, with all its attributes but colour, HDR metadata and samples; those
/// follow from the picture alone. Planar pictures only. It works in the calling thread alone.
pub struct ToneMapper {
    mapping: ToneMapping,
    filters: Vec<Filter>,
    graph: Option<FilterGraph>,
}

impl ToneMapper {
    /// To pictures of `depth` bits, 8 or 10; set up by the first picture.
    pub fn new(mapping: &ToneMapping, depth: u8) -> Self {
        ToneMapper { mapping: *mapping, filters: filters(mapping, depth), graph: None }
    }

    /// `frame` as SDR.
    ///
    /// # Errors
    /// `Unsupported` where libavfilter has no zscale or tonemap, saying what to install, and for formats they do not take;
    /// `Encode` where they fail.
    pub fn map(&mut self, frame: Frame) -> Result<Frame> {
        let pts = frame.pts;
        self.mapped(frame).map_err(|e| e.at(pts))
    }

    fn mapped(&mut self, frame: Frame) -> Result<Frame> {
        // zimg converts nothing of which it is not told what it is.
        let color = self.mapping.source_colour(frame.color);
        let picture = VideoFrame::lent(&Frame { color, ..frame.clone() })?;
        let graph = match &mut self.graph {
            Some(graph) if graph.takes(&picture) => graph,
            old => old.insert(FilterGraph::chain(&self.filters, &picture).map_err(what_to_install)?),
        };
        graph.push(&picture)?;
        let sdr = graph.pull()?.ok_or_else(|| Error::new(ErrorKind::Encode, "the tone mapper lost a picture"))?;
        let (format, planes) = (sdr.format(), Arc::new(sdr));
        // Where chroma lies zimg leaves as it is.
        let color = Color { chroma_location: frame.color.chroma_location, ..ToneMapping::RESULT };
        Ok(Frame { format, planes, color, hdr: HdrStatic::default(), ..frame })
    }
}

fn what_to_install(error: Error) -> Error {
    if !error.to_string().contains("no filter") {
        return error;
    }
    let message = "tone mapping needs libavfilter's zscale and tonemap: install an FFmpeg that was built with zimg \
                   (--enable-libzimg), or leave --tonemap off";
    Error::new(ErrorKind::Unsupported, message).caused_by(error)
}

/// To linear light, to BT.709's primaries, under its white, to its transfer and matrix.
fn filters(mapping: &ToneMapping, depth: u8) -> Vec<Filter> {
    let curve = format!("tonemap={}:peak={:.4}:desat=0", mapping.curve.name(), mapping.peak / WHITE);
    let sdr = "transfer=bt709:matrix=bt709:range=limited";
    let format = if depth == 8 { "yuv420p" } else { "yuv420p10" };
    let filter = |filter, name, options: String| Filter {
        filter,
        name,
        // Made of numbers and words of our own.
        options: CString::new(options).unwrap_or_default().into(),
    };
    vec![
        filter(c"zscale", c"linear", format!("transfer=linear:npl={WHITE}")),
        filter(c"format", c"float", "pix_fmts=gbrpf32".to_owned()),
        filter(c"zscale", c"gamut", "primaries=bt709".to_owned()),
        filter(c"tonemap", c"tonemap", curve),
        filter(c"zscale", c"sdr", sdr.to_owned()),
        filter(c"format", c"coded", format!("pix_fmts={format}")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::ToneCurve;

    #[test]
    fn the_peak_is_told_in_units_of_sdr_s_white() {
        let mapping = ToneMapping { curve: ToneCurve::Mobius, peak: 1000.0, source: [9, 16, 9] };
        let filters = filters(&mapping, 8);
        assert_eq!(filters[3].options.to_str().unwrap(), "tonemap=mobius:peak=10.0000:desat=0");
        assert_eq!(filters[5].options.to_str().unwrap(), "pix_fmts=yuv420p");
    }

    #[test]
    fn a_library_without_the_filters_is_told_what_to_install() {
        let missing = Error::new(ErrorKind::Unsupported, "this FFmpeg has no filter zscale");
        let error = what_to_install(missing);
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("built with zimg"), "{error}");
        let other = what_to_install(Error::new(ErrorKind::Encode, "a filter failed"));
        assert_eq!(other.kind(), ErrorKind::Encode);
    }
}
