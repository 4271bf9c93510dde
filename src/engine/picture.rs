//! The stages pictures go through: decode, convert, encode, and decoding the result again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::mux::MuxMessage;
use super::queue::{Receiver, Sender, Weighed};
use super::stage::StageMeter;
use super::tally::{Tally, VideoFindings, digest, message_digest};
use super::treatment::{Treat, messages};
use crate::av::{Decoder, DecoderOptions, InputPacket, Received};
use crate::base::{CancelToken, Error, ErrorKind, Rational, Result, Span, Timestamp};
use crate::config::{EncodeSettings, Quality, default_crf};
use crate::container::{VideoTrack, av1};
use crate::media::{Color, Dynamic, Frame, HdrStatic, Packet, PacketData, StreamInfo, VideoInfo};
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
    pub(super) treat: Treat,
    pub(super) converter: Converter,
    pub(super) frames: Receiver<Frame>,
    pub(super) converted: Sender<Frame>,
    pub(super) tally: Arc<Tally>,
}

impl Convert {
    pub(super) fn run(&mut self, meter: &StageMeter) -> Result<()> {
        let mut ready = VecDeque::new();
        while let Some(frame) = self.frames.receive()? {
            self.treat.push(frame, &mut ready)?;
            self.pass_on(&mut ready, meter)?;
        }
        self.treat.finish(&mut ready)?;
        self.pass_on(&mut ready, meter)?;
        self.tally.add_pool(self.converter.stats());
        self.tally.add_pool(self.treat.pool());
        self.tally.lock().carried = self.treat.carried().clone();
        Ok(())
    }

    fn pass_on(&mut self, ready: &mut VecDeque<Frame>, meter: &StageMeter) -> Result<()> {
        for frame in ready.drain(..) {
            self.converted.send(self.converter.to_encoder(frame)?)?;
            meter.item();
        }
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
    /// Dolby Vision configuration record.
    pub(super) dolby_vision: Option<[u8; 24]>,
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
        let picture = Shown::of(&first);
        let config = encoder_config(&self.settings, &video, &picture)?;
        let record = self.dolby_vision;
        let mut encoder =
            Encoder::open_when_free(&config, &self.cancel).map_err(|e| e.with_stream(self.stream.index))?;
        let found = VideoFindings { dolby_vision: record, ..findings(&video, &picture, config.crf.as_f64()) };
        self.tally.lock().video = Some(found);
        let track = VideoTrack { dolby_vision: record, ..track(&video, &picture) };
        let mut out = Outgoing::new(self.track, track, self.mux.another(), &self.tally);

        let mut sent = VecDeque::new();
        let mut next = Some(first);
        while let Some(frame) = next {
            self.cancel.check()?;
            sent.push_back(Sent::of(&frame));
            encoder.send(&frame)?;
            drop(frame);
            while let Some(packet) = encoder.receive()? {
                self.accept(&mut sent, &mut out, packet, meter)?;
            }
            next = self.frames.receive()?;
        }
        let mut draining = encoder.finish()?;
        while let Some(packet) = draining.next_packet()? {
            self.cancel.check()?;
            self.accept(&mut sent, &mut out, packet, meter)?;
        }
        out.finish()
    }

    fn video(&self) -> Result<&VideoInfo> {
        self.stream
            .video
            .as_ref()
            .ok_or_else(|| Error::new(ErrorKind::Unsupported, "is no video stream").with_stream(self.stream.index))
    }

    /// Pairs a packet with its frame by identity and hands it on.
    fn accept(
        &self,
        sent: &mut VecDeque<Sent>,
        out: &mut Outgoing,
        coded: EncodedPacket,
        meter: &StageMeter,
    ) -> Result<()> {
        let Some(Sent { index, pts, duration, dynamic }) = sent.pop_front() else {
            return Err(Error::new(ErrorKind::Encode, "the encoder gave more packets than it was given frames"));
        };
        if index != coded.frame_index {
            let message = format!("the encoder gave frame {} where frame {index} was due", coded.frame_index);
            return Err(Error::new(ErrorKind::Encode, message).at(pts));
        }
        let (data, messages) = unit(&coded.data, &dynamic).map_err(|e| e.at(pts))?;
        self.check.send(data.clone())?;
        out.send(data, messages, coded.keyframe, (pts, duration))?;
        self.tally.encoded.fetch_add(1, Ordering::Relaxed);
        self.tally.set_position(pts);
        meter.item();
        Ok(())
    }
}

/// What is kept of a picture while the encoder has it.
struct Sent {
    index: u64,
    pts: Timestamp,
    duration: Option<Span>,
    dynamic: Dynamic,
}

impl Sent {
    fn of(frame: &Frame) -> Self {
        Sent { index: frame.index, pts: frame.pts, duration: frame.duration, dynamic: frame.dynamic.clone() }
    }
}

/// An encoder's packet as it is stored, which is what is checked: without delimiters, as Matroska wants it, and with the
/// metadata of its picture; and the digest of that metadata.
pub(super) fn unit(coded: &[u8], dynamic: &Dynamic) -> Result<(PacketData, u64)> {
    let unit = av1::block_data(coded)?;
    let messages = messages(dynamic);
    let data = if messages.is_empty() { unit.into_owned() } else { av1::with_messages(&unit, &messages)? };
    Ok((PacketData::new(data), message_digest(&messages)))
}

/// What the track says of its pictures, as the first one has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) color: Color,
    pub(super) hdr: HdrStatic,
}

impl Shown {
    /// Of a frame.
    pub(super) fn of(first: &Frame) -> Self {
        Shown { width: first.width, height: first.height, color: first.color, hdr: first.hdr }
    }
}

pub(super) fn findings(video: &VideoInfo, picture: &Shown, crf: f64) -> VideoFindings {
    VideoFindings {
        width: picture.width,
        height: picture.height,
        color: picture.color,
        hdr: picture.hdr,
        crf,
        sample_aspect_ratio: video.sample_aspect_ratio,
        rotation: video.rotation,
        field_order: video.field_order,
        times: Vec::new(),
        end: None,
        bytes: 0,
        messages: Vec::new(),
        dolby_vision: None,
        digests: Vec::new(),
    }
}

/// The picture track on its way to the muxer: its header from the first packet, its packets one behind, so that the
/// last one is known as such, and what verification holds the file to.
pub(super) struct Outgoing {
    track: usize,
    /// Until the first packet tells how the track is coded.
    header: Option<VideoTrack>,
    mux: Sender<MuxMessage>,
    tally: Arc<Tally>,
    held: Option<(Packet, Option<Span>)>,
    times: Vec<Timestamp>,
    digests: Vec<u64>,
    messages: Vec<u64>,
    bytes: u64,
}

impl Outgoing {
    pub(super) fn new(track: usize, header: VideoTrack, mux: Sender<MuxMessage>, tally: &Arc<Tally>) -> Self {
        Outgoing {
            track,
            header: Some(header),
            mux,
            tally: Arc::clone(tally),
            held: None,
            times: Vec::new(),
            digests: Vec::new(),
            messages: Vec::new(),
            bytes: 0,
        }
    }

    /// Takes the next temporal unit, without its delimiter, and the digest of the metadata its picture has to have.
    pub(super) fn send(
        &mut self,
        data: PacketData,
        messages: u64,
        keyframe: bool,
        (pts, duration): (Timestamp, Option<Span>),
    ) -> Result<()> {
        if let Some(mut header) = self.header.take() {
            let coded = VideoTrack::av1(&data).map_err(|e| e.at(pts))?;
            header.codec_private = coded.codec_private;
            header.bits_per_channel = coded.bits_per_channel;
            self.mux.send(MuxMessage::VideoHeader(Box::new(header)))?;
        }
        self.times.push(pts);
        self.digests.push(digest(&data));
        self.messages.push(messages);
        self.bytes += data.len() as u64;
        let mut packet = Packet::new(pts, data);
        packet.keyframe = keyframe;
        if let Some((before, _)) = self.held.replace((packet, duration)) {
            self.mux.send(MuxMessage::Packet { track: self.track, packet: before })?;
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<()> {
        let mut end = None;
        if let Some((mut last, duration)) = self.held.take() {
            // Only the last frame's duration is not told by the frame after it.
            end = duration.map(|d| last.pts.plus(d));
            last.duration = duration;
            self.mux.send(MuxMessage::Packet { track: self.track, packet: last })?;
        }
        self.mux.send(MuxMessage::End { track: self.track })?;
        if let Some(video) = &mut self.tally.lock().video {
            video.times = self.times;
            video.digests = self.digests;
            video.messages = self.messages;
            video.bytes = self.bytes;
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

pub(super) fn encoder_config(settings: &EncodeSettings, video: &VideoInfo, first: &Shown) -> Result<EncoderConfig> {
    let asked = match settings.quality {
        Quality::Crf(crf) => crf,
        Quality::Target(_) => None,
    };
    let crf = asked.map_or_else(|| Crf::from_f64(default_crf(first.width, first.height)), Ok)?;
    let nominal = Rational::positive(NOMINAL_RATE.0, NOMINAL_RATE.1).unwrap_or(Rational::ONE);
    let rate = video.frame_rate.unwrap_or(nominal);
    let mut config = EncoderConfig::new(first.width, first.height, rate, crf, settings.preset);
    config.color = first.color;
    config.hdr = first.hdr;
    config.bit_depth = video.bit_depth;
    config.parameters = film_grain(settings.picture.film_grain);
    config.parameters.extend(settings.svt.iter().cloned());
    Ok(config)
}

/// Grain is synthesised over the picture as it is: denoising it first would lower what is scored.
fn film_grain(strength: u8) -> Vec<(String, String)> {
    match strength {
        0 => Vec::new(),
        n => vec![("film-grain".to_owned(), n.to_string()), ("film-grain-denoise".to_owned(), "0".to_owned())],
    }
}

/// The track as the source describes it; how it is coded only the first packet tells.
pub(super) fn track(video: &VideoInfo, first: &Shown) -> VideoTrack {
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
        field_order: video.field_order,
        dolby_vision: None,
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
pub(super) fn not_decodable(frame: i64, error: Error) -> Error {
    let version = crate::video::library_version();
    let message = format!(
        "SVT-AV1 {version} made a stream that cannot be decoded at frame {frame}; a lower preset may do better"
    );
    Error::new(ErrorKind::Encode, message).caused_by(error)
}
