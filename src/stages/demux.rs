//! The first stage: reads packets and sends each where its stream goes.

use std::sync::Arc;

use super::mux::MuxMessage;
use super::queue::Sender;
use super::stage::StageMeter;
use super::tally::Tally;
use crate::av::{Input, InputPacket, SubtitleConverter};
use crate::base::{CancelToken, Error, ErrorKind, Rational, Result, Rounding, Span, Timestamp};
use crate::container::codec::webvtt_additional;
use crate::media::{Packet, PacketData, Trim};
use crate::syntax::opus::{OPUS_RATE, packet_samples};

/// How often the tracks that come seldom are said to have come so far, in seconds of film.
const PACE_S: f64 = 0.25;

/// Where the packets of one stream go.
pub(crate) enum Route {
    Skip,
    Decode(Sender<InputPacket>),
    CopyAudio { track: usize, delay_ns: u64 },
    CopySubtitle { track: usize, webvtt: bool },
    ConvertSubtitle { track: usize, converter: SubtitleConverter },
}

pub(crate) struct Demux {
    pub(crate) input: Input,
    /// By stream index; streams that appear later are skipped.
    pub(crate) routes: Vec<Route>,
    /// The stream whose times pace the tracks that come seldom.
    pub(crate) main: usize,
    pub(crate) mux: Sender<MuxMessage>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) cancel: CancelToken,
}

impl Demux {
    pub(crate) fn run(&mut self, meter: &StageMeter) -> Result<()> {
        let mut end_s = 0.0f64;
        self.advance(Timestamp::new(i64::MIN / 2, Rational::NANO))?;
        let mut told: Option<Timestamp> = None;
        loop {
            self.cancel.check()?;
            let packet = match self.input.read_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
                // What was read so far is a film that ends early: whether that is acceptable is judged by
                // how much is missing, as with damaged packets.
                Err(error) => {
                    self.tally.lock().demux.stopped = Some(error.to_string());
                    break;
                }
            };
            end_s = end_s.max(end_of(&packet));
            if packet.stream() == self.main
                && let Some(now) = packet.dts()
                && told.is_none_or(|told| now.since(told).as_secs_f64() >= PACE_S)
            {
                told = Some(now);
                self.advance(now)?;
            }
            self.route(packet)?;
            meter.item();
        }
        self.tally.lock().demux.end_s = end_s;
        self.end_copied_tracks()
    }

    fn route(&mut self, packet: InputPacket) -> Result<()> {
        let stream = packet.stream();
        let Some(route) = self.routes.get_mut(stream) else { return Ok(()) };
        let place = |error: Error| error.with_stream(stream);
        match route {
            Route::Skip => Ok(()),
            Route::Decode(sender) => sender.send(packet),
            Route::CopyAudio { track, delay_ns } => match copied_audio(packet, *delay_ns) {
                Some(copy) => {
                    let mut findings = self.tally.lock();
                    let audio = findings.audio.entry(stream).or_default();
                    audio.packets += 1;
                    audio.start.get_or_insert(copy.pts.plus(nanos(*delay_ns)));
                    drop(findings);
                    self.mux.send(MuxMessage::Packet { track: *track, packet: copy })
                }
                None => {
                    self.tally.lock().audio.entry(stream).or_default().skipped_packets += 1;
                    Ok(())
                }
            },
            Route::CopySubtitle { track, webvtt } => match copied_subtitle(packet, *webvtt) {
                Some(copy) => self.mux.send(MuxMessage::Packet { track: *track, packet: copy }),
                None => {
                    self.tally.warn(format!("stream {stream}: a subtitle without a time is left out"));
                    Ok(())
                }
            },
            Route::ConvertSubtitle { track, converter } => match converter.convert(&packet) {
                Ok(Some(text)) => {
                    let Some(pts) = packet.pts().filter(|pts| pts.ticks() >= 0) else { return Ok(()) };
                    let mut copy = Packet::new(pts, PacketData::new(text));
                    copy.duration = packet.duration();
                    self.mux.send(MuxMessage::Packet { track: *track, packet: copy })
                }
                Ok(None) => Ok(()),
                Err(error) => {
                    self.tally.warn(format!("a subtitle is left out: {}", place(error)));
                    Ok(())
                }
            },
        }
    }

    /// Tells the muxer how far the subtitle tracks are.
    fn advance(&mut self, time: Timestamp) -> Result<()> {
        for route in &self.routes {
            if let Route::CopySubtitle { track, .. } | Route::ConvertSubtitle { track, .. } = route {
                self.mux.send(MuxMessage::Advance { track: *track, time })?;
            }
        }
        Ok(())
    }

    fn end_copied_tracks(&mut self) -> Result<()> {
        for route in self.routes.drain(..) {
            match route {
                Route::CopyAudio { track, .. }
                | Route::CopySubtitle { track, .. }
                | Route::ConvertSubtitle { track, .. } => self.mux.send(MuxMessage::End { track })?,
                // Dropping the sender is the flush.
                Route::Skip | Route::Decode(_) => {}
            }
        }
        Ok(())
    }
}

fn nanos(ns: u64) -> Span {
    Span::new(i64::try_from(ns).unwrap_or(i64::MAX), Rational::NANO)
}

fn end_of(packet: &InputPacket) -> f64 {
    let start = packet.pts().or(packet.dts()).map_or(0.0, Timestamp::as_secs_f64);
    start + packet.duration().map_or(0.0, Span::as_secs_f64)
}

/// A packet of an audio track that is copied; `None` for what lies before the start of the film.
///
/// FFmpeg subtracts the codec delay from the times of Matroska's Opus, rounded to the stream's time base; the
/// writer adds it exactly. To give back the block's own time, the rounding is undone here.
fn copied_audio(packet: InputPacket, delay_ns: u64) -> Option<Packet> {
    let pts = packet.pts().or(packet.dts())?;
    let delay = nanos(delay_ns);
    let block = pts.plus(delay.rescale(pts.base(), Rounding::Nearest));
    if block.ticks() < 0 {
        return None;
    }
    let exact = block.rescale(Rational::NANO, Rounding::Nearest);
    let start = Timestamp::new(exact.ticks() - delay.ticks(), Rational::NANO);
    let mut copy = Packet::new(start, PacketData::new(Vec::new()));
    copy.duration = packet.duration();
    let (_, skip_end) = packet.skip_samples();
    // Only Opus has a delay here, and with it a clock of 48 kHz and packets that say how long they are.
    if delay_ns > 0
        && let Some(samples) = packet_samples(packet.data())
    {
        let ns = |samples: u32| i64::from(samples) * 1_000_000_000 / i64::from(OPUS_RATE);
        copy.trim = Trim::at_end(Span::new(ns(skip_end), Rational::NANO));
        copy.duration = Some(Span::new(ns(samples) - ns(skip_end.min(samples)), Rational::NANO));
    }
    copy.data = packet.into_data();
    Some(copy)
}

fn copied_subtitle(packet: InputPacket, webvtt: bool) -> Option<Packet> {
    let pts = packet.pts().or(packet.dts()).filter(|pts| pts.ticks() >= 0)?;
    let mut copy = Packet::new(pts, PacketData::new(Vec::new()));
    copy.duration = packet.duration();
    if webvtt {
        let (identifier, settings) = packet.webvtt();
        let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        copy.additional = packet
            .block_additional()
            .map(PacketData::new)
            .or_else(|| webvtt_additional(&text(settings), &text(identifier)));
    }
    copy.data = packet.into_data();
    Some(copy)
}
