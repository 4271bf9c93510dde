//! The stages pictures go through: decode, convert, encode, and decoding the result again.

use std::collections::VecDeque;

use super::decode_back::DecodeBack;
use super::pairing::{Kept, Paired, PairingEncoder};
use super::spec::{encode_spec, factory, video_params};
use super::treat::Treat;
use crate::av::InputPacket;
use crate::base::{Error, ErrorKind, Result};
use crate::config::EncodeSettings;
use crate::flow::{Counted, Nothing, Out, Promise, Stage, Weighed};
use crate::media::{Carried, Frame, PoolStats, Shown, VideoInfo};
use crate::meter::{MetricSpec, Scores};
use crate::pixel::Converter;
use crate::source::{DecodeStats, VideoDecoder};
use crate::video::KeyRequest;

/// Packets to pictures.
pub(crate) struct Decode {
    pub(crate) decoder: VideoDecoder,
}

/// What decoding met with.
#[derive(Clone, Debug, Default)]
pub(crate) struct DecodeFound {
    pub(crate) decoder: String,
    pub(crate) stats: DecodeStats,
}

impl Stage for Decode {
    type In = InputPacket;
    type Out = Frame;
    type Found = DecodeFound;
    const COUNTED: Counted = Counted::Given;

    fn push(&mut self, packet: InputPacket, out: &mut Out<Frame>) -> Result<()> {
        self.decoder.send(&packet)?;
        self.pass_on(out)
    }

    fn finish(mut self, out: &mut Out<Frame>) -> Result<DecodeFound> {
        self.decoder.finish()?;
        self.pass_on(out)?;
        Ok(DecodeFound { decoder: self.decoder.decoder_name().to_owned(), stats: self.decoder.stats() })
    }
}

impl Decode {
    fn pass_on(&mut self, out: &mut Out<Frame>) -> Result<()> {
        while let Some(frame) = self.decoder.receive() {
            out.push(frame)?;
        }
        Ok(())
    }
}

/// Decoded pictures to what the encoder takes.
pub(crate) struct Convert {
    pub(crate) treat: Treat,
    pub(crate) converter: Converter,
    pub(crate) ready: VecDeque<Frame>,
}

/// What was carried and copied on the way.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConvertFound {
    pub(crate) carried: Carried,
    pub(crate) pool: PoolStats,
}

impl Stage for Convert {
    type In = Frame;
    type Out = Frame;
    type Found = ConvertFound;
    const COUNTED: Counted = Counted::Given;

    fn push(&mut self, frame: Frame, out: &mut Out<Frame>) -> Result<()> {
        self.treat.push(frame, &mut self.ready)?;
        self.pass_on(out)
    }

    fn finish(mut self, out: &mut Out<Frame>) -> Result<ConvertFound> {
        self.treat.finish(&mut self.ready)?;
        self.pass_on(out)?;
        let pool = self.converter.stats().plus(self.treat.pool());
        Ok(ConvertFound { carried: self.treat.carried().clone(), pool })
    }
}

impl Convert {
    fn pass_on(&mut self, out: &mut Out<Frame>) -> Result<()> {
        for frame in self.ready.drain(..) {
            out.push(self.converter.for_encoder(frame)?)?;
        }
        Ok(())
    }
}

/// Pictures to coded ones, each beside what is kept of its frame.
pub(crate) struct Encode<K> {
    settings: EncodeSettings,
    video: VideoInfo,
    /// Index of the source's stream, for errors.
    stream: usize,
    /// What decoding met with, where there is no picture at all.
    decoded: Promise<DecodeFound>,
    open: Option<(PairingEncoder<K>, EncodeFound)>,
    /// Whether the first picture was given.
    told: bool,
}

/// How the pictures are encoded.
#[derive(Clone, Debug)]
pub(crate) struct EncodeFound {
    /// As the first frame has it.
    pub(crate) shown: Shown,
    pub(crate) crf: f64,
}

impl<K: Kept> Encode<K> {
    pub(crate) fn new(
        settings: EncodeSettings,
        video: VideoInfo,
        stream: usize,
        decoded: Promise<DecodeFound>,
    ) -> Self {
        Encode { settings, video, stream, decoded, open: None, told: false }
    }

    fn open(&self, first: &Frame, out: &Out<CodedPicture<K>>) -> Result<(PairingEncoder<K>, EncodeFound)> {
        let shown = Shown::of(first);
        let spec = encode_spec(&self.settings, &shown)?;
        let (factory, params) = (factory(&self.settings)?, video_params(&self.video, &shown));
        let context = out.context();
        let encoder =
            context.waiting_for_turn(|| PairingEncoder::open(factory, &spec, &params, context.cancel_token()));
        let encoder = encoder.map_err(|e| e.with_stream(self.stream))?;
        Ok((encoder, EncodeFound { shown, crf: spec.quality.as_f64() }))
    }
}

/// What an encode stage gives: how the track is coded comes with its first picture.
#[derive(Clone, Debug)]
pub(crate) struct CodedPicture<K> {
    /// With the first picture: how it is shown, and the codec's configuration where the encoder tells it.
    pub(crate) first: Option<Box<(Shown, Option<Vec<u8>>)>>,
    pub(crate) picture: Paired<K>,
}

impl<K: Kept> Weighed for CodedPicture<K> {
    fn byte_len(&self) -> usize {
        // Frames that are kept beside are bounded by the pool they come from and by the number of items.
        self.picture.data.len()
    }
}

impl<K: Kept> Stage for Encode<K> {
    type In = Frame;
    type Out = CodedPicture<K>;
    type Found = EncodeFound;
    const COUNTED: Counted = Counted::Given;

    fn push(&mut self, frame: Frame, out: &mut Out<CodedPicture<K>>) -> Result<()> {
        if self.open.is_none() {
            self.open = Some(self.open(&frame, out)?);
        }
        let Some((encoder, found)) = &mut self.open else { return Ok(()) };
        encoder.send(&frame, K::of(&frame), KeyRequest::Auto)?;
        drop(frame);
        pass_on(encoder, found, &mut self.told, out)
    }

    fn finish(mut self, out: &mut Out<CodedPicture<K>>) -> Result<EncodeFound> {
        let Some((mut encoder, found)) = self.open.take() else {
            let damage = self.decoded.take().and_then(|d| d.stats.first_error);
            let why = damage.map_or(String::new(), |e| format!(" ({e})"));
            let message = format!("no picture of it can be decoded{why}");
            return Err(Error::new(ErrorKind::Input, message).with_stream(self.stream));
        };
        encoder.finish()?;
        pass_on(&mut encoder, &found, &mut self.told, out)?;
        Ok(found)
    }
}

fn pass_on<K: Kept>(
    encoder: &mut PairingEncoder<K>,
    found: &EncodeFound,
    told: &mut bool,
    out: &mut Out<CodedPicture<K>>,
) -> Result<()> {
    while let Some(picture) = encoder.receive()? {
        out.context().check()?;
        let first = (!std::mem::replace(told, true)).then(|| Box::new((found.shown, encoder.codec_config())));
        out.push(CodedPicture { first, picture })?;
    }
    Ok(())
}

/// Coded pictures back to pictures.
pub(crate) struct Check<K> {
    codec: &'static str,
    encoder: String,
    metric: Option<(MetricSpec, u8)>,
    back: Option<DecodeBack>,
    /// Coded pictures that came.
    units: u64,
    kept: std::marker::PhantomData<fn(K)>,
}

/// What came back.
#[derive(Clone, Debug, Default)]
pub(crate) struct CheckFound {
    pub(crate) scores: Option<Scores>,
    pub(crate) pool: PoolStats,
}

impl<K: Kept> Check<K> {
    /// For what an encoder of that codec, called `encoder` in words, makes.
    pub(crate) fn new(codec: &'static str, encoder: String) -> Self {
        Check { codec, encoder, metric: None, back: None, units: 0, kept: std::marker::PhantomData }
    }
}

impl Check<Frame> {
    /// The same, with each picture scored against its frame in `depth` bits.
    pub(crate) fn scored(self, metric: MetricSpec, depth: u8) -> Self {
        Check { metric: Some((metric, depth)), ..self }
    }
}

impl<K: Kept + AsReference> Stage for Check<K> {
    type In = CodedPicture<K>;
    type Out = Nothing;
    type Found = CheckFound;
    const COUNTED: Counted = Counted::Itself;

    fn push(&mut self, coding: CodedPicture<K>, out: &mut Out<Nothing>) -> Result<()> {
        let back = match (&mut self.back, coding.first) {
            (Some(back), _) => back,
            (none, first) => {
                let (shown, configuration) = first.map(|f| *f).unzip();
                let configuration = configuration.flatten().unwrap_or_default();
                let back = DecodeBack::new(self.codec, &configuration, self.encoder.clone())?;
                none.insert(match (self.metric.take(), shown) {
                    (Some((metric, depth)), Some(shown)) => {
                        back.scored(metric.open(shown.width, shown.height, depth)?, depth)
                    }
                    _ => back,
                })
            }
        };
        let Paired { index, data, kept, .. } = coding.picture;
        self.units += 1;
        let pictures = back.push(index, &data, kept.reference())?;
        (0..pictures).for_each(|_| out.context().item());
        Ok(())
    }

    fn finish(self, out: &mut Out<Nothing>) -> Result<CheckFound> {
        let Some(mut back) = self.back else { return Ok(CheckFound::default()) };
        let pictures = back.end()?;
        (0..pictures).for_each(|_| out.context().item());
        let (decoded_back, pool, metric) = back.into_parts();
        if decoded_back != self.units {
            let message = format!("the packets of {} frames decode to {decoded_back} pictures", self.units);
            return Err(Error::new(ErrorKind::Encode, message));
        }
        Ok(CheckFound { pool, scores: metric.map(|m| m.finish()).transpose()? })
    }
}

/// What is kept of a frame, as the reference of a score.
pub(crate) trait AsReference {
    /// The frame, where all of it was kept.
    fn reference(self) -> Option<Frame>;
}

impl AsReference for Frame {
    fn reference(self) -> Option<Frame> {
        Some(self)
    }
}

impl AsReference for super::pairing::FrameNote {
    fn reference(self) -> Option<Frame> {
        None
    }
}
