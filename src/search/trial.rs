//! One encode of one chunk, scored while it is made.
//!
//! ```text
//! Order ─► encode ─► Unit ─► score ─► Note
//!             ▲                │
//!             └── stop token ──┘  (the scores so far exclude the target)
//! ```
//!
//! An encode task and a score task make a worker. The encode task is free for the next order when its encoder
//! is drained; the score task then still decodes and scores the rest.

use std::sync::Arc;

use super::chunk::Chunk;
use super::workers::{Cost, Note, Order, Tried, TryKind};
use crate::base::{CancelToken, Error, ErrorKind, Result};
use crate::flow::{Outlet, Port, StageContext, Weighed};
use crate::media::{Frame, PacketData, PoolStats};
use crate::meter::Metric;
use crate::pixel::Converter;
use crate::plan::{Verdict, Watch};
use crate::stages::decode_back::DecodeBack;
use crate::stages::pairing::{Paired, PairingEncoder};
use crate::stages::progress::Progress;
use crate::stages::treat::at_depth;
use crate::store::job::ChunkFile;
use crate::video::{KeyRequest, encoder};

/// What an encode task hands to its score task.
pub(crate) enum TryUnit {
    Begin(Box<Begin>),
    /// The codec's configuration, before the first picture, where it stands apart from the pictures.
    Configuration(Vec<u8>),
    Picture {
        index: u64,
        data: PacketData,
        reference: Box<Frame>,
    },
    /// The encode ended: by itself, by the stop token, or by an error.
    End(Result<()>),
}

pub(crate) struct Begin {
    order: Order,
    stop: CancelToken,
}

impl Weighed for TryUnit {
    fn byte_len(&self) -> usize {
        match self {
            TryUnit::Picture { data, .. } => data.len(),
            TryUnit::Configuration(bytes) => bytes.len(),
            TryUnit::Begin(_) | TryUnit::End(_) => 0,
        }
    }
}

/// The task that encodes.
pub(crate) struct EncodeTries {
    pub(crate) worker: usize,
    pub(crate) orders: Port<Order>,
    pub(crate) units: Outlet<TryUnit>,
    pub(crate) notes: Outlet<Note>,
    pub(crate) converter: Converter,
    pub(crate) progress: Arc<Progress>,
}

impl EncodeTries {
    /// Works until no orders come; the buffers it converted.
    pub(crate) fn run(mut self, context: &StageContext) -> Result<PoolStats> {
        while let Some(order) = self.orders.receive()? {
            match order.job.kind {
                TryKind::Try | TryKind::Probe => self.make(order, context)?,
                TryKind::Ceiling => {
                    let score = self.ceiling(&order, context);
                    context.check()?;
                    self.notes.send(Note::Ceiling { chunk: order.chunk.index(), score })?;
                }
            }
            self.notes.send(Note::Free(self.worker))?;
        }
        Ok(self.converter.stats())
    }

    /// Encodes a chunk for the score task.
    fn make(&mut self, order: Order, context: &StageContext) -> Result<()> {
        // Stopping a try stops nothing else; stopping the run stops the try.
        let stop = context.cancel_token().child();
        let (chunk, job) = (Arc::clone(&order.chunk), order.job.clone());
        self.units.send(TryUnit::Begin(Box::new(Begin { order, stop: stop.clone() })))?;
        let result = self.encode(&chunk, &job, &stop, context);
        context.check()?;
        self.units.send(TryUnit::End(result))
    }

    fn encode(
        &mut self,
        chunk: &Chunk,
        job: &super::workers::TryJob,
        stop: &CancelToken,
        context: &StageContext,
    ) -> Result<()> {
        let mut frames = chunk.frames(job.from, context.cancel_token())?;
        let factory = encoder(&job.encode.encoder)?;
        let video = job.video_params();
        let mut encoder =
            context.waiting_for_turn(|| PairingEncoder::<Frame>::open(factory, &job.encode, &video, stop))?;
        if let Some(configuration) = encoder.codec_config() {
            self.units.send(TryUnit::Configuration(configuration))?;
        }
        let counted = job.kind == TryKind::Try;
        while let Some(frame) = frames.next()? {
            context.check()?;
            if stop.is_cancelled() {
                return Ok(());
            }
            let converted = at_depth(&mut self.converter, frame.clone(), job.depth)?;
            encoder.send(&converted, frame, KeyRequest::Auto)?;
            while let Some(paired) = encoder.receive()? {
                self.pass_on(paired, counted, context)?;
            }
        }
        encoder.finish()?;
        while let Some(paired) = encoder.receive()? {
            if stop.is_cancelled() {
                return Ok(());
            }
            self.pass_on(paired, counted, context)?;
        }
        Ok(())
    }

    fn pass_on(&self, paired: Paired<Frame>, counted: bool, context: &StageContext) -> Result<()> {
        let Paired { index, data, kept, .. } = paired;
        if counted {
            self.progress.trying(1);
        }
        context.item();
        self.units.send(TryUnit::Picture { index, data, reference: Box::new(kept) })
    }

    /// Scores the source against itself.
    fn ceiling(&mut self, order: &Order, context: &StageContext) -> Result<f64> {
        let Order { job, chunk, .. } = order;
        let mut metric = job.metric.open(job.shown.width, job.shown.height, job.depth)?;
        let mut frames = chunk.frames(0, context.cancel_token())?;
        while let Some(frame) = frames.next()? {
            context.check()?;
            let frame = at_depth(&mut self.converter, frame, job.depth)?;
            metric.push(frame.index, &frame, &frame)?;
            context.item();
        }
        Ok(metric.finish()?.harmonic_mean)
    }
}

/// The task that decodes what was encoded and scores it against what the encoder was given.
pub(crate) struct ScoreTries {
    pub(crate) units: Port<TryUnit>,
    pub(crate) notes: Outlet<Note>,
}

/// One try on its way.
struct Scoring {
    chunk: Arc<Chunk>,
    /// Position in it of the first frame that is encoded.
    from: u64,
    /// `None` where the bytes are of no use.
    file: Option<ChunkFile>,
    watch: Watch,
    stop: CancelToken,
    codec: &'static str,
    back: Decoding,
    pictures: u64,
    /// Scores the watch has seen.
    watched: usize,
    /// What the score would have been, once the watch stopped the try.
    stopped: Option<f64>,
}

/// What decodes a try.
enum Decoding {
    /// The codec's configuration is still to come.
    Waiting {
        encoder: String,
        metric: Box<dyn Metric>,
        depth: u8,
    },
    Open(Box<DecodeBack>),
}

impl ScoreTries {
    /// Works until no units come; the buffers it converted.
    pub(crate) fn run(self, context: &StageContext) -> Result<PoolStats> {
        let mut pool = PoolStats::default();
        while let Some(unit) = self.units.receive()? {
            let TryUnit::Begin(begin) = unit else { return Err(out_of_turn()) };
            let (chunk, stop) = (begin.order.chunk.index(), begin.stop.clone());
            let mut cost = Cost::default();
            let mut scoring = Scoring::open(*begin);
            let encoded = loop {
                match self.units.receive()?.ok_or_else(out_of_turn)? {
                    TryUnit::Begin(_) => return Err(out_of_turn()),
                    TryUnit::End(result) => break result,
                    TryUnit::Configuration(bytes) => {
                        scoring = scoring.and_then(|scoring| scoring.configured(&bytes));
                        if scoring.is_err() {
                            stop.cancel();
                        }
                    }
                    TryUnit::Picture { index, data, reference } => {
                        cost.frames += 1;
                        cost.bytes += data.len() as u64;
                        let failed = match &mut scoring {
                            Ok(scoring) => scoring.picture(index, &data, *reference, context).err(),
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
            // What the score task met with is the cause of what the encode task met with after it.
            let tried = scoring.and_then(|scoring| match encoded {
                Ok(()) => scoring.finish(context, &mut pool),
                Err(error) => Err(error),
            });
            let tried = Box::new(tried.map_err(|e| e.with_chunk(chunk)));
            self.notes.send(Note::Tried { chunk, cost, tried })?;
        }
        Ok(pool)
    }
}

fn out_of_turn() -> Error {
    Error::new(ErrorKind::Encode, "internal error: the parts of a try came out of turn")
}

impl Scoring {
    fn open(begin: Begin) -> Result<Self> {
        let Begin { order: Order { chunk, job, file }, stop } = begin;
        let factory = encoder(&job.encode.encoder)?;
        let metric = job.metric.open(job.shown.width, job.shown.height, job.depth)?;
        let (codec, encoder, depth) = (factory.traits().codec, factory.version(), job.depth);
        let back = match codec {
            "av1" => Decoding::Open(Box::new(DecodeBack::new(codec, &[], encoder)?.scored(metric, depth))),
            _ => Decoding::Waiting { encoder, metric, depth },
        };
        let watch = job.watch.map_or_else(Watch::idle, Watch::from);
        Ok(Scoring { chunk, from: job.from, file, watch, stop, codec, back, pictures: 0, watched: 0, stopped: None })
    }

    /// Takes the codec's configuration.
    fn configured(mut self, configuration: &[u8]) -> Result<Self> {
        let Decoding::Waiting { encoder, metric, depth } = self.back else { return Ok(self) };
        if let Some(file) = &mut self.file {
            file.configuration(configuration)?;
        }
        let back = DecodeBack::new(self.codec, configuration, encoder)?.scored(metric, depth);
        self.back = Decoding::Open(Box::new(back));
        Ok(self)
    }

    fn back(&mut self) -> Result<&mut DecodeBack> {
        match &mut self.back {
            Decoding::Open(back) => Ok(back),
            Decoding::Waiting { .. } => Err(out_of_turn()),
        }
    }

    fn picture(&mut self, index: u64, data: &PacketData, reference: Frame, context: &StageContext) -> Result<()> {
        if self.stopped.is_some() {
            return Ok(());
        }
        if let Some(file) = &mut self.file {
            let first = self.chunk.first_frame() + self.from;
            file.write(index.checked_sub(first).ok_or_else(out_of_turn)?, data)?;
        }
        let came = self.back()?.push(index, data, Some(reference))?;
        self.came(came, context)
    }

    /// Counts the pictures that are scored, and asks the watch whether more of them are worth while.
    fn came(&mut self, pictures: u64, context: &StageContext) -> Result<()> {
        self.pictures += pictures;
        (0..pictures).for_each(|_| context.item());
        if let Some(estimate) = self.watch() {
            self.stopped = Some(estimate);
            self.stop.cancel();
        }
        Ok(())
    }

    fn watch(&mut self) -> Option<f64> {
        let Decoding::Open(back) = &self.back else { return None };
        let known = &back.metric()?.known()[self.watched..];
        self.watched += known.len();
        for score in known {
            let position = score.index - self.chunk.first_frame();
            if let Verdict::Stop { estimate } = self.watch.observe(position, score.score) {
                return Some(estimate);
            }
        }
        None
    }

    fn finish(mut self, context: &StageContext, pool: &mut PoolStats) -> Result<Tried> {
        if self.stopped.is_none() {
            let came = self.back()?.end()?;
            self.came(came, context)?;
        }
        let Decoding::Open(back) = self.back else { return Err(out_of_turn()) };
        let (_, converted, metric) = back.into_parts();
        *pool = pool.plus(converted);
        if let Some(estimate) = self.stopped {
            return Ok(Tried::Stopped { estimate });
        }
        let expected = self.chunk.len().saturating_sub(self.from);
        if self.pictures != expected {
            let message = format!("the packets of {expected} frames decode to {} pictures", self.pictures);
            return Err(Error::new(ErrorKind::Encode, message));
        }
        let scores = metric.ok_or_else(out_of_turn)?.finish()?;
        Ok(match self.file {
            Some(file) => Tried::Whole { scores, file },
            None => Tried::Probed { scores },
        })
    }
}
