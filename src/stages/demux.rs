//! The first stage: reads packets and sends each where its stream goes.

use std::collections::BTreeMap;

use super::mux::TrackOut;
use super::sound::AudioFindings;
use crate::av::{InputPacket, SubtitleConverter, SubtitleCue};
use crate::base::{Error, ErrorKind, Rational, Result, Rounding, Span, Timestamp};
use crate::container::codec::webvtt_additional;
use crate::flow::{Outlet, StageContext};
use crate::media::{Packet, PacketData, Trim};
use crate::plan::ClockJump;
use crate::source::Source;
use crate::syntax::opus::{OPUS_RATE, packet_samples};

/// How often the tracks that come seldom are said to have come so far, in seconds of film.
const PACE_S: f64 = 0.25;

/// How far behind the film a track may stay whose packets come late, in milliseconds: the order of the file waits for it.
const LATE_MS: i64 = 10_000;

/// Where the packets of one stream go.
pub(crate) enum Route {
    Skip,
    Decode(Outlet<InputPacket>),
    /// Sound that is encoded. Until it begins, the file's order must not wait for its track.
    Sound {
        outlet: Outlet<InputPacket>,
        track: TrackOut,
        begun: bool,
    },
    CopyAudio {
        track: TrackOut,
        delay_ns: u64,
        opus: bool,
    },
    CopySubtitle {
        track: TrackOut,
        webvtt: bool,
    },
    ConvertSubtitle {
        track: TrackOut,
        converter: SubtitleConverter,
    },
    /// Into some files so, into others so.
    Both(Box<[Route; 2]>),
}

/// Reads one source.
pub(crate) struct Demux {
    pub(crate) source: Source,
    /// By stream index; streams that appear later are counted.
    pub(crate) routes: Vec<Route>,
    /// The stream whose times pace the tracks that come seldom.
    pub(crate) main: usize,
    pub(crate) found: DemuxFindings,
}

/// What reading came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct DemuxFindings {
    /// The latest end of any packet, in seconds.
    pub(crate) end_s: f64,
    /// The latest end of a picture of the main video, in seconds.
    pub(crate) picture_end_s: f64,
    /// Packets of the main video.
    pub(crate) picture_packets: u64,
    /// Whether the last packet that was read breaks off.
    pub(crate) broken: bool,
    /// Where the last bytes that were read end in the file.
    pub(crate) end_position: u64,
    /// How often the clock of the source jumped.
    pub(crate) jumps: usize,
    /// Why reading stopped before the end of the file, where it did.
    pub(crate) stopped: Option<String>,
    /// Copied audio by source stream index.
    pub(crate) copied: BTreeMap<usize, AudioFindings>,
    /// Packets of streams that began after the tracks were decided, by stream, and when the first came.
    pub(crate) unforeseen: BTreeMap<usize, (u64, f64)>,
    /// Things the user should know, in order of appearance.
    pub(crate) warnings: Vec<String>,
}

impl Demux {
    /// Reads to the end, or until the run drains.
    ///
    /// # Errors
    /// `Interrupted`; a source that breaks off is a finding.
    pub(crate) fn run(mut self, context: &StageContext) -> Result<DemuxFindings> {
        self.advance(Timestamp::new(i64::MIN / 2, Rational::NANO))?;
        let mut told: Option<Timestamp> = None;
        while !context.is_draining() {
            context.check()?;
            let packet = match self.source.read_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
                // What was read so far is a film that ends early: whether that is acceptable is judged by
                // how much is missing, as with damaged packets.
                Err(error) => {
                    self.found.stopped = Some(error.to_string());
                    break;
                }
            };
            self.found.note(&packet, self.main);
            if packet.stream() == self.main
                && let Some(now) = packet.dts()
                && told.is_none_or(|told| now.since(told).as_secs_f64() >= PACE_S)
            {
                told = Some(now);
                self.advance(now)?;
            }
            self.route(packet)?;
            context.item();
        }
        self.end_copied_tracks()?;
        self.found.jumps = self.source.jumps().len();
        self.found.warnings.extend(jump_warnings(self.source.jumps()));
        let unforeseen = self.found.unforeseen_warnings();
        self.found.warnings.extend(unforeseen);
        Ok(self.found)
    }

    fn route(&mut self, packet: InputPacket) -> Result<()> {
        match self.routes.get_mut(packet.stream()) {
            Some(route) => route.take(packet, &mut self.found),
            None => {
                self.found.unforeseen(&packet);
                Ok(())
            }
        }
    }

    /// Tells the muxers how far the subtitle tracks are.
    fn advance(&self, time: Timestamp) -> Result<()> {
        self.routes.iter().try_for_each(|route| route.advance(time))
    }

    fn end_copied_tracks(&mut self) -> Result<()> {
        self.routes.drain(..).try_for_each(|route| route.end(&mut self.found))
    }
}

impl Route {
    fn take(&mut self, packet: InputPacket, found: &mut DemuxFindings) -> Result<()> {
        let stream = packet.stream();
        let place = |error: Error| error.with_stream(stream);
        match self {
            Route::Skip => Ok(()),
            Route::Decode(outlet) => outlet.send(packet),
            Route::Sound { outlet, begun, .. } => {
                *begun = true;
                outlet.send(packet)
            }
            Route::CopyAudio { track, delay_ns, opus } => {
                let audio = found.copied.entry(stream).or_default();
                let Some(copy) = copied_audio(packet, *delay_ns, *opus) else {
                    audio.skipped_packets += 1;
                    return Ok(());
                };
                audio.packets += 1;
                audio.start.get_or_insert(copy.pts.plus(nanos(*delay_ns)));
                track.packet(copy)
            }
            Route::CopySubtitle { track, webvtt } => match copied_subtitle(packet, *webvtt) {
                Some(copy) => track.packet(copy),
                None => {
                    found.warn(format!("stream {stream}: a subtitle without a time is left out"));
                    Ok(())
                }
            },
            Route::ConvertSubtitle { track, converter } => match converter.convert(&packet) {
                Ok(cue) => cue.map_or(Ok(()), |cue| converted(cue, track)),
                Err(error) => {
                    found.warn(format!("a subtitle is left out: {}", place(error)));
                    Ok(())
                }
            },
            Route::Both(both) => {
                let [one, other] = &mut **both;
                one.take(packet.share()?, found)?;
                other.take(packet, found)
            }
        }
    }

    fn advance(&self, time: Timestamp) -> Result<()> {
        match self {
            Route::ConvertSubtitle { track, converter } if converter.is_late() => track.advance(late(time)),
            Route::Sound { track, begun: false, .. } => track.advance(late(time)),
            Route::CopySubtitle { track, .. } | Route::ConvertSubtitle { track, .. } => track.advance(time),
            Route::Both(both) => both.iter().try_for_each(|route| route.advance(time)),
            Route::Skip | Route::Decode(_) | Route::Sound { .. } | Route::CopyAudio { .. } => Ok(()),
        }
    }

    fn end(self, found: &mut DemuxFindings) -> Result<()> {
        match self {
            Route::CopyAudio { track, .. } | Route::CopySubtitle { track, .. } => track.end(),
            Route::ConvertSubtitle { track, mut converter } => {
                match converter.finish() {
                    Ok(cues) => cues.into_iter().try_for_each(|cue| converted(cue, &track))?,
                    Err(error) => found.warn(format!("a subtitle is left out: {error}")),
                }
                track.end()
            }
            Route::Both(both) => both.into_iter().try_for_each(|route| route.end(found)),
            // Dropping the outlet is the flush.
            Route::Skip | Route::Decode(_) | Route::Sound { .. } => Ok(()),
        }
    }
}

impl DemuxFindings {
    fn note(&mut self, packet: &InputPacket, main: usize) {
        let end = end_of(packet);
        self.end_s = self.end_s.max(end);
        if packet.stream() == main {
            self.picture_end_s = self.picture_end_s.max(end);
            self.picture_packets += 1;
        }
        self.broken = packet.is_corrupt();
        self.end_position = self.end_position.max(packet.end_position().unwrap_or(0));
    }

    /// Counts a packet of a stream that nobody foresaw.
    fn unforeseen(&mut self, packet: &InputPacket) {
        let at = packet.pts().or(packet.dts()).map_or(self.end_s, Timestamp::as_secs_f64);
        self.unforeseen.entry(packet.stream()).or_insert((0, at)).0 += 1;
    }

    /// What is said of them.
    fn unforeseen_warnings(&self) -> Vec<String> {
        let say = |(stream, (packets, at)): (&usize, &(u64, f64))| {
            format!("stream {stream} begins at {at:.3} s, where nobody looked: its {packets} packets are not kept")
        };
        self.unforeseen.iter().map(say).collect()
    }

    pub(crate) fn warn(&mut self, message: String) {
        tracing::warn!("{message}");
        self.warnings.push(message);
    }
}

/// What is said of the places where the source's clock jumped; of many, the first ones.
fn jump_warnings(jumps: &[ClockJump]) -> Vec<String> {
    const MOST: usize = 5;
    let seconds = |ns: i64| ns as f64 / 1e9;
    let say = |jump: &ClockJump| {
        let (at, by, stream) = (seconds(jump.at), seconds(jump.by), jump.stream);
        format!("the clock of the source jumps by {by:+.3} s at {at:.3} s (stream {stream} first): joined there")
    };
    let mut out: Vec<String> = jumps.iter().take(MOST).map(say).collect();
    if jumps.len() > MOST {
        out.push(format!("the clock of the source jumps {} times in all", jumps.len()));
    }
    out
}

/// As far as a track surely is whose packets may lag behind the pictures.
fn late(time: Timestamp) -> Timestamp {
    Timestamp::new(time.as_nanos().saturating_sub(LATE_MS * 1_000_000), Rational::NANO)
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
/// FFmpeg subtracts the codec delay from the times of Matroska, rounded to the stream's time base; the
/// writer adds it exactly. To give back the block's own time, the rounding is undone here.
fn copied_audio(packet: InputPacket, delay_ns: u64, opus: bool) -> Option<Packet> {
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
    // Opus has a clock of 48 kHz and packets that say how long they are.
    if opus && let Some(samples) = packet_samples(packet.data()) {
        let ns = |samples: u32| i64::from(samples) * 1_000_000_000 / i64::from(OPUS_RATE);
        copy.trim = Trim::at_end(Span::new(ns(skip_end), Rational::NANO));
        copy.duration = Some(Span::new(ns(samples) - ns(skip_end.min(samples)), Rational::NANO));
    }
    copy.data = packet.into_data();
    Some(copy)
}

/// A cue that was converted; one from before the start of the film is left out.
fn converted(cue: SubtitleCue, track: &TrackOut) -> Result<()> {
    if cue.start.ticks() < 0 {
        return Ok(());
    }
    let mut packet = Packet::new(cue.start, PacketData::new(cue.text));
    packet.duration = cue.duration;
    track.packet(packet)
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
