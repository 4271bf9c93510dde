//! What is done to decoded pictures before they are measured, encoded and scored.
//!
//! ```text
//! decoded ─► of one size ─► deinterlaced ─► planar ─► cropped ─► mirrored ─► scaled ─► tone mapped, or in the matrix of its
//! new size ─► with the metadata AV1 is to carry
//! ```
//!
//! All that looks at a film's pictures looks at these: what is scored is what was encoded.
#![deny(unsafe_code)]

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use crate::av::{Deinterlacer, ToneMapper};
use crate::base::{CancelToken, Error, ErrorKind, Rational, Result, Span, Timestamp};
use crate::hdr;
use crate::media::{Carried, Dynamic, Frame, PixelFormat, VideoInfo};
use crate::pixel::{Converter, Flipper, MatrixChanger};
use crate::plan::Treatment;
use crate::source::{DecodeStats, PicturePlace, Pictures, VideoOptions};

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

/// Treats the pictures of one film, in display order.
pub(crate) struct Treat {
    plan: Treatment,
    /// For pictures of other sizes, by their size.
    resizers: Vec<((u32, u32), Converter)>,
    deinterlacer: Option<Deinterlacer>,
    /// For formats that are not planar.
    planar: Converter,
    flipper: Option<Flipper>,
    scaler: Option<Converter>,
    tones: Option<ToneMapper>,
    matrix: Option<MatrixChanger>,
    /// The picture that is the last so far, where its end is known.
    held: Option<Frame>,
    carried: Carried,
}

impl Treat {
    pub(crate) fn new(plan: Treatment) -> Self {
        let depth = plan.working_depth();
        let scaler = plan.scale.map(|(width, height)| Converter::to_depth(depth).scaling_to(width, height));
        let deinterlacer = plan.deinterlace.map(|(parity, selection)| Deinterlacer::new(parity, selection));
        Treat {
            plan,
            resizers: Vec::new(),
            deinterlacer,
            planar: Converter::to_depth(depth),
            flipper: plan.flip.map(Flipper::new),
            scaler,
            tones: plan.tone.map(|tone| ToneMapper::new(&tone, plan.depth)),
            matrix: plan.matrix.map(MatrixChanger::new),
            held: None,
            carried: Carried::default(),
        }
    }

    /// Takes the next decoded picture; what is ready goes to `out`.
    ///
    /// # Errors
    /// `Unsupported` for a picture of another size where none lasts, and for lost Dolby Vision where it is required.
    pub(crate) fn push(&mut self, frame: Frame, out: &mut VecDeque<Frame>) -> Result<()> {
        let frame = self.of_one_size(frame)?;
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
        self.shape(rest, out)?;
        out.extend(self.held.take().map(|last| ending(last, self.plan.end_ns)));
        Ok(())
    }

    /// Where reading broke off: the picture that is held goes to `out` as it is.
    fn break_off(&mut self, out: &mut VecDeque<Frame>) {
        out.extend(self.held.take());
    }

    fn shape(&mut self, frames: Vec<Frame>, out: &mut VecDeque<Frame>) -> Result<()> {
        for frame in frames {
            let frame = self.finish_one(frame)?;
            match self.plan.end_ns {
                Some(_) => out.extend(self.held.replace(frame)),
                None => out.push_back(frame),
            }
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
        let flipped = self.flipper.as_ref().map(Flipper::stats).unwrap_or_default();
        let resized = self.resizers.iter().fold(flipped, |all, (_, resizer)| all.plus(resizer.stats()));
        let changed = self.matrix.as_ref().map(MatrixChanger::stats).unwrap_or_default();
        planar.plus(scaled).plus(resized).plus(changed)
    }

    /// The picture in the film's size.
    fn of_one_size(&mut self, frame: Frame) -> Result<Frame> {
        let ((w, h), size) = (self.plan.source, (frame.width, frame.height));
        if size == (w, h) {
            return Ok(frame);
        }
        if self.plan.one_size {
            let depth = match frame.format {
                PixelFormat::Planar { depth: 8, .. } => 8,
                _ => self.plan.working_depth(),
            };
            let resizer = match self.resizers.iter_mut().position(|(of, _)| *of == size) {
                Some(at) => &mut self.resizers[at].1,
                None => {
                    self.resizers.push((size, Converter::to_depth(depth).scaling_to(w, h)));
                    let last = self.resizers.len() - 1;
                    &mut self.resizers[last].1
                }
            };
            self.carried.resized += 1;
            return resizer.for_encoder(frame);
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
        let upright = match &mut self.flipper {
            Some(flipper) => flipper.flip(cropped)?,
            None => cropped,
        };
        let sized = match &mut self.scaler {
            Some(scaler) => scaler.for_encoder(upright)?,
            None => upright,
        };
        match (&mut self.tones, &mut self.matrix) {
            (Some(tones), _) => tones.map(sized),
            (None, Some(matrix)) => matrix.change(sized),
            (None, None) => Ok(sized),
        }
    }

    /// The metadata as AV1 is to carry it.
    fn metadata(&mut self, frame: &Frame) -> Result<Dynamic> {
        if self.plan.tone.is_some() {
            // None of it is true of SDR.
            return Ok(Dynamic::default());
        }
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

/// The last picture of a film that ends at `end_ns`: it stays until then where that is plainly longer than it says itself.
fn ending(last: Frame, end_ns: Option<i64>) -> Frame {
    /// Less than this beyond a picture's own end, in nanoseconds, is rounding.
    const ROUNDING: i64 = 20_000_000;
    let Some(end) = end_ns else { return last };
    let length = end.saturating_sub(last.pts.as_nanos());
    let own = last.duration.map_or(0, Span::as_nanos);
    if length <= own.saturating_mul(2).saturating_add(ROUNDING) {
        return last;
    }
    Frame { duration: Some(Span::new(length, Rational::NANO)), ..last }
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
    /// Why reading broke off, until the pictures before it were given out.
    failed: Option<Error>,
}

impl TreatedPictures {
    /// From the first picture on.
    pub(crate) fn new(pictures: Pictures, treatment: Treatment) -> Self {
        TreatedPictures { pictures, treat: Treat::new(treatment), ready: VecDeque::new(), ended: false, failed: None }
    }

    /// As [`Pictures::open_at`], with `before` the time of the picture before, if there is one.
    pub(crate) fn open_at(
        path: &Path,
        place: PicturePlace,
        before: Option<Timestamp>,
        (options, treatment): (impl Into<VideoOptions>, Treatment),
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
                return self.failed.take().map_or(Ok(None), Err);
            }
            match self.pictures.next() {
                Ok(Some(frame)) => self.treat.push(frame, &mut self.ready)?,
                Err(error) => {
                    (self.ended, self.failed) = (true, Some(error));
                    self.treat.break_off(&mut self.ready);
                }
                Ok(None) => {
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
