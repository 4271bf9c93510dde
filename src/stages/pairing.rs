//! An encoder whose coded pictures come out beside what was kept of their frames.
//!
//! Fixed and targeted encodes, and the surface for frames of others, all encode by this.

use std::collections::HashMap;

use super::digest::message_digest;
use super::treat::messages;
use crate::base::{CancelToken, Error, ErrorKind, Result, Span, Timestamp};
use crate::media::{Dynamic, Frame, PacketData};
use crate::syntax::av1;
use crate::video::{Coded, DecodeTimes, EncodeSpec, EncoderFactory, KeyRequest, VideoEncoder, VideoParams};

/// What is kept of a frame while the encoder has it.
pub(crate) trait Kept: Send + 'static {
    /// Of this frame, as it was before it was converted for the encoder.
    fn of(frame: &Frame) -> Self;
    /// When it is shown.
    fn pts(&self) -> Timestamp;
    /// For how long.
    fn duration(&self) -> Option<Span>;
    /// The metadata its coded picture is to carry.
    fn dynamic(&self) -> &Dynamic;
}

/// The times and metadata of a frame, without its samples.
#[derive(Clone, Debug)]
pub(crate) struct FrameNote {
    pts: Timestamp,
    duration: Option<Span>,
    dynamic: Dynamic,
}

impl FrameNote {
    /// Of a picture whose metadata is in its bytes already.
    pub(crate) fn at(pts: Timestamp, duration: Option<Span>) -> Self {
        FrameNote { pts, duration, dynamic: Dynamic::default() }
    }
}

impl Kept for FrameNote {
    fn of(frame: &Frame) -> Self {
        FrameNote { pts: frame.pts, duration: frame.duration, dynamic: frame.dynamic.clone() }
    }

    fn pts(&self) -> Timestamp {
        self.pts
    }

    fn duration(&self) -> Option<Span> {
        self.duration
    }

    fn dynamic(&self) -> &Dynamic {
        &self.dynamic
    }
}

impl Kept for Frame {
    fn of(frame: &Frame) -> Self {
        frame.clone()
    }

    fn pts(&self) -> Timestamp {
        self.pts
    }

    fn duration(&self) -> Option<Span> {
        self.duration
    }

    fn dynamic(&self) -> &Dynamic {
        &self.dynamic
    }
}

/// A coded picture as it is stored, and what was kept of its frame.
#[derive(Clone, Debug)]
pub(crate) struct Paired<K> {
    /// The frame's index.
    pub(crate) index: u64,
    /// Its bytes: for AV1 a temporal unit without delimiter, as Matroska wants it, with the metadata of its picture.
    pub(crate) data: PacketData,
    /// Digest of that metadata; 0 where there is none.
    pub(crate) messages: u64,
    pub(crate) keyframe: bool,
    /// When it is decoded; `None` where that is when it is shown.
    pub(crate) dts: Option<Timestamp>,
    pub(crate) kept: K,
}

/// An encoder and the frames it has.
///
/// Law: of [`VideoEncoder`]. Pictures are paired with their frames by the index the encoder names, so that those that
/// reorder fit.
pub(crate) struct PairingEncoder<K> {
    encoder: Box<dyn VideoEncoder>,
    /// FFmpeg's name of its codec.
    codec: &'static str,
    kept: HashMap<u64, K>,
    times: DecodeTimes,
    /// Pictures whose decoding time is not known yet.
    waiting: std::collections::VecDeque<Coded>,
    finished: bool,
}

impl<K: Kept> PairingEncoder<K> {
    /// Opens an encoder.
    ///
    /// # Errors
    /// As [`EncoderFactory::open`].
    pub(crate) fn open(
        factory: &dyn EncoderFactory,
        spec: &EncodeSpec,
        video: &VideoParams,
        cancel: &CancelToken,
    ) -> Result<Self> {
        let encoder = factory.open(spec, video, cancel)?;
        Ok(PairingEncoder {
            times: DecodeTimes::new(encoder.reorder_delay()),
            encoder,
            codec: factory.traits().codec,
            kept: HashMap::new(),
            waiting: std::collections::VecDeque::new(),
            finished: false,
        })
    }

    /// Encodes `frame`, which is of the encoder's format, and keeps `kept` until its picture is coded.
    ///
    /// # Errors
    /// As [`VideoEncoder::send`].
    pub(crate) fn send(&mut self, frame: &Frame, kept: K, key: KeyRequest) -> Result<()> {
        if self.encoder.reorder_delay() > 0 {
            self.times.push(kept.pts());
        }
        self.kept.insert(frame.index, kept);
        self.encoder.send(frame, key)
    }

    /// The next coded picture, in decode order; waits for it after [`finish`](Self::finish), and `None` then is the end.
    ///
    /// # Errors
    /// As [`VideoEncoder::receive`], and `Encode` for a picture whose frame was never sent.
    pub(crate) fn receive(&mut self) -> Result<Option<Paired<K>>> {
        loop {
            if let Some(coded) = self.waiting.front() {
                let reorders = self.encoder.reorder_delay() > 0;
                let dts = if reorders { self.times.at(coded.decode_index) } else { None };
                if (!reorders || dts.is_some() || self.finished)
                    && let Some(coded) = self.waiting.pop_front()
                {
                    return self.pair(coded, dts).map(Some);
                }
            }
            match self.encoder.receive()? {
                Some(coded) => self.waiting.push_back(coded),
                None => return Ok(None),
            }
        }
    }

    /// Says that no more frames follow.
    ///
    /// # Errors
    /// As [`VideoEncoder::finish`].
    pub(crate) fn finish(&mut self) -> Result<()> {
        self.finished = true;
        self.times.end();
        self.encoder.finish()
    }

    /// What a container's codec configuration is made of, once it is known.
    pub(crate) fn codec_config(&self) -> Option<Vec<u8>> {
        self.encoder.codec_config()
    }

    fn pair(&mut self, coded: Coded, dts: Option<Timestamp>) -> Result<Paired<K>> {
        let index = coded.frame_index;
        let kept = self.kept.remove(&index).ok_or_else(|| {
            Error::new(
                ErrorKind::Encode,
                format!("the encoder gave a picture of frame {index}, which it was not given"),
            )
        })?;
        let (data, messages) = stored(self.codec, coded.data, kept.dynamic()).map_err(|e| e.at(kept.pts()))?;
        Ok(Paired { index, data, messages, keyframe: coded.keyframe, dts, kept })
    }
}

/// A coded picture as it is stored, which is what is checked, and the digest of the metadata it carries.
fn stored(codec: &str, coded: PacketData, dynamic: &Dynamic) -> Result<(PacketData, u64)> {
    if codec != "av1" {
        // Metadata of single pictures is written for AV1 alone; what is lost is counted where it is treated.
        return Ok((coded, 0));
    }
    let unit = av1::block_data(&coded)?;
    let messages = messages(dynamic);
    let data = if messages.is_empty() { unit.into_owned() } else { av1::with_messages(&unit, &messages)? };
    Ok((PacketData::new(data), message_digest(&messages)))
}
