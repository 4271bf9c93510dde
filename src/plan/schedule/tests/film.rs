//! A film that is not there: what its chunks score at any CRF, and workers that say so in any order.

use std::collections::{BTreeMap, VecDeque};

use super::super::*;
use crate::media::Crf;
use crate::plan::{
    ChunkMeans, CrfScale, Curve, Layout, Piece, SearchRules, TitleRules, TitleWay, Verdict, Watch, WatchSpec,
};

/// Random numbers, the same for the same seed.
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    /// From 0 to 1.
    pub fn part(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// A chunk whose `ln(101 - VMAF)` is a line in CRF, with noise for each CRF and frame, and parts that differ.
#[derive(Clone, Debug)]
struct ChunkCurve {
    seed: u64,
    facts: ChunkFacts,
    level: f64,
    slope: f64,
    /// Noise of the whole chunk, for each CRF and stride.
    wobble: f64,
    /// By how much its second half is harder.
    halves: f64,
    ceiling: f64,
}

#[derive(Clone, Debug)]
pub struct SimFilm {
    chunks: Vec<ChunkCurve>,
    pub rules: ScheduleRules,
}

impl SimFilm {
    pub fn new(seed: u64, chunks: usize, per_title: bool, probes: bool) -> Self {
        let mut dice = Dice(seed);
        let (level, slope) = (1.2 + dice.part(), 0.025 + 0.05 * dice.part());
        let chunk = |index| {
            let frames = 40 + dice.below(300) as u64;
            let odd = dice.below(4) == 0;
            let means = ChunkMeans { detail: 3.0 * dice.part(), motion: 4.0 * dice.part(), brightness: dice.part() };
            let mut scenes: Vec<u64> = (0..dice.below(4)).map(|_| 1 + dice.below(frames as usize - 1) as u64).collect();
            scenes.sort_unstable();
            scenes.dedup();
            ChunkCurve {
                seed: dice.next(),
                facts: ChunkFacts { index, frames, means, scenes },
                level: level + dice.part() - 0.5 + if odd { 2.0 * dice.part() - 1.0 } else { 0.0 },
                slope: slope * (0.6 + 0.8 * dice.part()),
                wobble: if odd { 0.5 } else { 0.03 },
                halves: if odd { 1.5 * (dice.part() - 0.5) } else { 0.2 * (dice.part() - 0.5) },
                ceiling: 90.0 + 10.0 * dice.part(),
            }
        };
        let chunks: Vec<ChunkCurve> = (0..chunks).map(chunk).collect();
        let whole = |crf| Crf::whole(crf).unwrap();
        let target = 85.0 + 12.0 * dice.part();
        let search = SearchRules {
            curve: Curve::VMAF,
            scale: CrfScale::SVT_AV1,
            target,
            tolerance: 0.2 + 0.5 * dice.part(),
            min: whole(8),
            max: whole(55),
            step: 4,
            finest: 1 + 3 * dice.below(2) as u16,
            max_tries: 4,
            ends: !dice.below(5).eq(&0),
        };
        // The length that is said of a film need not be right.
        let said = chunks.len() as f64 * 15.0 * (0.5 + 3.0 * dice.part());
        let way = match dice.below(2) {
            0 => TitleWay::OneCrf,
            _ => TitleWay::EqualSlope {
                floor: target - 1.0 - 4.0 * dice.part(),
                stretch: 30 + 90 * dice.below(2) as u64,
            },
        };
        let title = per_title.then(|| TitleRules::new(way, Some(said), 15.0));
        let probes = probes || matches!(title, Some(TitleRules { way: TitleWay::EqualSlope { .. }, .. }));
        let layout = Layout { workers: 2, cores: 4, held: None, narrow: false, short: 0 };
        let lag = 1 + dice.below(4);
        SimFilm {
            chunks,
            rules: ScheduleRules {
                search,
                lag,
                title,
                probes,
                stride: 3,
                every_where_rough: !seed.is_multiple_of(3),
                layout,
                max_failures: 2,
            },
        }
    }

    /// The scores of an encode, frame by frame.
    fn scores(&self, chunk: usize, Piece { from, crf }: Piece, stride: u32, probe: bool) -> ScoredFrames {
        let curve = &self.chunks[chunk];
        let mut whole = Dice(curve.seed ^ u64::from(crf.quarters()) << 8 ^ u64::from(stride) << 1 ^ u64::from(probe));
        let wobble = curve.wobble * (whole.part() - 0.5);
        let score = |at: u64| {
            // What is hard is hard in all encodes.
            let own = 0.3 * Dice(curve.seed ^ ((at / 24) << 32)).part();
            let half = if 2 * at >= curve.facts.frames { curve.halves } else { -curve.halves };
            let noise = 0.1 * Dice(whole.0 ^ at << 20).part();
            let offset = if probe { 0.4 } else { 0.0 };
            let y = curve.level + curve.slope * (crf.as_f64() - 20.0) + wobble + own + half + noise + offset;
            (101.0 - y.exp()).clamp(0.0, 100.0)
        };
        let frames: Vec<f64> = (from..curve.facts.frames).step_by(stride as usize).map(score).collect();
        let harmonic_mean = frames.len() as f64 / frames.iter().map(|s| 1.0 / (s + 1.0)).sum::<f64>() - 1.0;
        ScoredFrames { stride, harmonic_mean, frames }
    }

    /// That what is said of a chunk is what its pieces score.
    fn check(&self, kept: &KeptChunk) {
        let frames = self.chunks[kept.chunk].facts.frames;
        let ends = kept.pieces.iter().skip(1).map(|p| p.from).chain([frames]);
        let scores = kept.pieces.iter().zip(ends).flat_map(|(piece, end)| {
            let own = self.scores(kept.chunk, *piece, kept.scores.stride, false).frames;
            own.into_iter().take((end - piece.from).div_ceil(u64::from(kept.scores.stride)) as usize)
        });
        assert_eq!(kept.scores.frames, scores.collect::<Vec<_>>(), "{:?}", kept.pieces);
        let n = kept.scores.frames.len() as f64;
        let mean = n / kept.scores.frames.iter().map(|s| 1.0 / (s + 1.0)).sum::<f64>() - 1.0;
        assert!((mean - kept.scores.harmonic_mean).abs() < 1e-9, "{mean} {}", kept.scores.harmonic_mean);
    }

    fn try_at(&self, chunk: usize, piece: Piece, stride: u32, watch: Option<WatchSpec>) -> ScheduleEvent {
        assert!(piece.from == 0 || watch.is_none());
        let (crf, scores) = (piece.crf, self.scores(chunk, piece, stride, false));
        let mut watch = watch.map_or_else(Watch::idle, Watch::from);
        let size = |frames: u64| frames * (400 - u64::from(crf.quarters()));
        for (at, score) in (0..).step_by(stride as usize).zip(&scores.frames) {
            if let Verdict::Stop { estimate } = watch.observe(at, *score) {
                let (frames, bytes) = (at + 1, size(at + 1));
                let end = TryEnd::Stopped { estimate };
                return ScheduleEvent::Tried { chunk, end, frames, bytes, remembered: false };
            }
        }
        let (frames, end) = (self.chunks[chunk].facts.frames - piece.from, TryEnd::Whole(scores));
        ScheduleEvent::Tried { chunk, end, frames, bytes: size(frames), remembered: false }
    }

    /// Runs it to its end, or until `lines` more are in the journal.
    pub fn run(&self, conduct: &mut Conduct, journal: &mut Vec<String>, lines: Option<usize>) -> SimRun {
        Sim::new(self, conduct, journal, lines).run()
    }
}

/// How the workers of a run behave; nothing that is decided may depend on it.
pub struct Conduct {
    pub workers: usize,
    pub dice: Dice,
    /// One order in so many fails, each chunk's at most once.
    pub fails: Option<usize>,
    /// One try in so many is remembered, those whose bytes are wanted left out.
    pub remembers: Option<usize>,
}

/// What came of a run.
#[derive(Debug, Default)]
pub struct SimRun {
    pub kept: BTreeMap<usize, KeptChunk>,
    pub done: bool,
    pub orders: usize,
}

struct Sim<'a> {
    film: &'a SimFilm,
    conduct: &'a mut Conduct,
    journal: &'a mut Vec<String>,
    until: usize,
    scheduler: Scheduler,
    /// By worker: what it encodes, and what it scores after that.
    encoding: Vec<Option<ScheduleEvent>>,
    scoring: Vec<VecDeque<ScheduleEvent>>,
    failed: Vec<usize>,
    /// The bytes that are held, by chunk.
    held: BTreeMap<usize, Vec<Piece>>,
    fresh: BTreeMap<usize, Piece>,
    finished: Vec<usize>,
    run: SimRun,
}

impl<'a> Sim<'a> {
    fn new(film: &'a SimFilm, conduct: &'a mut Conduct, journal: &'a mut Vec<String>, lines: Option<usize>) -> Self {
        let workers = conduct.workers;
        Sim {
            scheduler: Scheduler::new(film.rules.clone()),
            until: lines.map_or(usize::MAX, |n| journal.len() + n),
            film,
            conduct,
            journal,
            encoding: vec![None; workers],
            scoring: vec![VecDeque::new(); workers],
            failed: Vec::new(),
            held: BTreeMap::new(),
            fresh: BTreeMap::new(),
            finished: Vec::new(),
            run: SimRun::default(),
        }
    }

    /// False when the process is killed.
    fn tell(&mut self, event: ScheduleEvent) -> bool {
        let actions = self.scheduler.on(event).expect("an event that can be");
        actions.into_iter().all(|action| self.act(action))
    }

    fn run(mut self) -> SimRun {
        if self.journal.len() >= self.until {
            return self.run;
        }
        for line in self.journal.clone() {
            let record: ScheduleRecord = serde_json::from_str(&line).expect("a record");
            if let ScheduleRecord::Kept { chunk, .. } = record {
                self.finished.push(chunk);
            }
            assert!(self.tell(ScheduleEvent::Restored { record }));
        }
        let mut arriving = 0;
        for worker in 0..self.conduct.workers {
            self.tell(ScheduleEvent::WorkerFree { worker });
        }
        for _ in 0..100_000 {
            let encoding = (0..self.encoding.len()).filter(|w| self.encoding[*w].is_some()).map(|w| (0, w));
            let scoring = (0..self.scoring.len()).filter(|w| !self.scoring[*w].is_empty()).map(|w| (1, w));
            let arrives = (arriving <= self.film.chunks.len()).then_some((2, 0));
            let may: Vec<(u8, usize)> = encoding.chain(scoring).chain(arrives).collect();
            let (kind, worker) = *may.get(self.conduct.dice.below(may.len())).expect("it is stuck");
            let event = match kind {
                0 => {
                    self.scoring[worker].extend(self.encoding[worker].take());
                    ScheduleEvent::WorkerFree { worker }
                }
                1 => self.scoring[worker].pop_front().expect("a score"),
                _ => {
                    arriving += 1;
                    match self.film.chunks.get(arriving - 1) {
                        None => ScheduleEvent::FilmEnded,
                        Some(curve) => {
                            let finished = self.finished.contains(&curve.facts.index);
                            ScheduleEvent::ChunkArrived { chunk: curve.facts.clone(), finished }
                        }
                    }
                }
            };
            if let ScheduleEvent::Tried { chunk, end: TryEnd::Whole(_), remembered: false, .. } = event {
                assert!(self.fresh.contains_key(&chunk));
            }
            if !self.tell(event) || self.run.done {
                return self.run;
            }
        }
        panic!("it does not end");
    }

    fn give(&mut self, worker: usize, event: ScheduleEvent) {
        let (ScheduleEvent::Tried { chunk, .. }
        | ScheduleEvent::Probed { chunk, .. }
        | ScheduleEvent::CeilingMeasured { chunk, .. }) = event
        else {
            panic!("no order")
        };
        assert!(self.encoding[worker].is_none(), "no more orders than free workers");
        self.run.orders += 1;
        let fails = self.conduct.fails.is_some_and(|n| self.conduct.dice.below(n) == 0);
        self.encoding[worker] = Some(match fails && !self.failed.contains(&chunk) {
            true => {
                self.failed.push(chunk);
                ScheduleEvent::Failed { chunk, retryable: true }
            }
            false => event,
        });
    }

    fn append(&mut self, record: &ScheduleRecord) -> bool {
        let line = serde_json::to_string(record).expect("JSON");
        assert_eq!(serde_json::from_str::<ScheduleRecord>(&line).expect("a record"), *record);
        self.journal.push(line);
        self.journal.len() < self.until
    }

    /// False when the process is killed after it.
    fn act(&mut self, action: ScheduleAction) -> bool {
        match action {
            ScheduleAction::Probe { worker, chunk, crf, .. } => {
                let scores = self.film.scores(chunk, Piece { from: 0, crf }, 9, true);
                let bytes = 100 * scores.frames.len() as u64 + chunk as u64;
                self.give(worker, ScheduleEvent::Probed { chunk, scores, bytes });
            }
            ScheduleAction::Try { worker, chunk, piece, stride, watch, again, parallelism } => {
                assert!(parallelism > 0 && piece.from < self.film.chunks[chunk].facts.frames);
                let mut event = self.film.try_at(chunk, piece, stride, watch);
                let from_memory = !again && self.conduct.remembers.is_some_and(|n| self.conduct.dice.below(n) == 0);
                match &mut event {
                    ScheduleEvent::Tried { remembered, .. } if from_memory => *remembered = true,
                    _ => drop(self.fresh.insert(chunk, piece)),
                }
                self.give(worker, event);
            }
            ScheduleAction::MeasureCeiling { worker, chunk } => {
                let score = self.film.chunks[chunk].ceiling;
                self.give(worker, ScheduleEvent::CeilingMeasured { chunk, score });
            }
            ScheduleAction::Journal { record } => return self.append(&record),
            ScheduleAction::Hold { chunk, from } => {
                let piece = self.fresh.remove(&chunk).expect("bytes");
                assert_eq!(piece.from, from);
                let held = self.held.entry(chunk).or_default();
                held.retain(|p| p.from < from);
                assert!(from == 0 || held.first().is_some_and(|p| p.from == 0), "an end of nothing");
                held.push(piece);
            }
            ScheduleAction::Discard { chunk } => drop(self.fresh.remove(&chunk).expect("bytes")),
            ScheduleAction::Keep { chunk } => {
                assert_eq!(
                    self.held.remove(&chunk.chunk).as_ref(),
                    Some(&chunk.pieces),
                    "the bytes are of those pieces"
                );
                self.film.check(&chunk);
                let line = chunk.record().expect("a try of all of it");
                assert!(self.run.kept.insert(chunk.chunk, *chunk).is_none(), "kept once");
                return self.append(&line);
            }
            ScheduleAction::GiveUp { chunk } => panic!("chunk {chunk} is given up"),
            ScheduleAction::Done => {
                assert!(self.encoding.iter().chain(self.scoring.iter().flatten().map(|_| &None)).all(Option::is_none));
                assert!(self.scoring.iter().all(VecDeque::is_empty), "nothing is on its way");
                self.run.done = true;
            }
        }
        true
    }
}

/// The score a CRF would have on a chunk's line, for judging what was kept.
pub fn is_plausible(kept: &KeptChunk) -> bool {
    Curve::VMAF.distance(kept.scores.harmonic_mean).is_finite() && !kept.tries.is_empty()
}
