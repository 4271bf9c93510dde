//! What is done to decoded pictures before they are measured, encoded and scored.
//!
//! ```text
//! decoded ─► deinterlaced ─► planar ─► cropped ─► scaled ─► with the metadata AV1 is to carry
//! ```
//!
//! All that looks at a film's pictures looks at these: what is scored is what was encoded.
#![deny(unsafe_code)]

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use crate::av::{DecoderOptions, Deinterlacer};
use crate::base::{CancelToken, Error, ErrorKind, Result, Timestamp};
use crate::hdr;
use crate::media::{Dynamic, Frame, PixelFormat, VideoInfo};
use crate::pixel::Converter;
use crate::plan::Treatment;
use crate::source::{DecodeStats, PicturePlace, Pictures};

/// Level and compatibility of the Dolby Vision that a treated `video` has, if it has RPUs.
pub(crate) fn dolby_vision(treatment: &Treatment, video: &VideoInfo) -> Option<(u8, u8)> {
    let (width, height) = treatment.size();
    let rate = video.frame_rate.map_or(25.0, |r| r.as_f64());
    treatment.dolby_vision.map(|c| (hdr::level(width, height, rate), c.compatibility))
}

/// Its configuration record.
pub(crate) fn dolby_vision_record(treatment: &Treatment, video: &VideoInfo) -> Option<[u8; hdr::RECORD_BYTES]> {
    dolby_vision(treatment, video).map(|(level, compatibility)| hdr::record(level, compatibility))
}

/// Metadata of single pictures that was carried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Carried {
    /// Pictures with HDR10+.
    pub(crate) hdr10_plus: u64,
    /// Pictures with an RPU.
    pub(crate) dolby_vision: u64,
    /// Why the first RPU that was lost was lost.
    pub(crate) first_loss: Option<String>,
}

/// Treats the pictures of one film, in display order.
pub(crate) struct Treat {
    plan: Treatment,
    deinterlacer: Option<Deinterlacer>,
    /// For formats that are not planar.
    planar: Converter,
    scaler: Option<Converter>,
    carried: Carried,
}

impl Treat {
    pub(crate) fn new(plan: Treatment) -> Self {
        let scaler = plan.scale.map(|(width, height)| Converter::to_depth(plan.depth).scaling_to(width, height));
        let deinterlacer = plan.deinterlace.map(|(parity, selection)| Deinterlacer::new(parity, selection));
        Treat { plan, deinterlacer, planar: Converter::to_depth(plan.depth), scaler, carried: Carried::default() }
    }

    /// Takes the next decoded picture; what is ready goes to `out`.
    ///
    /// # Errors
    /// `Unsupported` for a picture of another size than the first, and for lost Dolby Vision where it is required.
    pub(crate) fn push(&mut self, frame: Frame, out: &mut VecDeque<Frame>) -> Result<()> {
        self.check_size(&frame)?;
        let whole = match &mut self.deinterlacer {
            Some(deinterlacer) => deinterlacer.push(frame)?,
            None => vec![frame],
        };
        self.shape(whole, out)
    }

    /// After the last picture: what was held back goes to `out`.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub(crate) fn finish(&mut self, out: &mut VecDeque<Frame>) -> Result<()> {
        let rest = match &mut self.deinterlacer {
            Some(deinterlacer) => deinterlacer.finish()?,
            None => Vec::new(),
        };
        self.shape(rest, out)
    }

    fn shape(&mut self, frames: Vec<Frame>, out: &mut VecDeque<Frame>) -> Result<()> {
        for frame in frames {
            out.push_back(self.finish_one(frame)?);
        }
        Ok(())
    }

    /// What was carried so far.
    pub(crate) fn carried(&self) -> &Carried {
        &self.carried
    }

    /// The buffers of pictures that were copied.
    pub(crate) fn pool(&self) -> crate::media::PoolStats {
        let (planar, scaled) = (self.planar.stats(), self.scaler.as_ref().map(Converter::stats).unwrap_or_default());
        planar.plus(scaled)
    }

    fn check_size(&self, frame: &Frame) -> Result<()> {
        let (w, h) = self.plan.source;
        if (frame.width, frame.height) == (w, h) {
            return Ok(());
        }
        let message = format!("the picture changes its size from {w}x{h} to {}x{}", frame.width, frame.height);
        Err(Error::new(ErrorKind::Unsupported, message).at(frame.pts))
    }

    fn finish_one(&mut self, frame: Frame) -> Result<Frame> {
        let pts = frame.pts;
        let dynamic = self.metadata(&frame)?;
        let planar = Frame { dynamic, ..self.planar.for_measuring(frame)? };
        let cropped = planar.cropped(self.plan.crop).ok_or_else(|| {
            let message = format!("the crop {} does not fit the picture", self.plan.crop);
            Error::new(ErrorKind::Unsupported, message).at(pts)
        })?;
        match &mut self.scaler {
            Some(scaler) => scaler.for_encoder(cropped),
            None => Ok(cropped),
        }
    }

    /// The metadata as AV1 is to carry it.
    fn metadata(&mut self, frame: &Frame) -> Result<Dynamic> {
        let hdr10_plus = frame.dynamic.hdr10_plus.clone();
        self.carried.hdr10_plus += u64::from(hdr10_plus.is_some());
        let Some(conversion) = &self.plan.dolby_vision else { return Ok(Dynamic { hdr10_plus, dolby_vision: None }) };
        let missing = || Error::new(ErrorKind::Unsupported, "the picture has no Dolby Vision RPU");
        let message =
            frame.dynamic.dolby_vision.as_ref().ok_or_else(missing).and_then(|rpu| hdr::message(conversion, rpu));
        let dolby_vision = match message {
            Ok(message) => Some(message),
            Err(error) if self.plan.require_dolby_vision => return Err(error.at(frame.pts)),
            Err(error) => {
                self.carried.first_loss.get_or_insert_with(|| error.at(frame.pts).to_string());
                None
            }
        };
        self.carried.dolby_vision += u64::from(dolby_vision.is_some());
        Ok(Dynamic { hdr10_plus, dolby_vision })
    }
}

/// The ITU-T T.35 messages of a treated picture, as they are written.
pub(crate) fn messages(dynamic: &Dynamic) -> Vec<Arc<[u8]>> {
    [&dynamic.hdr10_plus, &dynamic.dolby_vision].into_iter().flatten().cloned().collect()
}

/// Pictures of a file, treated.
pub(crate) struct TreatedPictures {
    pictures: Pictures,
    treat: Treat,
    ready: VecDeque<Frame>,
    ended: bool,
}

impl TreatedPictures {
    /// From the first picture on.
    pub(crate) fn new(pictures: Pictures, treatment: Treatment) -> Self {
        TreatedPictures { pictures, treat: Treat::new(treatment), ready: VecDeque::new(), ended: false }
    }

    /// As [`Pictures::open_at`], with `before` the time of the picture before, if there is one.
    pub(crate) fn open_at(
        path: &Path,
        place: PicturePlace,
        before: Option<Timestamp>,
        (options, treatment): (DecoderOptions, Treatment),
        cancel: &CancelToken,
    ) -> Result<Self> {
        let earlier = before.filter(|_| treatment.needs_neighbours() && place.index > 0);
        let from = earlier.map_or(place, |start| PicturePlace { start, index: place.index - 1, ..place });
        let pictures = Pictures::open_at(path, from, options, cancel)?;
        let mut treated = Self::new(pictures, treatment);
        if earlier.is_some() {
            treated.next()?;
        }
        Ok(treated)
    }

    /// Whether times do not lead to the pictures that follow.
    pub(crate) fn source_has_jumped(&self) -> bool {
        self.pictures.has_jumped()
    }

    /// The next picture in display order; `Ok(None)` after the last.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                return Ok(Some(frame));
            }
            if self.ended {
                return Ok(None);
            }
            match self.pictures.next()? {
                Some(frame) => self.treat.push(frame, &mut self.ready)?,
                None => {
                    self.ended = true;
                    self.treat.finish(&mut self.ready)?;
                }
            }
        }
    }

    pub(crate) fn stats(&self) -> DecodeStats {
        self.pictures.stats()
    }

    pub(crate) fn decoder_name(&self) -> String {
        self.pictures.decoder_name()
    }

    pub(crate) fn carried(&self) -> &Carried {
        self.treat.carried()
    }

    pub(crate) fn pool(&self) -> crate::media::PoolStats {
        self.treat.pool()
    }
}

/// `frame` as an encoder of `depth` bits takes it; `converter` is for the film's depth.
pub(crate) fn at_depth(converter: &mut Converter, frame: Frame, depth: u8) -> Result<Frame> {
    let as_it_is = match depth {
        8 => PixelFormat::YUV420P8,
        _ => PixelFormat::YUV420P10,
    };
    if frame.format == as_it_is { Ok(frame) } else { converter.for_encoder(frame) }
}
