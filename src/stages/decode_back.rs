//! Decodes coded pictures as they come: proof that every one of them is a picture, and what it scores.

use std::collections::HashMap;
use std::sync::Arc;

use super::treat::at_depth;
use crate::av::{Decoder, DecoderOptions, Received, VideoFrame};
use crate::base::{Error, ErrorKind, Rational, Result};
use crate::media::{Frame, PoolStats};
use crate::meter::Metric;
use crate::pixel::Converter;

/// A metric and what it takes.
struct MetricInput {
    metric: Box<dyn Metric>,
    converter: Converter,
    depth: u8,
}

/// A decoder of what an encoder gives.
///
/// Law: units come in decode order, each with the index of its frame; pictures come back in display order and are paired
/// with their frames by that index.
pub(crate) struct DecodeBack {
    decoder: Decoder,
    /// What encoded it, in words.
    encoder: String,
    references: HashMap<u64, Frame>,
    scored: Option<MetricInput>,
    units: u64,
    pictures: u64,
}

impl DecodeBack {
    /// For pictures of FFmpeg's `codec` with this configuration, encoded by `encoder`.
    ///
    /// # Errors
    /// `Unsupported` where no decoder is there for it.
    pub(crate) fn new(codec: &str, configuration: &[u8], encoder: String) -> Result<Self> {
        let decoder = match codec {
            "av1" => Decoder::av1(Rational::MILLI, DecoderOptions { threads: 1, without_film_grain: true })?,
            codec => Decoder::by_name(codec, configuration, Rational::MILLI, 0)?,
        };
        Ok(DecodeBack { decoder, encoder, references: HashMap::new(), scored: None, units: 0, pictures: 0 })
    }

    /// The same, with each picture scored by `metric`, which takes frames of `depth` bits, against its reference.
    pub(crate) fn scored(self, metric: Box<dyn Metric>, depth: u8) -> Self {
        DecodeBack { scored: Some(MetricInput { metric, converter: Converter::to_depth(depth), depth }), ..self }
    }

    /// Takes the next unit, of frame `index`; the pictures that come back are counted and scored.
    ///
    /// # Errors
    /// `Encode` for what cannot be decoded; else the metric's.
    pub(crate) fn push(&mut self, index: u64, data: &[u8], reference: Option<Frame>) -> Result<u64> {
        let at = reference.as_ref().map(|r| r.pts);
        if let (Some(reference), true) = (reference, self.scored.is_some()) {
            self.references.insert(index, reference);
        }
        let unit = self.units;
        self.units += 1;
        let tag = i64::try_from(index).unwrap_or(i64::MAX);
        let sent = self.decoder.send_bytes(data, tag).map_err(|e| not_decodable(&self.encoder, unit, e));
        sent.map_err(|e| at.into_iter().fold(e, Error::at))?;
        self.take()
    }

    fn take(&mut self) -> Result<u64> {
        let before = self.pictures;
        loop {
            let received = self.decoder.receive_video().map_err(|e| not_decodable(&self.encoder, self.units, e))?;
            let Received::Frame(picture) = received else { return Ok(self.pictures - before) };
            self.pictures += 1;
            if let Some(MetricInput { metric, converter, depth }) = &mut self.scored {
                let index = picture.pts().and_then(|pts| u64::try_from(pts.ticks()).ok());
                let reference = index.and_then(|index| self.references.remove(&index)).ok_or_else(|| {
                    Error::new(ErrorKind::Encode, "the encoder's packets decode to a picture that it was not given")
                })?;
                let reference = at_depth(converter, reference, *depth)?;
                metric.push(reference.index, &reference, &twin(&reference, picture))?;
            }
        }
    }

    /// The metric, to be asked what is known so far.
    pub(crate) fn metric(&self) -> Option<&dyn Metric> {
        self.scored.as_ref().map(|scored| scored.metric.as_ref())
    }

    /// Takes the pictures that the decoder still holds.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub(crate) fn end(&mut self) -> Result<u64> {
        self.decoder.send_end()?;
        self.take()
    }

    /// Pictures that came back, buffers that were converted, and the metric with all scores.
    pub(crate) fn into_parts(self) -> (u64, PoolStats, Option<Box<dyn Metric>>) {
        match self.scored {
            Some(MetricInput { metric, converter, .. }) => (self.pictures, converter.stats(), Some(metric)),
            None => (self.pictures, PoolStats::default(), None),
        }
    }
}

/// The decoded picture as the twin of `reference`.
fn twin(reference: &Frame, picture: VideoFrame) -> Frame {
    let (width, height) = picture.size();
    Frame { width, height, format: picture.format(), planes: Arc::new(picture), ..reference.clone() }
}

/// Seen with SVT-AV1 2.3.0 at presets 12 and 13 on noise, and its own program makes the same stream.
fn not_decodable(encoder: &str, unit: u64, error: Error) -> Error {
    let message =
        format!("{encoder} made a stream that cannot be decoded at frame {unit}; a lower preset may do better");
    Error::new(ErrorKind::Encode, message).caused_by(error)
}
