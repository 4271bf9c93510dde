//! The score of one file against another.

use std::path::Path;

use crate::av::{DecoderOptions, VideoFrame};
use crate::base::{CancelToken, Error, ErrorKind, Result};
use crate::event::{Event, Sink};
use crate::media::{Flip, Frame, MediaInfo, PixelFormat};
use crate::meter::{Model, Scores, Session, SessionConfig, Stride};
use crate::pixel::{Converter, Flipper};
use crate::plan::main_video;
use crate::source::{Pictures, looked_at};

/// How [`vmaf`] measures.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VmafOptions {
    /// Each how many-th frame is scored; every one without it.
    pub stride: Option<u32>,
    /// The model's name; by the picture's size without it.
    pub model: Option<String>,
}

/// Scores the main video of `distorted` against that of `reference`.
///
/// Pictures that are mirrored by their file's word are scored as they are shown; turns are left to both. Frames are paired by
/// their order, never by timestamps. 8-bit 4:2:0 is scored as it is when both are; every
/// other format as 10-bit 4:2:0.
///
/// # Errors
/// `Input` and `Unsupported` for files, and where the number or the size of pictures differs; `Usage` for an
/// unknown model.
pub fn vmaf(
    reference: &Path,
    distorted: &Path,
    options: &VmafOptions,
    sink: &dyn Sink,
    cancel: &CancelToken,
) -> Result<Scores> {
    looked_at(reference, cancel, |reference| {
        looked_at(distorted, cancel, |distorted| vmaf_of_files(reference, distorted, options, sink, cancel))
    })
}

fn vmaf_of_files(
    reference: &Path,
    distorted: &Path,
    options: &VmafOptions,
    sink: &dyn Sink,
    cancel: &CancelToken,
) -> Result<Scores> {
    let stride = Stride::new(options.stride.unwrap_or(1))?;
    if stride.is_even() {
        let message = format!(
            "a stride of {} is even: it beats with the encoder's pyramid of layers and can read up to 2.7 too high; \
             take an odd one",
            stride.get()
        );
        sink.event(&Event::Warning { message });
    }
    let model = options.model.as_deref().map(Model::parse).transpose()?;
    let mut one = Side::open(reference, cancel)?;
    let mut other = Side::open(distorted, cancel)?;
    let first = match (one.next()?, other.next()?) {
        (Some(one), Some(other)) => (one, other),
        _ => return Err(Error::new(ErrorKind::Input, "there is no picture to compare")),
    };
    check_sizes(&first.0, &first.1)?;
    let both_8_bit = first.0.format == PixelFormat::YUV420P8 && first.1.format == PixelFormat::YUV420P8;
    let (width, height) = (first.0.width, first.0.height);
    let mut config = SessionConfig::new(
        model.unwrap_or_else(|| Model::for_size(width, height)),
        width,
        height,
        if both_8_bit { 8 } else { 10 },
    );
    config.stride = stride;
    config.threads = std::thread::available_parallelism().map_or(1, |n| n.get().min(16) as u32);
    let mut session = Session::new(config)?;
    let mut pair = Some(first);
    let mut index = 0;
    while let Some((a, b)) = pair {
        cancel.check()?;
        let (a, b) = if both_8_bit { (a, b) } else { (one.converter.for_encoder(a)?, other.converter.for_encoder(b)?) };
        session.score(index, &a, &b)?;
        index += 1;
        pair = match (one.next()?, other.next()?) {
            (Some(a), Some(b)) => Some((a, b)),
            (None, None) => None,
            (a, _) => {
                let longer = if a.is_some() { "reference" } else { "distorted file" };
                let message = format!("the files differ in length: the {longer} goes on after {index} pictures");
                return Err(Error::new(ErrorKind::Input, message));
            }
        };
    }
    session.finish()
}

struct Side {
    pictures: Pictures,
    converter: Converter,
    /// By the container's word.
    flip: Option<Flip>,
    /// `None` until the first picture says what is to be done.
    flipper: Option<Option<Flipper>>,
}

impl Side {
    fn open(path: &Path, cancel: &CancelToken) -> Result<Self> {
        let pictures = Pictures::open(path, main_video, DecoderOptions::default(), cancel)?;
        let video = |info: &MediaInfo| info.streams.get(main_video(info)?)?.video.as_ref()?.flip;
        let flip = video(pictures.info());
        Ok(Side { pictures, converter: Converter::new(), flip, flipper: None })
    }

    fn next(&mut self) -> Result<Option<Frame>> {
        let Some(frame) = self.pictures.next()? else { return Ok(None) };
        let flipper = self.flipper.get_or_insert_with(|| {
            // As the plan of an encode has it: a picture's own word goes before the container's.
            let own = frame.planes.as_any().downcast_ref::<VideoFrame>().and_then(VideoFrame::orientation);
            own.map_or(self.flip, |own| own.flip).map(Flipper::new)
        });
        match flipper {
            Some(flipper) => flipper.flip(self.converter.for_measuring(frame)?).map(Some),
            None => Ok(Some(frame)),
        }
    }
}

fn check_sizes(reference: &Frame, distorted: &Frame) -> Result<()> {
    let (r, d) = ((reference.width, reference.height), (distorted.width, distorted.height));
    if r == d {
        return Ok(());
    }
    let message = format!("the pictures differ in size: reference {}x{}, distorted {}x{}", r.0, r.1, d.0, d.1);
    Err(Error::new(ErrorKind::Unsupported, message))
}
