//! An opened file whose packets have one clock.

use std::collections::{HashSet, VecDeque};
use std::path::Path;

use super::stills;
use crate::av::{Input, InputPacket};
use crate::base::{CancelToken, Error, Rational, Result, Rounding, Span, Timestamp};
use crate::media::{MediaInfo, StreamInfo, StreamKind};
use crate::plan::{Clock, ClockJump, LateStream, Tick, Ticking};

/// FFmpeg's name of the Matroska demuxer.
const MATROSKA: &str = "matroska,webm";
/// A start nearer to zero than this, in nanoseconds, is zero: containers round to their ticks.
const ZERO: i64 = 1_000_000;
/// How long before the first picture and sound a subtitle of a broadcast may come, in seconds, and be one of the film.
const TEXT_S: f64 = 10.0;
/// How much of a file is looked at for pictures that are shown before the first one that was coded, in packets.
const LEADING: usize = 64;

/// A file opened for reading, whose times all begin at zero and go on where its clock jumps ([`Clock`]).
///
/// Law: as of [`Input`]. The times of packets, streams and chapters are those of the film; [`MediaInfo::start`] says where
/// the file's own clock begins. Sound that the container says is the codec's delay (Matroska's CodecDelay) is cut when
/// it is decoded.
pub struct Source {
    input: Input,
    info: MediaInfo,
    clock: Clock,
    /// Read, and not yet placed by the clock or given out.
    waiting: VecDeque<InputPacket>,
    /// Streams that are given out; `None` gives all.
    wanted: Option<HashSet<usize>>,
    /// Streams that the file announces while it is read, by the container's number of each.
    late: Vec<i32>,
    /// Streams of whose sound the first packet is still to come.
    primed: HashSet<usize>,
    ended: bool,
    failed: Option<Error>,
}

impl Source {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// As [`Input::open`].
    pub fn open(path: &Path, cancel: &CancelToken) -> Result<Self> {
        let mut input = Input::open(path, cancel)?;
        let mut info = input.info();
        let may_jump = input.may_jump();
        let (mut waiting, mut ended, mut failed) = (VecDeque::new(), false, None);
        if may_jump {
            read_ahead(&mut input, &mut waiting, &mut ended, &mut failed);
        }
        while stills::is_open_question(&info, &waiting) && !ended && failed.is_none() {
            read_on(&mut input, &mut waiting, &mut ended, &mut failed);
        }
        stills::settle(&mut info, &waiting);
        if info.container != MATROSKA {
            // Others say it to the decoder, and their times begin after it.
            info.streams.iter_mut().filter_map(|s| s.audio.as_mut()).for_each(|audio| audio.initial_padding = 0);
        }
        let start = start_of(&info, &waiting, may_jump);
        if let Some(start) = start {
            to_film(&mut info, start, may_jump);
        }
        let offset = start.map_or(0, |start| start.as_nanos().saturating_neg());
        let kinds = info.streams.iter().map(|stream| match stream.kind {
            StreamKind::Video => Ticking::Picture,
            StreamKind::Audio => Ticking::Sound,
            _ => Ticking::Seldom,
        });
        let mut clock = Clock::new(kinds, offset, may_jump);
        waiting.iter().for_each(|packet| clock.push(tick(packet)));
        if ended {
            clock.finish();
        }
        let primed = info.streams.iter().filter(|s| delay_of(s) > 0).map(|s| s.index).collect();
        Ok(Source { input, info, clock, waiting, wanted: None, late: Vec::new(), primed, ended, failed })
    }

    /// What the file holds, in time of the film.
    pub fn info(&self) -> &MediaInfo {
        &self.info
    }

    /// The file below, for decoders' parameters.
    pub fn input(&self) -> &Input {
        &self.input
    }

    /// The path it was opened from.
    pub fn path(&self) -> &Path {
        self.input.path()
    }

    /// Gives out the packets of some streams alone. The clock of formats that jump hears all streams all the same, so
    /// that times do not depend on what is wanted.
    pub fn keep_only(&mut self, wanted: &[usize]) {
        if !self.input.may_jump() {
            self.input.keep_only(wanted);
        }
        self.wanted = Some(wanted.iter().copied().collect());
    }

    /// Gives out the packets of all streams again.
    pub fn keep_all(&mut self) {
        let all: Vec<usize> = (0..self.input.stream_count()).collect();
        self.input.keep_only(&all);
        self.wanted = None;
    }

    /// Gives streams that the file announces late the indices behind those it was opened with, in this order, whatever
    /// order it announces them in. Other late streams come behind them.
    pub fn expect(&mut self, late: &[LateStream]) {
        self.late = late.iter().map(|stream| stream.id).collect();
    }

    /// Whether the format is one whose clock may jump, and whose streams may begin anywhere (broadcasts, DVDs).
    pub fn may_jump(&self) -> bool {
        self.input.may_jump()
    }

    /// The kind of a stream, also of one that was announced late.
    pub fn kind_of(&self, stream: usize) -> Option<StreamKind> {
        self.input.kind(stream)
    }

    /// Bytes of the file.
    pub fn size(&self) -> u64 {
        self.input.size()
    }

    /// The next packet in the file's order; `None` at the end of the file.
    ///
    /// Packets of streams that nobody knew of when the file was opened come also where others were asked for, so that
    /// they can be named.
    ///
    /// # Errors
    /// As [`Input::read_packet`].
    pub fn read_packet(&mut self) -> Result<Option<InputPacket>> {
        loop {
            if let Some(offset) = self.clock.pop() {
                let Some(packet) = self.waiting.pop_front() else { continue };
                let packet = self.of_late_stream(packet);
                let (stream, known) = (packet.stream(), self.info.streams.len() + self.late.len());
                if self.wanted.as_ref().is_none_or(|wanted| stream >= known || wanted.contains(&stream)) {
                    return self.placed_at(packet, offset).map(Some);
                }
                continue;
            }
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
            if self.ended {
                return Ok(None);
            }
            match self.input.read_packet() {
                Ok(Some(packet)) => {
                    self.clock.push(tick(&packet));
                    self.waiting.push_back(packet);
                }
                Ok(None) => {
                    self.ended = true;
                    self.clock.finish();
                }
                // What waits comes first.
                Err(error) => {
                    self.failed = Some(error);
                    self.clock.finish();
                }
            }
        }
    }

    /// The packet with the index that its stream has here.
    fn of_late_stream(&self, mut packet: InputPacket) -> InputPacket {
        let (stream, known) = (packet.stream(), self.info.streams.len());
        if stream >= known && !self.late.is_empty() {
            let id = self.input.stream_id(stream);
            let place = self.late.iter().position(|late| *late == id);
            packet.set_stream(place.map_or(stream + self.late.len(), |place| known + place));
        }
        packet
    }

    fn placed_at(&mut self, mut packet: InputPacket, offset: i64) -> Result<InputPacket> {
        packet.shift(Span::new(offset, Rational::NANO));
        if self.primed.remove(&packet.stream())
            && packet.skip_samples().0 == 0
            && let Some(stream) = self.info.streams.get(packet.stream())
        {
            return packet.skipping(delay_of(stream));
        }
        Ok(packet)
    }

    /// Moves to the last keyframe of stream `index` at or before `target`, in time of the film as long as the clock did
    /// not jump.
    ///
    /// # Errors
    /// As [`Input::seek`].
    pub fn seek(&mut self, index: usize, target: Timestamp) -> Result<()> {
        let own = match self.info.start {
            Some(start) => target.plus(Span::new(start.as_nanos(), Rational::NANO)),
            None => target,
        };
        self.input.seek(index, own)?;
        self.moved();
        Ok(())
    }

    /// Moves to a place in the file, counted in bytes.
    ///
    /// # Errors
    /// As [`Input::seek_bytes`].
    pub fn seek_bytes(&mut self, place: u64) -> Result<()> {
        self.input.seek_bytes(place)?;
        self.moved();
        Ok(())
    }

    /// Forgets what was read at another place.
    fn moved(&mut self) {
        self.clock.forget();
        self.waiting.clear();
        self.primed.clear();
        (self.ended, self.failed) = (false, None);
    }

    /// Where the clock jumped so far.
    pub fn jumps(&self) -> &[ClockJump] {
        self.clock.jumps()
    }
}

fn tick(packet: &InputPacket) -> Tick {
    Tick {
        stream: packet.stream(),
        time: packet.dts().or(packet.pts()).map(Timestamp::as_nanos),
        length: packet.duration().map_or(0, Span::as_nanos),
    }
}

/// Reads the first packets of a file.
fn read_ahead(input: &mut Input, waiting: &mut VecDeque<InputPacket>, ended: &mut bool, failed: &mut Option<Error>) {
    while waiting.len() < LEADING && !*ended && failed.is_none() {
        read_on(input, waiting, ended, failed);
    }
}

fn read_on(input: &mut Input, waiting: &mut VecDeque<InputPacket>, ended: &mut bool, failed: &mut Option<Error>) {
    match input.read_packet() {
        Ok(Some(packet)) => waiting.push_back(packet),
        Ok(None) => *ended = true,
        Err(error) => *failed = Some(error),
    }
}

/// Samples at the start of a stream that its decoder does not cut by itself, as those of Opus do.
fn delay_of(stream: &StreamInfo) -> u32 {
    stream.audio.as_ref().filter(|_| stream.codec != "opus").map_or(0, |audio| audio.initial_padding)
}

/// When the earliest stream is first seen, heard or read, by the file's own clock; `None` where that is zero or unknown.
fn start_of(info: &MediaInfo, first: &VecDeque<InputPacket>, may_jump: bool) -> Option<Timestamp> {
    let starts = info.streams.iter().filter(|s| matches!(s.kind, StreamKind::Video | StreamKind::Audio));
    let starts = starts.filter_map(|stream| {
        let start = stream.start?;
        let audio = stream.audio.as_ref();
        let padding = audio
            .filter(|a| a.sample_rate > 0)
            .map_or(0, |a| i64::from(a.initial_padding) * i64::from(Rational::NANO.den()) / i64::from(a.sample_rate));
        if padding > 0 {
            return Some(start.rescale(Rational::NANO, Rounding::Nearest).plus(Span::new(padding, Rational::NANO)));
        }
        // Pictures of H.264 that lean on what was cut off are shown all the same, and before the first that was coded.
        let leading = first.iter().filter(|p| stream.codec == "h264" && p.stream() == stream.index);
        Some(leading.filter_map(InputPacket::pts).fold(start, Timestamp::min))
    });
    let heard = starts.min()?;
    // A subtitle before that is one of the film; in a broadcast it may be of the one before.
    let texts = info.streams.iter().filter(|s| s.kind == StreamKind::Subtitle).filter_map(|s| s.start);
    let near = |text: &Timestamp| !may_jump || heard.since(*text).as_secs_f64() < TEXT_S;
    texts.filter(near).chain([heard]).min().filter(|start| start.as_nanos().abs() >= ZERO)
}

/// Takes `start` off all times.
fn to_film(info: &mut MediaInfo, start: Timestamp, may_jump: bool) {
    let by = Span::new(start.as_nanos().saturating_neg(), Rational::NANO);
    for stream in &mut info.streams {
        stream.start = stream.start.map(|own| own.plus(by));
        stream.tagged_end = stream.tagged_end.map(|own| own.plus(by));
    }
    for chapter in &mut info.chapters {
        let zero = Timestamp::new(0, chapter.start.base());
        (chapter.start, chapter.end) = (chapter.start.plus(by).max(zero), chapter.end.plus(by).max(zero));
    }
    // Headers count from zero; where there are none, FFmpeg measures from the first time to the last.
    if !may_jump {
        info.duration_s = info.duration_s.map(|duration| (duration - start.as_secs_f64()).max(0.0));
    }
    info.start = Some(start);
}
