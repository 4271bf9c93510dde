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

use crate::av::{DecoderOptions, Deinterlacer, Parity, Selection};
use crate::base::{CancelToken, Error, ErrorKind, Result, Timestamp};
use crate::hdr::Conversion;
use crate::media::{Dynamic, Frame, PixelFormat, Rect};
use crate::pixel::Converter;
use crate::source::{DecodeStats, Pictures};

/// What is done, decided once for a film.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Treatment {
    /// Size of decoded pictures in luma samples.
    pub(super) source: (u32, u32),
    /// How they are deinterlaced, if they are.
    pub(super) deinterlace: Option<(Parity, Selection)>,
    /// The part of them that is kept, of even size.
    pub(super) crop: Rect,
    /// What that is scaled to.
    pub(super) scale: Option<(u32, u32)>,
    /// Bits a sample of the encode.
    pub(super) depth: u8,
    /// What becomes of RPUs; without it they are left out.
    pub(super) dolby_vision: Option<Conversion>,
    /// Whether a picture whose RPU is missing or cannot be carried ends the run.
    pub(super) require_dolby_vision: bool,
}

impl Treatment {
    /// Size of the pictures that come out, in luma samples.
    pub(super) fn size(&self) -> (u32, u32) {
        self.scale.unwrap_or((self.crop.width, self.crop.height))
    }

    /// Whether parts of the picture are cut off.
    pub(super) fn is_cropped(&self) -> bool {
        self.crop != Rect::whole(self.source.0, self.source.1).even()
    }

    /// Whether pictures lean on the ones beside them, so that decoding has to begin earlier.
    fn needs_neighbours(&self) -> bool {
        self.deinterlace.is_some()
    }
}

/// Metadata of single pictures that was carried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Carried {
    /// Pictures with HDR10+.
    pub(super) hdr10_plus: u64,
    /// Pictures with an RPU.
    pub(super) dolby_vision: u64,
    /// Why the first RPU that was lost was lost.
    pub(super) first_loss: Option<String>,
}

/// Treats the pictures of one film, in display order.
pub(super) struct Treat {
    plan: Treatment,
    deinterlacer: Option<Deinterlacer>,
    /// For formats that are not planar.
    planar: Converter,
    scaler: Option<Converter>,
    carried: Carried,
}

impl Treat {
    pub(super) fn new(plan: Treatment) -> Self {
        let scaler = plan.scale.map(|(width, height)| Converter::to_depth(plan.depth).scaling_to(width, height));
        let deinterlacer = plan.deinterlace.map(|(parity, selection)| Deinterlacer::new(parity, selection));
        Treat { plan, deinterlacer, planar: Converter::to_depth(plan.depth), scaler, carried: Carried::default() }
    }

    /// Takes the next decoded picture; what is ready goes to `out`.
    ///
    /// # Errors
    /// `Unsupported` for a picture of another size than the first, and for lost Dolby Vision where it is required.
    pub(super) fn push(&mut self, frame: Frame, out: &mut VecDeque<Frame>) -> Result<()> {
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
    pub(super) fn finish(&mut self, out: &mut VecDeque<Frame>) -> Result<()> {
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
    pub(super) fn carried(&self) -> &Carried {
        &self.carried
    }

    /// The buffers of pictures that were copied.
    pub(super) fn pool(&self) -> crate::media::PoolStats {
        let (planar, scaled) = (self.planar.stats(), self.scaler.as_ref().map(Converter::stats).unwrap_or_default());
        crate::media::PoolStats {
            allocations: planar.allocations + scaled.allocations,
            reuses: planar.reuses + scaled.reuses,
        }
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
        let planar = Frame { dynamic, ..self.planar.to_planar(frame)? };
        let cropped = planar.cropped(self.plan.crop).ok_or_else(|| {
            let message = format!("the crop {} does not fit the picture", self.plan.crop);
            Error::new(ErrorKind::Unsupported, message).at(pts)
        })?;
        match &mut self.scaler {
            Some(scaler) => scaler.to_encoder(cropped),
            None => Ok(cropped),
        }
    }

    /// The metadata as AV1 is to carry it.
    fn metadata(&mut self, frame: &Frame) -> Result<Dynamic> {
        let hdr10_plus = frame.dynamic.hdr10_plus.clone();
        self.carried.hdr10_plus += u64::from(hdr10_plus.is_some());
        let Some(conversion) = &self.plan.dolby_vision else { return Ok(Dynamic { hdr10_plus, dolby_vision: None }) };
        let missing = || Error::new(ErrorKind::Unsupported, "the picture has no Dolby Vision RPU");
        let message = frame.dynamic.dolby_vision.as_ref().ok_or_else(missing).and_then(|rpu| conversion.message(rpu));
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
pub(super) fn messages(dynamic: &Dynamic) -> Vec<Arc<[u8]>> {
    [&dynamic.hdr10_plus, &dynamic.dolby_vision].into_iter().flatten().cloned().collect()
}

/// Pictures of a file, treated.
pub(super) struct TreatedPictures {
    pictures: Pictures,
    treat: Treat,
    ready: VecDeque<Frame>,
    ended: bool,
}

impl TreatedPictures {
    /// From the first picture on.
    pub(super) fn new(pictures: Pictures, treatment: Treatment) -> Self {
        TreatedPictures { pictures, treat: Treat::new(treatment), ready: VecDeque::new(), ended: false }
    }

    /// As [`Pictures::open_at`], with `before` the time of the picture before, if there is one.
    pub(super) fn open_at(
        path: &Path,
        stream: usize,
        (start, before): (Timestamp, Option<Timestamp>),
        index: u64,
        (options, treatment): (DecoderOptions, Treatment),
        cancel: &CancelToken,
    ) -> Result<Self> {
        let earlier = before.filter(|_| treatment.needs_neighbours() && index > 0);
        let (from, first) = earlier.map_or((start, index), |before| (before, index - 1));
        let pictures = Pictures::open_at(path, stream, from, first, options, cancel)?;
        let mut treated = Self::new(pictures, treatment);
        if earlier.is_some() {
            treated.next()?;
        }
        Ok(treated)
    }

    /// The next picture in display order; `Ok(None)` after the last.
    pub(super) fn next(&mut self) -> Result<Option<Frame>> {
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

    pub(super) fn stats(&self) -> DecodeStats {
        self.pictures.stats()
    }

    pub(super) fn decoder_name(&self) -> String {
        self.pictures.decoder_name()
    }

    pub(super) fn carried(&self) -> &Carried {
        self.treat.carried()
    }

    pub(super) fn pool(&self) -> crate::media::PoolStats {
        self.treat.pool()
    }
}

/// `frame` as an encoder of `depth` bits takes it; `converter` is for the film's depth.
pub(super) fn at_depth(converter: &mut Converter, frame: Frame, depth: u8) -> Result<Frame> {
    let as_it_is = match depth {
        8 => PixelFormat::YUV420P8,
        _ => PixelFormat::YUV420P10,
    };
    if frame.format == as_it_is { Ok(frame) } else { converter.to_encoder(frame) }
}
