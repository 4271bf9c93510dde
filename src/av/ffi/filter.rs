//! libavfilter: filters of pictures in a row, between a source and a sink of our own.

use std::borrow::Cow;
use std::ffi::{CStr, CString, c_int};
use std::ptr::{self, NonNull};

use ffmpeg_next::ffi as sys;

use super::frame::{RawFrame, VideoFrame};
use super::{check, out_of_memory, raw_enum};
use crate::base::{Error, ErrorKind, Rational, Result};
use crate::media::PixelFormat;

/// A filter by its name in FFmpeg, the name of this use of it, and its options.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    pub(crate) filter: &'static CStr,
    pub(crate) name: &'static CStr,
    pub(crate) options: Cow<'static, CStr>,
}

/// Pictures of one format and size through one filter, or several in a row.
///
/// Law: push a picture, then pull until `None`; after the last `finish`, then pull until `None`. It works in the
/// calling thread alone, so a result depends on the pictures only. Pictures keep their order and nothing else of
/// their times: going in they are numbered, coming out they have none, because filters reckon with times, and those of
/// damaged files lead to nonsense there.
pub(crate) struct FilterGraph {
    graph: NonNull<sys::AVFilterGraph>,
    source: *mut sys::AVFilterContext,
    sink: *mut sys::AVFilterContext,
    shape: (c_int, c_int, c_int),
    strides: [c_int; 4],
    pushed: i64,
}

// SAFETY: without threads of its own a graph has no thread affinity; `&mut self` keeps it to one thread at a time.
unsafe impl Send for FilterGraph {}

impl FilterGraph {
    /// A graph for pictures as `first`, which is not pushed.
    ///
    /// # Errors
    /// `Unsupported` where this FFmpeg has no such filter, or the filter does not take such pictures.
    pub(crate) fn new(filter: &Filter, first: &VideoFrame) -> Result<Self> {
        Self::chain(std::slice::from_ref(filter), first)
    }

    /// As [`new`](Self::new), for filters of which each takes what the one before gives.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub(crate) fn chain(filters: &[Filter], first: &VideoFrame) -> Result<Self> {
        // SAFETY: no preconditions; null means out of memory.
        let graph = NonNull::new(unsafe { sys::avfilter_graph_alloc() }).ok_or_else(|| out_of_memory("a filter"))?;
        let mut graph = FilterGraph {
            graph,
            source: ptr::null_mut(),
            sink: ptr::null_mut(),
            shape: shape(first),
            strides: strides(first),
            pushed: 0,
        };
        // SAFETY: the graph is ours, and this is set before it has filters.
        unsafe { (*graph.graph.as_ptr()).nb_threads = 1 };
        graph.source = graph.add(c"buffer", c"in", &source_options(first)?)?;
        let mut chain = vec![graph.source];
        if let Some(planar) = planar_twin(first.raw().fields().format) {
            chain.push(graph.add(c"format", c"planar", &planar)?);
        }
        for filter in filters {
            chain.push(graph.add(filter.filter, filter.name, &filter.options)?);
        }
        graph.sink = graph.add(c"buffersink", c"out", c"")?;
        chain.push(graph.sink);
        let names: Vec<_> = filters.iter().map(|filter| filter.filter.to_string_lossy()).collect();
        let what = format!("{} cannot be set up", names.join(", "));
        // SAFETY: all are filters of this graph, each linked once to the next; where formats differ, libavfilter puts a
        // conversion between. Configuring comes after linking.
        unsafe {
            for pair in chain.windows(2) {
                check(sys::avfilter_link(pair[0], 0, pair[1], 0), ErrorKind::Unsupported, &what)?;
            }
            let code = sys::avfilter_graph_config(graph.graph.as_ptr(), ptr::null_mut());
            check(code, ErrorKind::Unsupported, &what)?;
        }
        Ok(graph)
    }

    fn add(&mut self, filter: &CStr, name: &CStr, options: &CStr) -> Result<*mut sys::AVFilterContext> {
        let mut context = ptr::null_mut();
        let what = format!("filter {} cannot be made", filter.to_string_lossy());
        // SAFETY: the strings are terminated and copied; a filter's description is static; the graph owns what is made.
        unsafe {
            let found = sys::avfilter_get_by_name(filter.as_ptr());
            if found.is_null() {
                let message = format!("this FFmpeg has no filter {}", filter.to_string_lossy());
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
            let code = sys::avfilter_graph_create_filter(
                &mut context,
                found,
                name.as_ptr(),
                options.as_ptr(),
                ptr::null_mut(),
                self.graph.as_ptr(),
            );
            check(code, ErrorKind::Unsupported, &what)?;
        }
        Ok(context)
    }

    /// Whether `picture` has the format and size this graph is for.
    pub(crate) fn takes(&self, picture: &VideoFrame) -> bool {
        self.shape == shape(picture)
    }

    /// Whether the rows of `picture` are as far apart as those of the first; some filters rely on that.
    pub(crate) fn has_rows_of(&self, picture: &VideoFrame) -> bool {
        self.strides == strides(picture)
    }

    /// Gives the filter a picture, which is shared and not changed.
    pub(crate) fn push(&mut self, picture: &VideoFrame) -> Result<()> {
        if !self.takes(picture) {
            return Err(Error::new(ErrorKind::Encode, "a filter was given a picture of another format or size"));
        }
        let mut own = RawFrame::new()?;
        // SAFETY: `own` is blank and becomes a reference to the picture's buffers, which outlive it and which no
        // filter writes to while they are shared. Its number is set before it is handed over; the source takes the
        // reference out of it.
        unsafe {
            let frame = own.as_mut_ptr();
            check(sys::av_frame_ref(frame, picture.raw().as_ptr()), ErrorKind::Encode, "a picture cannot be shared")?;
            (*frame).pts = self.pushed;
            let code = sys::av_buffersrc_add_frame_flags(self.source, frame, 0);
            check(code, ErrorKind::Encode, "a filter does not take a picture")?;
        }
        self.pushed += 1;
        Ok(())
    }

    /// Says that no picture follows.
    pub(crate) fn finish(&mut self) -> Result<()> {
        // SAFETY: the source is a filter of this graph; no frame means the end.
        let code = unsafe { sys::av_buffersrc_add_frame_flags(self.source, ptr::null_mut(), 0) };
        check(code, ErrorKind::Encode, "a filter does not end").map(drop)
    }

    /// The next picture; `None` until more is pushed, or at the end.
    pub(crate) fn pull(&mut self) -> Result<Option<VideoFrame>> {
        let mut frame = RawFrame::new()?;
        // SAFETY: the sink is a filter of this graph; the frame is blank.
        let code = unsafe { sys::av_buffersink_get_frame(self.sink, frame.as_mut_ptr()) };
        if code == sys::AVERROR(sys::EAGAIN) || code == sys::AVERROR_EOF {
            return Ok(None);
        }
        check(code, ErrorKind::Encode, "a filter failed")?;
        // SAFETY: the frame is ours alone.
        unsafe {
            let f = frame.as_mut_ptr();
            (*f).pts = sys::AV_NOPTS_VALUE;
            (*f).best_effort_timestamp = sys::AV_NOPTS_VALUE;
        }
        Ok(Some(VideoFrame::new(frame, Rational::ONE)))
    }
}

impl Drop for FilterGraph {
    fn drop(&mut self) {
        let mut graph = self.graph.as_ptr();
        // SAFETY: we own the graph; this frees it with its filters. Pictures that were pulled hold their own references.
        unsafe { sys::avfilter_graph_free(&mut graph) }
    }
}

impl VideoFrame {
    /// What a filter wrote under `key`.
    pub(crate) fn note(&self, key: &CStr) -> Option<&str> {
        let notes = self.raw().fields().metadata;
        // SAFETY: a dictionary may be null; an entry's value is a terminated string that lives as long as the frame,
        // which nobody writes to while it is borrowed.
        unsafe {
            let entry = sys::av_dict_get(notes, key.as_ptr(), ptr::null(), 0).as_ref()?;
            CStr::from_ptr(entry.value).to_str().ok()
        }
    }
}

fn shape(picture: &VideoFrame) -> (c_int, c_int, c_int) {
    let f = picture.raw().fields();
    (f.format, f.width, f.height)
}

fn strides(picture: &VideoFrame) -> [c_int; 4] {
    let [a, b, c, d, ..] = picture.raw().fields().linesize;
    [a, b, c, d]
}

/// The `format` that keeps a picture's subsampling and depth where its planes do not: libavfilter's own choice for
/// P010 has 16 bits.
fn planar_twin(format: c_int) -> Option<CString> {
    if !matches!(super::frame::pixel_format(format), PixelFormat::Other(_)) {
        return None;
    }
    let d = super::frame::descriptor(format)?;
    let unwanted = sys::AV_PIX_FMT_FLAG_RGB | sys::AV_PIX_FMT_FLAG_ALPHA | sys::AV_PIX_FMT_FLAG_HWACCEL;
    let subsampling = match (d.log2_chroma_w, d.log2_chroma_h) {
        (1, 1) => "420",
        (1, 0) => "422",
        (0, 0) => "444",
        _ => return None,
    };
    let depth = match d.comp[0].depth {
        8 => String::new(),
        depth @ (9 | 10 | 12 | 14 | 16) => depth.to_string(),
        _ => return None,
    };
    let wanted = d.nb_components == 3 && d.flags & unwanted as u64 == 0;
    wanted.then(|| CString::new(format!("pix_fmts=yuv{subsampling}p{depth}")).ok()).flatten()
}

fn source_options(first: &VideoFrame) -> Result<CString> {
    let f = first.raw().fields();
    let (aspect, (width, height)) = (first.sample_aspect_ratio(), first.size());
    let (num, den) = aspect.map_or((0, 1), |a| (a.num(), a.den()));
    // A twenty-fifth of a second for each: filters that ask get an ordinary number.
    let mut options =
        format!("video_size={width}x{height}:pix_fmt={}:time_base=1/25:pixel_aspect={num}/{den}", f.format);
    // SAFETY: returns a constant.
    let version = unsafe { sys::avfilter_version() };
    // From FFmpeg 7.0 on colour is agreed on between filters, and a picture that differs is warned of.
    if version >> 16 >= 10 {
        let (matrix, range) = (raw_enum!(f.colorspace), raw_enum!(f.color_range));
        if (0..=14).contains(&matrix) && (0..=2).contains(&range) {
            options += &format!(":colorspace={matrix}:range={range}");
        }
    }
    CString::new(options).map_err(|_| Error::new(ErrorKind::Unsupported, "a picture's shape holds a zero byte"))
}

#[cfg(test)]
#[path = "filter_tests.rs"]
mod tests;
