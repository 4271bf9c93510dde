//! One encode of one chunk, scored while it is made.
//!
//! ```text
//! Order ─► encode ─► Unit ─► score ─► Note
//!             ▲                │
//!             └── stop token ──┘  (the scores so far exclude the target)
//! ```
//!
//! An encode stage and a score stage make a worker. The encode stage is free for the next order when its encoder
//! is drained; the score stage then still decodes and scores the rest.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::chunk::Chunk;
use crate::av::{Decoder, DecoderOptions, Received, VideoFrame};
use crate::base::{CancelToken, Error, ErrorKind, Rational, Result};
use crate::media::{Frame, PacketData};
use crate::meter::{RunningSession, Scores, Session, SessionConfig};
use crate::pixel::Converter;
use crate::plan::{Verdict, Watch};
use crate::stages::picture::{not_decodable, unit};
use crate::stages::queue::{Receiver, Sender, Weighed};
use crate::stages::stage::StageMeter;
use crate::stages::tally::Tally;
use crate::stages::treat::at_depth;
use crate::store::job::ChunkFile;
use crate::video::{EncodedPacket, Encoder, EncoderConfig};

/// What a worker is asked to do with a chunk.
pub(crate) struct Order {
    pub(crate) chunk: Arc<Chunk>,
    pub(crate) session: SessionConfig,
    pub(crate) task: Task,
}

pub(crate) enum Task {
    /// Encode it, score it, write its bytes.
    Try { config: Box<EncoderConfig>, watch: Watch, file: ChunkFile },
    /// Encode it by a fast preset and score that: what it says of the right CRF.
    Probe { config: Box<EncoderConfig> },
    /// Score the source against itself: the best score there is.
    Ceiling,
}

impl Weighed for Order {
    fn byte_len(&self) -> usize {
        0
    }
}

/// What comes back.
pub(crate) enum Note {
    /// The feeder completed a chunk.
    Chunk(Box<Chunk>),
    /// The feeder came to the end of the film.
    End,
    /// The encode stage of this worker can take an order.
    Free(usize),
    /// A try of this chunk ended.
    Tried { chunk: usize, cost: Cost, tried: Box<Result<Tried>> },
    /// The score of this chunk's source against itself.
    Ceiling { chunk: usize, score: Result<f64> },
}

impl Weighed for Note {
    fn byte_len(&self) -> usize {
        // The frames of chunks are held to a budget of their own.
        0
    }
}

/// A try that came to an end.
pub(crate) enum Tried {
    /// All frames were encoded, decoded and scored; the bytes wait to be kept.
    Whole { scores: Scores, file: ChunkFile },
    /// The scores so far excluded the target; what the score would have been.
    Stopped { estimate: f64 },
    /// It was a probe.
    Probed { scores: Scores },
}

/// What the encoder gave out for a try, kept or not.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    pub(crate) frames: u64,
    pub(crate) bytes: u64,
}

/// What an encode stage hands to its score stage.
pub(crate) enum Unit {
    Begin(Box<Begin>),
    Picture {
        data: PacketData,
        reference: Box<Frame>,
    },
    /// The encode ended: by itself, by the stop token, or by an error.
    End(Result<()>),
}

pub(crate) struct Begin {
    chunk: Arc<Chunk>,
    session: SessionConfig,
    watch: Watch,
    /// `None` where the bytes are of no use.
    file: Option<ChunkFile>,
    stop: CancelToken,
}

impl Weighed for Unit {
    fn byte_len(&self) -> usize {
        match self {
            Unit::Picture { data, .. } => data.len(),
            Unit::Begin(_) | Unit::End(_) => 0,
        }
    }
}

/// The stage that encodes.
pub(crate) struct EncodeTries {
    pub(crate) worker: usize,
    pub(crate) orders: Receiver<Order>,
    pub(crate) units: Sender<Unit>,
    pub(crate) notes: Sender<Note>,
    pub(crate) converter: Converter,
    pub(crate) tally: Arc<Tally>,
    pub(crate) cancel: CancelToken,
}

impl EncodeTries {
    pub(crate) fn run(&mut self, meter: &StageMeter) -> Result<()> {
        while let Some(Order { chunk, session, task }) = self.orders.receive()? {
            match task {
                Task::Try { config, watch, file } => {
                    self.make(chunk, session, &config, watch, Some(file), meter)?;
                }
                Task::Probe { config } => self.make(chunk, session, &config, Watch::idle(), None, meter)?,
                Task::Ceiling => {
                    let score = self.ceiling(&chunk, session, meter);
                    self.cancel.check()?;
                    self.notes.send(Note::Ceiling { chunk: chunk.index(), score })?;
                }
            }
            self.notes.send(Note::Free(self.worker))?;
        }
        self.tally.add_pool(self.converter.stats());
        Ok(())
    }

    /// Encodes a chunk for the score stage.
    fn make(
        &mut self,
        chunk: Arc<Chunk>,
        session: SessionConfig,
        config: &EncoderConfig,
        watch: Watch,
        file: Option<ChunkFile>,
        meter: &StageMeter,
    ) -> Result<()> {
        // Stopping a try stops nothing else; stopping the run stops the try.
        let stop = self.cancel.child();
        let probe = file.is_none();
        let begin = Begin { chunk: Arc::clone(&chunk), session, watch, file, stop: stop.clone() };
        self.units.send(Unit::Begin(Box::new(begin)))?;
        let result = self.encode(&chunk, config, probe, &stop, meter);
        self.cancel.check()?;
        self.units.send(Unit::End(result))
    }

    fn encode(
        &mut self,
        chunk: &Chunk,
        config: &EncoderConfig,
        probe: bool,
        stop: &CancelToken,
        meter: &StageMeter,
    ) -> Result<()> {
        let mut frames = chunk.frames(&self.cancel)?;
        let mut encoder = Encoder::open_when_free(config, stop)?;
        let mut pending = VecDeque::new();
        while let Some(frame) = frames.next()? {
            if stop.is_cancelled() {
                return Ok(());
            }
            encoder.send(&at_depth(&mut self.converter, frame.clone(), config.bit_depth)?)?;
            pending.push_back(frame);
            while let Some(packet) = encoder.receive()? {
                self.pass_on(&mut pending, packet, probe, meter)?;
            }
        }
        let mut draining = encoder.finish()?;
        while let Some(packet) = draining.next_packet()? {
            if stop.is_cancelled() {
                return Ok(());
            }
            self.pass_on(&mut pending, packet, probe, meter)?;
        }
        Ok(())
    }

    /// Pairs a packet with its frame by identity.
    fn pass_on(
        &self,
        pending: &mut VecDeque<Frame>,
        packet: EncodedPacket,
        probe: bool,
        meter: &StageMeter,
    ) -> Result<()> {
        let reference = pending
            .pop_front()
            .ok_or_else(|| Error::new(ErrorKind::Encode, "the encoder gave more packets than it was given frames"))?;
        if reference.index != packet.frame_index {
            let message =
                format!("the encoder gave frame {} where frame {} was due", packet.frame_index, reference.index);
            return Err(Error::new(ErrorKind::Encode, message).at(reference.pts));
        }
        let (data, _) = unit(&packet.data, &reference.dynamic).map_err(|e| e.at(reference.pts))?;
        if !probe {
            self.tally.encoded.fetch_add(1, Ordering::Relaxed);
            self.tally.bytes.fetch_add(data.len() as u64, Ordering::Relaxed);
        }
        meter.item();
        self.units.send(Unit::Picture { data, reference: Box::new(reference) })
    }

    /// Scores the source against itself.
    fn ceiling(&mut self, chunk: &Chunk, config: SessionConfig, meter: &StageMeter) -> Result<f64> {
        let mut session = Session::new(config)?;
        let mut frames = chunk.frames(&self.cancel)?;
        while let Some(frame) = frames.next()? {
            self.cancel.check()?;
            let frame = at_depth(&mut self.converter, frame, config.depth)?;
            session.score(frame.index, &frame, &frame)?;
            meter.item();
        }
        Ok(session.finish()?.harmonic_mean)
    }
}

/// The stage that decodes what was encoded and scores it against what the encoder was given.
pub(crate) struct ScoreTries {
    pub(crate) units: Receiver<Unit>,
    pub(crate) notes: Sender<Note>,
    pub(crate) converter: Converter,
    pub(crate) tally: Arc<Tally>,
}

/// One try on its way.
struct Scoring {
    begin: Begin,
    decoder: Decoder,
    session: RunningSession,
    references: VecDeque<Frame>,
    packets: i64,
    pictures: u64,
    /// Scores the watch has seen.
    watched: usize,
    /// What the score would have been, once the watch stopped the try.
    stopped: Option<f64>,
}

impl ScoreTries {
    pub(crate) fn run(&mut self, meter: &StageMeter) -> Result<()> {
        while let Some(unit) = self.units.receive()? {
            let Unit::Begin(begin) = unit else { return Err(out_of_turn()) };
            let (chunk, stop) = (begin.chunk.index(), begin.stop.clone());
            let mut cost = Cost::default();
            let mut scoring = Scoring::open(*begin);
            let encoded = loop {
                match self.units.receive()?.ok_or_else(out_of_turn)? {
                    Unit::Begin(_) => return Err(out_of_turn()),
                    Unit::End(result) => break result,
                    Unit::Picture { data, reference } => {
                        cost.frames += 1;
                        cost.bytes += data.len() as u64;
                        let failed = match &mut scoring {
                            Ok(scoring) => scoring.picture(&data, *reference, &mut self.converter, meter).err(),
                            Err(_) => None,
                        };
                        if let Some(error) = failed {
                            scoring = Err(error);
                        }
                        if scoring.is_err() {
                            stop.cancel();
                        }
                    }
                }
            };
            // What the score stage met with is the cause of what the encode stage met with after it.
            let tried = scoring.and_then(|scoring| match encoded {
                Ok(()) => scoring.finish(&mut self.converter, meter),
                Err(error) => Err(error),
            });
            let tried = Box::new(tried.map_err(|e| e.with_chunk(chunk)));
            self.notes.send(Note::Tried { chunk, cost, tried })?;
        }
        self.tally.add_pool(self.converter.stats());
        Ok(())
    }
}

fn out_of_turn() -> Error {
    Error::new(ErrorKind::Encode, "internal error: the parts of a try came out of turn")
}

impl Scoring {
    fn open(begin: Begin) -> Result<Self> {
        let decoder = Decoder::av1(Rational::MILLI, DecoderOptions { threads: 1, without_film_grain: true })?;
        Ok(Scoring {
            session: RunningSession::new(begin.session)?,
            begin,
            decoder,
            references: VecDeque::new(),
            packets: 0,
            pictures: 0,
            watched: 0,
            stopped: None,
        })
    }

    fn picture(
        &mut self,
        data: &PacketData,
        reference: Frame,
        converter: &mut Converter,
        meter: &StageMeter,
    ) -> Result<()> {
        if self.stopped.is_some() {
            return Ok(());
        }
        let at = reference.pts;
        self.references.push_back(reference);
        if let Some(file) = &mut self.begin.file {
            file.write(data)?;
        }
        let packet = self.packets;
        self.packets += 1;
        let sent = self.decoder.send_bytes(data, packet);
        sent.map_err(|e| not_decodable(packet, e).at(at))?;
        self.take(converter, meter)
    }

    /// Scores the pictures that are decoded, and asks the watch whether that is worth while.
    fn take(&mut self, converter: &mut Converter, meter: &StageMeter) -> Result<()> {
        while let Received::Frame(picture) = self.decoder.receive_video().map_err(|e| not_decodable(self.packets, e))? {
            let Some(reference) = self.references.pop_front() else {
                return Err(Error::new(
                    ErrorKind::Encode,
                    "the encoder's packets decode to more pictures than it was given",
                ));
            };
            let reference = at_depth(converter, reference, self.begin.session.depth)?;
            self.session.score(reference.index, &reference, &twin(&reference, picture))?;
            self.pictures += 1;
            meter.item();
            if let Some(estimate) = self.watch() {
                self.stopped = Some(estimate);
                self.begin.stop.cancel();
                return Ok(());
            }
        }
        Ok(())
    }

    fn watch(&mut self) -> Option<f64> {
        let known = &self.session.known()[self.watched..];
        self.watched += known.len();
        for score in known {
            let position = score.index - self.begin.chunk.first_frame();
            if let Verdict::Stop { estimate } = self.begin.watch.observe(position, score.score) {
                return Some(estimate);
            }
        }
        None
    }

    fn finish(mut self, converter: &mut Converter, meter: &StageMeter) -> Result<Tried> {
        if self.stopped.is_none() {
            self.decoder.send_end()?;
            self.take(converter, meter)?;
        }
        if let Some(estimate) = self.stopped {
            return Ok(Tried::Stopped { estimate });
        }
        let expected = self.begin.chunk.len();
        if self.pictures != expected {
            let message = format!("the packets of {expected} frames decode to {} pictures", self.pictures);
            return Err(Error::new(ErrorKind::Encode, message));
        }
        let scores = self.session.finish()?;
        Ok(match self.begin.file {
            Some(file) => Tried::Whole { scores, file },
            None => Tried::Probed { scores },
        })
    }
}

/// The decoded picture as the twin of `reference`.
fn twin(reference: &Frame, picture: VideoFrame) -> Frame {
    let (width, height) = picture.size();
    Frame { width, height, format: picture.format(), planes: Arc::new(picture), ..reference.clone() }
}
