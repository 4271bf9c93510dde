//! One clock for all streams of a source, whatever its timestamps do.
//!
//! A clock may begin anywhere, wrap (MPEG-2 systems count 33 bits of 90 kHz, ISO/IEC 13818-1 §2.4.3.7) and, in recordings
//! that were joined, start anew. All streams share it, so that a jump is a jump of all of them: what one stream does alone,
//! while the others run on, is a hole in it and stays one. FFmpeg's command line judges by a stream alone
//! (`-dts_delta_threshold`, 10 s), which makes holes into jumps.
//!
//! ```text
//! stream 0   ─ 0 ─ 1 ─ 2 ─ 3 ┐ 0 ─ 1 ─ 2        epoch 1 begins when stream 0 jumps; stream 1 follows when it does.
//! stream 1   ── 0 ── 1 ── 2 ──┘── 0 ── 1        Its offset leaves room for the end of every stream before.
//! ```

use std::collections::VecDeque;

const SECOND: i64 = 1_000_000_000;
/// A gap up to this is a hole in the film; a larger one of all streams is a jump of the clock.
const HOLE: i64 = 10 * SECOND;
/// Decoding times of a stream increase; less than this back is a muxer's rounding.
const JITTER: i64 = SECOND / 10;
/// A stream that was heard of within this time of the latest is waited for at a jump.
const RECENT: i64 = 2 * SECOND;
/// How far other streams may make the next picture late, so that none of theirs overlaps.
const ROOM: i64 = SECOND / 2;
/// Packets that are looked at to see where the other streams go on after a jump.
const AHEAD: usize = 2_000;
/// 2³³ ticks of 90 kHz.
const WRAP: i64 = 95_443_717_688_889;

/// What the clock needs to know of a packet. Times are nanoseconds of the source's own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    /// The stream.
    pub stream: usize,
    /// Decoding time, else presentation time, where the file says.
    pub time: Option<i64>,
    /// How long the packet lasts, 0 where that is unknown.
    pub length: i64,
}

/// What kind of stream ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ticking {
    /// Pictures: they must not overlap.
    Picture,
    /// Sound.
    Sound,
    /// Comes seldom, and follows the others.
    Seldom,
}

/// A place where the source's clock jumps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockJump {
    /// When, in nanoseconds of the film.
    pub at: i64,
    /// The stream that jumped first.
    pub stream: usize,
    /// How far its time is from where it would have been, in nanoseconds; negative is back.
    pub by: i64,
}

#[derive(Clone, Debug)]
struct Stream {
    kind: Ticking,
    /// Index into the offsets.
    epoch: usize,
    /// Decoding time of the last packet, in time of the film.
    last: Option<i64>,
    /// Where the next packet is expected, in time of the film.
    next: Option<i64>,
}

impl Stream {
    fn counts(&self) -> bool {
        self.kind != Ticking::Seldom
    }

    fn advance(&mut self, epoch: usize, time: i64, length: i64) {
        self.epoch = epoch;
        self.last = Some(time);
        self.next = Some(time.saturating_add(length.max(0)));
    }
}

/// Packets' times in, what is to be added to each out.
///
/// Law: ticks are pushed in the file's order; offsets come out in the same order, one a tick, held back only around a jump.
/// The answers depend on nothing but the ticks of streams that do not come seldom.
#[derive(Clone, Debug)]
pub struct Clock {
    streams: Vec<Stream>,
    /// What each epoch adds to the source's times.
    offsets: Vec<i64>,
    jumps: Vec<ClockJump>,
    /// Whether jumps are looked for.
    may_jump: bool,
    waiting: VecDeque<Tick>,
    ready: VecDeque<i64>,
    ended: bool,
}

impl Clock {
    /// A clock that adds `offset` to all times. Where it `may_jump`, jumps are joined.
    pub fn new(kinds: impl IntoIterator<Item = Ticking>, offset: i64, may_jump: bool) -> Self {
        let stream = |kind| Stream { kind, epoch: 0, last: None, next: None };
        Clock {
            streams: kinds.into_iter().map(stream).collect(),
            offsets: vec![offset],
            jumps: Vec::new(),
            may_jump,
            waiting: VecDeque::new(),
            ready: VecDeque::new(),
            ended: false,
        }
    }

    /// Takes the next packet's time. Streams beyond those it knows come seldom.
    pub fn push(&mut self, tick: Tick) {
        while self.streams.len() <= tick.stream {
            self.streams.push(Stream { kind: Ticking::Seldom, epoch: 0, last: None, next: None });
        }
        self.waiting.push_back(tick);
        self.resolve();
    }

    /// No packet comes any more.
    pub fn finish(&mut self) {
        self.ended = true;
        self.resolve();
    }

    /// What is to be added to the times of the next packet, in nanoseconds; `None` until more is pushed.
    pub fn pop(&mut self) -> Option<i64> {
        self.ready.pop_front()
    }

    /// Forgets where the streams were, after a seek. Sources that jump cannot be sought in exactly.
    pub fn forget(&mut self) {
        self.offsets.truncate(1);
        for stream in &mut self.streams {
            (stream.epoch, stream.last, stream.next) = (0, None, None);
        }
        self.waiting.clear();
        self.ready.clear();
        self.ended = false;
    }

    /// All jumps so far.
    pub fn jumps(&self) -> &[ClockJump] {
        &self.jumps
    }

    fn resolve(&mut self) {
        while let Some(tick) = self.waiting.front().copied() {
            let Some((epoch, time)) = self.place(&self.streams, &tick) else {
                if !self.begin_epoch() {
                    return;
                }
                continue;
            };
            self.waiting.pop_front();
            self.ready.push_back(self.offsets[epoch]);
            if let (Some(time), Some(stream)) = (time, self.streams.get_mut(tick.stream)) {
                stream.advance(epoch, time, tick.length);
            }
        }
    }

    /// The epoch a tick belongs to, and its time in the film; `None` where it fits into none.
    fn place(&self, streams: &[Stream], tick: &Tick) -> Option<(usize, Option<i64>)> {
        let stream = &streams[tick.stream];
        let Some(time) = tick.time else { return Some((stream.epoch, None)) };
        if !self.may_jump {
            return Some((0, Some(time.saturating_add(self.offsets[0]))));
        }
        let front = front(streams);
        let latest = self.offsets.len() - 1;
        if !stream.counts() {
            // It follows the others, wherever it fits best; there is no wrong place.
            let off = |epoch: &usize| {
                let at = time.saturating_add(self.offsets[*epoch]);
                front.map_or(0, |front| at.saturating_sub(front).saturating_abs())
            };
            let epoch = (stream.epoch..=latest).rev().min_by_key(off).unwrap_or(latest);
            return Some((epoch, Some(time.saturating_add(self.offsets[epoch]))));
        }
        (stream.epoch..=latest).find_map(|epoch| {
            let at = time.saturating_add(self.offsets[epoch]);
            let from = match (stream.last, front) {
                (Some(last), _) => last.saturating_sub(JITTER),
                (None, Some(front)) => front.saturating_sub(HOLE),
                (None, None) => return Some((epoch, Some(at))),
            };
            let to = stream.next.max(front).unwrap_or(at).saturating_add(HOLE);
            (from <= at && at <= to).then_some((epoch, Some(at)))
        })
    }

    /// Begins an epoch with the tick that waits first; `false` where more has to be seen for that.
    fn begin_epoch(&mut self) -> bool {
        let (jumped, complete) = self.jumped();
        if !complete && !self.ended && self.waiting.len() < AHEAD {
            return false;
        }
        let front = front(&self.streams).unwrap_or(0);
        // What each stream needs so that its next packet begins where its last one ended.
        let need = |tick: &Tick| {
            let time = tick.time.unwrap_or(0);
            self.streams[tick.stream].next.unwrap_or(front).saturating_sub(time)
        };
        let most = jumped.iter().map(need).max();
        let pictures = jumped.iter().filter(|t| self.streams[t.stream].kind == Ticking::Picture).map(need).max();
        let Some(most) = most else { return false };
        let offset = pictures.map_or(most, |pictures| most.clamp(pictures, pictures.saturating_add(ROOM)));
        let first = jumped[0];
        let state = &self.streams[first.stream];
        let own = self.offsets[state.epoch];
        // A wrap is exact, whatever the packets' lengths say.
        let wraps = [own.saturating_add(WRAP), own.saturating_sub(WRAP)];
        let offset = wraps.into_iter().find(|wrap| wrap.abs_diff(offset) < SECOND.unsigned_abs()).unwrap_or(offset);
        let time = first.time.unwrap_or(0);
        let at = time.saturating_add(offset);
        let by = time.saturating_add(own).saturating_sub(state.next.unwrap_or(front));
        self.jumps.push(ClockJump { at, stream: first.stream, by });
        self.offsets.push(offset);
        // The one that jumped is of the new epoch, also where its time would fit into it no better than before.
        let epoch = self.offsets.len() - 1;
        if let Some(stream) = self.streams.get_mut(first.stream) {
            stream.advance(epoch, at, 0);
        }
        true
    }

    /// The first waiting tick of each stream that fits into no epoch, and whether all streams that are alive have one.
    fn jumped(&self) -> (Vec<Tick>, bool) {
        let mut streams = self.streams.clone();
        let mut jumped: Vec<Tick> = Vec::new();
        for tick in &self.waiting {
            if jumped.iter().any(|j| j.stream == tick.stream) {
                continue;
            }
            match self.place(&streams, tick) {
                Some((epoch, Some(time))) => streams[tick.stream].advance(epoch, time, tick.length),
                Some((_, None)) => {}
                None => jumped.push(*tick),
            }
        }
        let front = front(&self.streams).unwrap_or(0);
        let alive = |s: &Stream| s.counts() && s.next.is_some_and(|next| next >= front.saturating_sub(RECENT));
        let missing = |(index, s): (usize, &Stream)| alive(s) && !jumped.iter().any(|j| j.stream == index);
        let complete = !self.streams.iter().enumerate().any(missing);
        (jumped, complete)
    }
}

/// How far the film is: the latest end of any stream that does not come seldom.
fn front(streams: &[Stream]) -> Option<i64> {
    streams.iter().filter(|s| s.counts()).filter_map(|s| s.next).max()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: i64 = 1_000_000;

    /// A piece of film: pictures of 40 ms and sound of 24 ms from `start` on, for `length` ms, as they lie in a file.
    fn piece(start: i64, length: i64) -> Vec<Tick> {
        let run = |stream: usize, step: i64| {
            (0..length / step).map(move |n| Tick { stream, time: Some((start + n * step) * MS), length: step * MS })
        };
        let mut ticks: Vec<Tick> = run(0, 40).chain(run(1, 24)).collect();
        ticks.sort_by_key(|t| (t.time, t.stream));
        ticks
    }

    fn clock(offset: i64) -> Clock {
        Clock::new([Ticking::Picture, Ticking::Sound, Ticking::Seldom], offset, true)
    }

    /// The ticks in time of the film.
    fn played(clock: &mut Clock, ticks: &[Tick]) -> Vec<(usize, i64)> {
        let mut out = Vec::new();
        for tick in ticks {
            clock.push(*tick);
            while let Some(offset) = clock.pop() {
                out.push(offset);
            }
        }
        clock.finish();
        out.extend(std::iter::from_fn(|| clock.pop()));
        assert_eq!(out.len(), ticks.len());
        ticks.iter().zip(out).map(|(t, offset)| (t.stream, t.time.map_or(i64::MIN, |time| time + offset))).collect()
    }

    fn times(played: &[(usize, i64)], stream: usize) -> Vec<i64> {
        played.iter().filter(|(s, _)| *s == stream).map(|(_, t)| t / MS).collect()
    }

    #[test]
    fn a_film_that_starts_late_starts_at_zero() {
        let ticks = piece(72_000_000, 400);
        let film = played(&mut clock(-72_000_000 * MS), &ticks);
        assert_eq!(times(&film, 0), (0..10).map(|n| n * 40).collect::<Vec<_>>());
    }

    #[test]
    fn what_was_joined_goes_on_where_it_ended() {
        for (second, by) in [(1_400, -3_000), (0, -4_400), (7_201_400, 7_197_000), (20_000, 15_600)] {
            let ticks = [piece(1_400, 3_000), piece(second, 2_000)].concat();
            let mut clock = clock(-1_400 * MS);
            let film = played(&mut clock, &ticks);
            assert_eq!(times(&film, 0), (0..125).map(|n| n * 40).collect::<Vec<_>>(), "{second}");
            let sound = times(&film, 1);
            assert!(sound.windows(2).all(|w| (24..=48).contains(&(w[1] - w[0]))), "{second}: {sound:?}");
            let [jump] = clock.jumps() else { panic!("{second}: {:?}", clock.jumps()) };
            assert_eq!((jump.at / MS, jump.stream, jump.by / MS), (3_000, 0, by), "{second}");
        }
    }

    #[test]
    fn packets_of_the_end_that_come_after_the_jump_belong_to_the_end() {
        let (mut first, mut second) = (piece(60_000, 3_000), piece(0, 3_000));
        // The demuxer gives out a picture when the next begins: the last ones change places.
        let late: Vec<Tick> = first.split_off(first.len() - 5);
        let early: Vec<Tick> = second.drain(..6).collect();
        let (mut late, mut early) = (late.into_iter(), early.into_iter());
        let mut seam = Vec::new();
        while let (Some(a), Some(b)) = (early.next(), late.next()) {
            seam.extend([a, b]);
        }
        seam.extend(early);
        // Within a stream the order is the stream's own.
        let mut by_stream: Vec<VecDeque<Tick>> = vec![VecDeque::new(), VecDeque::new()];
        let mut own = seam.clone();
        own.sort_by_key(|t| std::cmp::Reverse(t.time));
        own.iter().filter(|t| t.time >= Some(30_000 * MS)).rev().for_each(|t| by_stream[t.stream].push_back(*t));
        own.iter().filter(|t| t.time < Some(30_000 * MS)).rev().for_each(|t| by_stream[t.stream].push_back(*t));
        let seam: Vec<Tick> = seam.iter().filter_map(|t| by_stream[t.stream].pop_front()).collect();
        let film = played(&mut clock(-60_000 * MS), &[first, seam, second].concat());
        assert_eq!(times(&film, 0), (0..150).map(|n| n * 40).collect::<Vec<_>>());
        assert!(times(&film, 1).windows(2).all(|w| (24..=48).contains(&(w[1] - w[0]))));
    }

    #[test]
    fn a_hole_in_one_stream_is_no_jump() {
        let hole = |t: &Tick| t.stream == 0 || !(5_000..65_000).contains(&(t.time.unwrap() / MS));
        let ticks: Vec<Tick> = piece(0, 80_000).into_iter().filter(hole).collect();
        let mut clock = clock(0);
        let film = played(&mut clock, &ticks);
        assert!(clock.jumps().is_empty());
        assert!(film.iter().zip(&ticks).all(|(f, t)| Some(f.1) == t.time));
    }

    #[test]
    fn a_wrap_is_exact() {
        let start = WRAP / MS - 1_000;
        let ticks: Vec<Tick> = piece(start, 3_000)
            .into_iter()
            .map(|t| Tick { time: t.time.map(|time| if time >= WRAP { time - WRAP } else { time }), ..t })
            .collect();
        let mut clock = clock(-start * MS);
        let film = played(&mut clock, &ticks);
        let expected = piece(0, 3_000);
        assert!(film.iter().zip(&expected).all(|(f, t)| (f.1 - t.time.unwrap()).abs() < 2), "{:?}", clock.jumps());
        assert_eq!(clock.jumps().len(), 1);
    }

    #[test]
    fn what_comes_seldom_follows() {
        let mut ticks = [piece(60_000, 3_000), piece(0, 3_000)].concat();
        let at = ticks.iter().position(|t| t.time == Some(1_000 * MS)).unwrap();
        ticks.insert(at, Tick { stream: 2, time: Some(1_000 * MS), length: 0 });
        ticks.insert(30, Tick { stream: 2, time: Some(60_500 * MS), length: 0 });
        ticks.insert(31, Tick { stream: 7, time: None, length: 0 });
        let film = played(&mut clock(-60_000 * MS), &ticks);
        assert_eq!(times(&film, 2), [500, 4_000]);
    }

    proptest! {
        /// Any joined pieces: every stream's times increase, none is far from the others, and nothing waits for ever.
        #[test]
        fn joined_pieces_are_one_film(starts in prop::collection::vec(0i64..90_000_000, 1..6), length in 2_000i64..6_000) {
            let ticks: Vec<Tick> = starts.iter().flat_map(|start| piece(*start, length)).collect();
            let film = played(&mut clock(-starts[0] * MS), &ticks);
            for stream in 0..2 {
                let times = times(&film, stream);
                // Pieces may happen to follow each other with a hole of up to ten seconds.
                prop_assert!(times.windows(2).all(|w| w[1] > w[0] && w[1] - w[0] < 11_000), "{times:?}");
            }
            let ends = [times(&film, 0), times(&film, 1)].map(|t| t.last().copied().unwrap());
            prop_assert!((ends[0] - ends[1]).abs() < 600, "{ends:?}");
        }

        /// Damage: any times at all come out, one for each.
        #[test]
        fn any_times_are_taken(times in prop::collection::vec((0usize..4, any::<Option<i64>>(), any::<i64>()), 0..200), jumps: bool) {
            let mut clock = Clock::new([Ticking::Picture, Ticking::Sound], 0, jumps);
            for (stream, time, length) in &times {
                clock.push(Tick { stream: *stream, time: *time, length: *length });
            }
            clock.finish();
            prop_assert_eq!(std::iter::from_fn(|| clock.pop()).count(), times.len());
        }
    }
}
