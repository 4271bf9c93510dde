//! Packets in, pictures out, in display order, each with its identity and time.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::feed::{DecodeFeed, FeedEvent};
use super::hwaccel::VideoOptions;
use super::rpu::RpuOrder;
use super::timeline::Timeline;
use crate::av::{Input, InputPacket, VideoFrame};
use crate::base::{Error, ErrorKind, Result};
use crate::media::{ChromaLocation, Color, ColorRange, Frame, HdrStatic, StreamInfo};

/// What decoding met with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecodeStats {
    /// Pictures given out.
    pub frames: u64,
    /// Packets the decoder refused.
    pub damaged_packets: u64,
    /// Pictures in which damage was concealed.
    pub damaged_frames: u64,
    /// Pictures whose time was made up because the file has none.
    pub synthesised_timestamps: u64,
    /// Pictures whose time was moved because it did not increase.
    pub repaired_timestamps: u64,
    /// Pictures with HDR10+ metadata (ST 2094-40).
    pub hdr10_plus_frames: u64,
    /// Pictures with a Dolby Vision RPU.
    pub dolby_vision_frames: u64,
    /// Dolby Vision RPUs in the packets of H.265; each is to be a picture's.
    pub dolby_vision_rpus: u64,
    /// Pictures with closed captions (ATSC A/53).
    pub caption_frames: u64,
    /// The first damage in words.
    pub first_error: Option<String>,
    /// Why software decodes what hardware was to decode: the one warning about it, for people to read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hardware_fallback: Option<String>,
}

impl DecodeStats {
    /// What was met with after a point of the film, of what was counted up to `earlier` at that point.
    pub(crate) fn since(&self, earlier: &DecodeStats) -> DecodeStats {
        let counts = |now: u64, then: u64| now.saturating_sub(then);
        let first_error = self.first_error.clone().filter(|_| earlier.first_error.is_none());
        DecodeStats { first_error, hardware_fallback: self.hardware_fallback.clone(), ..self.with(earlier, counts) }
    }

    /// Of a part of the film and the part after it.
    pub(crate) fn plus(&self, later: &DecodeStats) -> DecodeStats {
        let either = |mine: &Option<String>, other: &Option<String>| mine.clone().or_else(|| other.clone());
        DecodeStats {
            first_error: either(&self.first_error, &later.first_error),
            hardware_fallback: either(&self.hardware_fallback, &later.hardware_fallback),
            ..self.with(later, |a, b| a + b)
        }
    }

    /// Each count of both by `of`.
    fn with(&self, other: &DecodeStats, of: impl Fn(u64, u64) -> u64) -> DecodeStats {
        DecodeStats {
            frames: of(self.frames, other.frames),
            damaged_packets: of(self.damaged_packets, other.damaged_packets),
            damaged_frames: of(self.damaged_frames, other.damaged_frames),
            synthesised_timestamps: of(self.synthesised_timestamps, other.synthesised_timestamps),
            repaired_timestamps: of(self.repaired_timestamps, other.repaired_timestamps),
            hdr10_plus_frames: of(self.hdr10_plus_frames, other.hdr10_plus_frames),
            dolby_vision_frames: of(self.dolby_vision_frames, other.dolby_vision_frames),
            dolby_vision_rpus: of(self.dolby_vision_rpus, other.dolby_vision_rpus),
            caption_frames: of(self.caption_frames, other.caption_frames),
            first_error: None,
            hardware_fallback: None,
        }
    }
}

impl DecodeStats {
    /// The share of pictures that are lost or damaged: refused packets count as a picture each.
    pub fn damage(&self) -> f64 {
        let bad = self.damaged_packets + self.damaged_frames;
        let all = self.frames + self.damaged_packets;
        if all == 0 { 0.0 } else { bad as f64 / all as f64 }
    }
}

/// The decoder of one video stream.
///
/// Law: `send` packets in the file's order, `receive` until `None` after each, `finish` after the last and
/// `receive` until `None` again. A damaged packet is counted, not an error. Hardware that fails is no error either:
/// software decodes from there, and pictures and counts are those it alone would have given.
pub struct VideoDecoder {
    feed: DecodeFeed,
    stream: usize,
    timeline: Timeline,
    container_color: Color,
    container_hdr: HdrStatic,
    rpu_order: Option<RpuOrder>,
    ready: VecDeque<Frame>,
    stats: DecodeStats,
}

impl VideoDecoder {
    /// A decoder for the video stream `stream` of `input`, in software unless `options` ask for hardware.
    ///
    /// # Errors
    /// `Unsupported` for what is no video or has no decoder, `Input` for damaged codec parameters.
    pub fn open(input: &Input, stream: &StreamInfo, options: impl Into<VideoOptions>) -> Result<Self> {
        Self::with(stream, || DecodeFeed::open(input, stream.index, options.into()))
    }

    pub(super) fn with(stream: &StreamInfo, feed: impl FnOnce() -> Result<DecodeFeed>) -> Result<Self> {
        let video = stream
            .video
            .as_ref()
            .ok_or_else(|| Error::new(ErrorKind::Unsupported, "is no video stream").with_stream(stream.index))?;
        Ok(VideoDecoder {
            feed: feed()?,
            stream: stream.index,
            timeline: Timeline::new(stream.time_base, video.frame_rate),
            container_color: video.color,
            container_hdr: video.hdr,
            rpu_order: RpuOrder::of(&stream.codec, &stream.extradata, video.dolby_vision.is_some()),
            ready: VecDeque::new(),
            stats: DecodeStats::default(),
        })
    }

    /// Decodes one packet; its pictures wait for `receive`.
    ///
    /// # Errors
    /// What is no damage, such as no memory.
    pub fn send(&mut self, packet: &InputPacket) -> Result<()> {
        match &mut self.rpu_order {
            Some(order) => order.push(packet)?.iter().try_for_each(|packet| self.feed.send(packet))?,
            None => self.feed.send(packet)?,
        }
        self.drain()
    }

    /// Lets the decoder give out what it holds back.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn finish(&mut self) -> Result<()> {
        if let Some(last) = self.rpu_order.as_mut().and_then(RpuOrder::finish) {
            self.feed.send(&last)?;
        }
        self.feed.finish()?;
        self.drain()
    }

    /// The next picture; `None` until more is sent, or at the end after `finish`.
    pub fn receive(&mut self) -> Option<Frame> {
        self.ready.pop_front()
    }

    /// Counts so far.
    pub fn stats(&self) -> DecodeStats {
        DecodeStats {
            synthesised_timestamps: self.timeline.synthesised(),
            repaired_timestamps: self.timeline.repaired(),
            dolby_vision_rpus: self.rpu_order.as_ref().map_or(0, RpuOrder::seen),
            hardware_fallback: self.feed.warning(),
            ..self.stats.clone()
        }
    }

    /// The decoder's name in FFmpeg, with the hardware that decodes by now, if any does.
    pub fn decoder_name(&self) -> String {
        let name = self.feed.decoder_name();
        self.feed.hardware().map_or_else(|| name.to_owned(), |hardware| format!("{name} ({hardware})"))
    }

    fn drain(&mut self) -> Result<()> {
        while let Some(event) = self.feed.next() {
            match event {
                FeedEvent::Picture(picture) => self.accept(picture),
                FeedEvent::Error(error) => self.damaged(error)?,
            }
        }
        Ok(())
    }

    fn accept(&mut self, picture: VideoFrame) {
        let (width, height) = picture.size();
        let duration = picture.duration();
        if picture.is_damaged() {
            self.stats.damaged_frames += 1;
        }
        let dynamic = picture.dynamic();
        self.stats.hdr10_plus_frames += u64::from(picture.has_hdr10_plus());
        self.stats.dolby_vision_frames += u64::from(dynamic.dolby_vision.is_some());
        self.stats.caption_frames += u64::from(picture.has_captions());
        let pts = self.timeline.place(picture.pts(), duration);
        let frame = Frame {
            index: self.stats.frames,
            pts,
            duration: duration.or_else(|| self.timeline.step()),
            width,
            height,
            format: picture.format(),
            color: merge(picture.color(), self.container_color),
            hdr: picture.hdr().or(self.container_hdr),
            dynamic,
            planes: Arc::new(picture),
        };
        self.stats.frames += 1;
        self.ready.push_back(frame);
    }

    /// Counts damage; only what is no damage (cancelled, out of memory) stays an error.
    fn damaged(&mut self, error: Error) -> Result<()> {
        if error.kind() != ErrorKind::Input {
            return Err(error);
        }
        self.stats.damaged_packets += 1;
        tracing::warn!(stream = self.stream, %error, "damaged packet");
        self.stats.first_error.get_or_insert_with(|| error.to_string());
        Ok(())
    }
}

/// The bitstream's own words, with what it leaves unsaid taken from the container.
fn merge(frame: Color, container: Color) -> Color {
    Color {
        primaries: if frame.primaries.is_specified() { frame.primaries } else { container.primaries },
        transfer: if frame.transfer.is_specified() { frame.transfer } else { container.transfer },
        matrix: if frame.matrix == crate::media::Matrix::UNSPECIFIED { container.matrix } else { frame.matrix },
        range: if frame.range == ColorRange::Unspecified { container.range } else { frame.range },
        chroma_location: if frame.chroma_location == ChromaLocation::Unspecified {
            container.chroma_location
        } else {
            frame.chroma_location
        },
    }
}
