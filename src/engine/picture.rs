//! The stages pictures go through: decode, convert, encode, and decoding the result again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::mux::MuxMessage;
use super::queue::{Receiver, Sender, Weighed};
use super::stage::StageMeter;
use super::tally::{Tally, VideoFindings, digest};
use crate::av::{Decoder, DecoderOptions, InputPacket, Received};
use crate::base::{CancelToken, Error, ErrorKind, Rational, Result, Span, Timestamp};
use crate::config::{EncodeSettings, default_crf};
use crate::container::{VideoTrack, av1};
use crate::media::{FieldOrder, Frame, Packet, PacketData, StreamInfo, VideoInfo};
use crate::pixel::Converter;
use crate::source::VideoDecoder;
use crate::video::{Crf, EncodedPacket, Encoder, EncoderConfig};

pub(super) struct Decode {
    pub(super) decoder: VideoDecoder,
    pub(super) packets: Receiver<InputPacket>,
    pub(super) frames: Sender<Frame>,
    pub(super) tally: Arc<Tally>,
}

impl Decode {
    pub(super) fn run(&mut self, meter: &StageMeter) -> Result<()> {
        while let Some(packet) = self.packets.receive()? {
            self.decoder.send(&packet)?;
            self.pass_on(meter)?;
        }
        self.decoder.finish()?;
        self.pass_on(meter)?;
        let stats = self.decoder.stats();
        let mut findings = self.tally.lock();
        findings.decoder = self.decoder.decoder_name().to_owned();
        findings.decode = stats;
        Ok(())
    }

    fn pass_on(&mut self, meter: &StageMeter) -> Result<()> {
        while let Some(frame) = self.decoder.receive() {
            self.frames.send(frame)?;
            meter.item();
        }
        Ok(())
    }
}

pub(super) struct Convert {
    pub(super) converter: Converter,
    pub(super) frames: Receiver<Frame>,
    pub(super) converted: Sender<Frame>,
    pub(super) tally: Arc<Tally>,
}

impl Convert {
    pub(super) fn run(&mut self, meter: &StageMeter) -> Result<()> {
        while let Some(frame) = self.frames.receive()? {
            let mut frame = self.converter.to_encoder(frame)?;
            // 4:2:0 has no half chroma samples: the last column or row of an odd picture goes.
            frame.width &= !1;
            frame.height &= !1;
            self.converted.send(frame)?;
            meter.item();
        }
        self.tally.lock().pool = self.converter.stats();
        Ok(())
    }
}

pub(super) struct Encode {
    pub(super) settings: EncodeSettings,
    pub(super) stream: StreamInfo,
    pub(super) track: usize,
    pub(super) frames: Receiver<Frame>,
    pub(super) mux: Sender<MuxMessage>,
    pub(super) check: Sender<PacketData>,
    pub(super) tally: Arc<Tally>,
    pub(super) cancel: CancelToken,
}

/// Frames whose packets are still to come, and the packet that waits to learn whether it is the last.
#[derive(Default)]
struct Pending {
    /// Until the first packet tells the muxer how the track is coded.
    header: Option<VideoTrack>,
    sent: VecDeque<(u64, Timestamp, Option<Span>)>,
    held: Option<(Packet, Option<Span>)>,
    times: Vec<Timestamp>,
    digests: Vec<u64>,
    bytes: u64,
}

impl Encode {
    pub(super) fn run(&mut self, meter: &StageMeter) -> Result<()> {
        let Some(first) = self.frames.receive()? else {
            let damage = self.tally.lock().decode.first_error.clone();
            let why = damage.map_or(String::new(), |e| format!(" ({e})"));
            return Err(Error::new(ErrorKind::Input, format!("no picture of it can be decoded{why}"))
                .with_stream(self.stream.index));
        };
        let video = self.video()?.clone();
        let config = encoder_config(&self.settings, &video, &first)?;
        let mut encoder =
            Encoder::open_when_free(&config, &self.cancel).map_err(|e| e.with_stream(self.stream.index))?;
        self.note(&config, &video, &first);
        let header = track(&video, &first);

        let mut pending = Pending { header: Some(header), ..Pending::default() };
        let mut next = Some(first);
        while let Some(frame) = next {
            self.cancel.check()?;
            pending.sent.push_back((frame.index, frame.pts, frame.duration));
            encoder.send(&frame)?;
            drop(frame);
            while let Some(packet) = encoder.receive()? {
                self.accept(&mut pending, packet, meter)?;
            }
            next = self.frames.receive()?;
        }
        let mut draining = encoder.finish()?;
        while let Some(packet) = draining.next_packet()? {
            self.cancel.check()?;
            self.accept(&mut pending, packet, meter)?;
        }
        self.finish(pending)
    }

    fn video(&self) -> Result<&VideoInfo> {
        self.stream
            .video
            .as_ref()
            .ok_or_else(|| Error::new(ErrorKind::Unsupported, "is no video stream").with_stream(self.stream.index))
    }

    fn note(&self, config: &EncoderConfig, video: &VideoInfo, first: &Frame) {
        let mut findings = self.tally.lock();
        findings.video = Some(VideoFindings {
            width: first.width,
            height: first.height,
            source_width: video.width,
            source_height: video.height,
            color: first.color,
            hdr: first.hdr,
            crf: config.crf.as_f64(),
            sample_aspect_ratio: video.sample_aspect_ratio,
            rotation: video.rotation,
            times: Vec::new(),
            end: None,
            bytes: 0,
            digests: Vec::new(),
        });
    }

    /// Pairs a packet with its frame by identity and hands it on, one behind.
    fn accept(&self, pending: &mut Pending, coded: EncodedPacket, meter: &StageMeter) -> Result<()> {
        let Some((index, pts, duration)) = pending.sent.pop_front() else {
            return Err(Error::new(ErrorKind::Encode, "the encoder gave more packets than it was given frames"));
        };
        if index != coded.frame_index {
            let message = format!("the encoder gave frame {} where frame {index} was due", coded.frame_index);
            return Err(Error::new(ErrorKind::Encode, message).at(pts));
        }
        if let Some(mut header) = pending.header.take() {
            let coded = VideoTrack::av1(&coded.data).map_err(|e| e.at(pts))?;
            header.codec_private = coded.codec_private;
            header.bits_per_channel = coded.bits_per_channel;
            self.mux.send(MuxMessage::VideoHeader(Box::new(header)))?;
        }
        // Matroska stores temporal units without their delimiters; what is stored is what is checked.
        let data = PacketData::new(av1::block_data(&coded.data).map_err(|e| e.at(pts))?.into_owned());
        pending.times.push(pts);
        pending.digests.push(digest(&data));
        pending.bytes += data.len() as u64;
        self.check.send(data.clone())?;
        let mut packet = Packet::new(pts, data);
        packet.keyframe = coded.keyframe;
        if let Some((before, _)) = pending.held.replace((packet, duration)) {
            self.mux.send(MuxMessage::Packet { track: self.track, packet: before })?;
        }
        self.tally.encoded.fetch_add(1, Ordering::Relaxed);
        self.tally.set_position(pts);
        meter.item();
        Ok(())
    }

    fn finish(&mut self, pending: Pending) -> Result<()> {
        let mut end = None;
        if let Some((mut last, duration)) = pending.held {
            // Only the last frame's duration is not told by the frame after it.
            end = duration.map(|d| last.pts.plus(d));
            last.duration = duration;
            self.mux.send(MuxMessage::Packet { track: self.track, packet: last })?;
        }
        self.mux.send(MuxMessage::End { track: self.track })?;
        if let Some(video) = &mut self.tally.lock().video {
            video.times = pending.times;
            video.digests = pending.digests;
            video.bytes = pending.bytes;
            video.end = end;
        }
        Ok(())
    }
}

impl Weighed for PacketData {
    fn byte_len(&self) -> usize {
        self.len()
    }
}

/// The frame rate the encoder is told where the source has none.
const NOMINAL_RATE: (i32, i32) = (25, 1);

pub(super) fn encoder_config(settings: &EncodeSettings, video: &VideoInfo, first: &Frame) -> Result<EncoderConfig> {
    let crf = settings.crf.unwrap_or_else(|| default_crf(first.width, first.height));
    let crf = Crf::from_f64(f64::from(crf))?;
    let nominal = Rational::positive(NOMINAL_RATE.0, NOMINAL_RATE.1).unwrap_or(Rational::ONE);
    let rate = video.frame_rate.unwrap_or(nominal);
    let mut config = EncoderConfig::new(first.width, first.height, rate, crf, settings.preset);
    config.color = first.color;
    config.hdr = first.hdr;
    config.parameters = settings.svt.clone();
    Ok(config)
}

/// The track as the source describes it; how it is coded only the first packet tells.
fn track(video: &VideoInfo, first: &Frame) -> VideoTrack {
    let length = video.frame_duration.map(|length| Span::new(1, length).as_nanos());
    VideoTrack {
        codec_private: Vec::new(),
        width: first.width,
        height: first.height,
        sample_aspect_ratio: video.sample_aspect_ratio,
        color: first.color,
        hdr: first.hdr,
        bits_per_channel: None,
        rotation: video.rotation,
        default_duration_ns: length.and_then(|ns| u64::try_from(ns).ok()),
        // Pictures are encoded whole, whatever the source's fields were.
        field_order: FieldOrder::Unknown,
    }
}

/// Decodes the encoder's packets as they come: proof that every one of them is a picture.
pub(super) struct Check {
    pub(super) packets: Receiver<PacketData>,
    pub(super) tally: Arc<Tally>,
}

impl Check {
    pub(super) fn run(&mut self, meter: &StageMeter) -> Result<()> {
        let options = DecoderOptions { threads: 1, without_film_grain: true };
        let mut decoder = Decoder::av1(Rational::MILLI, options)?;
        let mut frames = 0;
        let mut sent = 0;
        while let Some(packet) = self.packets.receive()? {
            decoder.send_bytes(&packet, sent).map_err(|e| not_decodable(sent, e))?;
            sent += 1;
            frames += take(&mut decoder, meter).map_err(|e| not_decodable(sent, e))?;
        }
        decoder.send_end()?;
        frames += take(&mut decoder, meter).map_err(|e| not_decodable(sent, e))?;
        self.tally.lock().decoded_back = frames;
        Ok(())
    }
}

fn take(decoder: &mut Decoder, meter: &StageMeter) -> Result<u64> {
    let mut frames = 0;
    while let Received::Frame(_) = decoder.receive_video()? {
        frames += 1;
        meter.item();
    }
    Ok(frames)
}

/// Seen with SVT-AV1 2.3.0 at presets 12 and 13 on noise, and its own program makes the same stream.
fn not_decodable(frame: i64, error: Error) -> Error {
    let version = crate::video::library_version();
    let message = format!(
        "SVT-AV1 {version} made a stream that cannot be decoded at frame {frame}; a lower preset may do better"
    );
    Error::new(ErrorKind::Encode, message).caused_by(error)
}
