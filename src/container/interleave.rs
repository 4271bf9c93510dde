//! Puts the packets of all tracks in order of time, in bounded memory.
//!
//! Owns the waiting and its bound; refuses to look into packets. The stages that make packets run at their
//! own pace, an encoder seconds behind a demuxer; players want neighbours in time to be neighbours in the
//! file.
#![deny(unsafe_code)]

use std::collections::VecDeque;

use super::muxer::{Lane, Muxer};
use crate::base::{Error, ErrorKind, Result, Timestamp};
use crate::media::{Packet, TrackId};

/// How many bytes are held back before order yields to memory.
pub const DEFAULT_HOLD_BYTES: usize = 64 << 20;

/// What a held packet costs beside its data, roughly: small packets must count too.
const PACKET_OVERHEAD: usize = 160;

#[derive(Debug)]
struct Queue {
    lane: Lane,
    /// Packets and the time they are ordered by, which never falls within a track.
    packets: VecDeque<(i64, Packet)>,
    /// No packet to come is ordered before this; `None` until told.
    reached: Option<i64>,
    last: i64,
    ended: bool,
}

/// Orders packets by time across tracks.
///
/// Law:
/// - Packets of one track keep their order.
/// - A packet goes out when every gating track has one waiting, has [advanced](Self::advance) past it or has
///   ended; of those waiting the earliest goes first, then the lower track.
/// - As long as the bound is not hit, and tracks that are not gating advance, the order in the file depends
///   on each track's packets only, not on the pace of the threads that push them.
/// - When more than the bound is held (a badly interleaved source), the earliest goes out anyway.
#[derive(Debug)]
pub struct Interleaver<S> {
    sink: S,
    queues: Vec<Queue>,
    held: usize,
    limit: usize,
    high_water: usize,
}

impl<S: Muxer> Interleaver<S> {
    /// Feeds `sink`, holding at most about [`DEFAULT_HOLD_BYTES`].
    pub fn new(sink: S) -> Self {
        Self::with_limit(sink, DEFAULT_HOLD_BYTES)
    }

    /// Feeds `sink`, holding at most about `limit` bytes.
    pub fn with_limit(sink: S, limit: usize) -> Self {
        let queue = |lane| Queue { lane, packets: VecDeque::new(), reached: None, last: i64::MIN, ended: false };
        let queues = sink.lanes().into_iter().map(queue).collect();
        Interleaver { sink, queues, held: 0, limit, high_water: 0 }
    }

    /// The sink, to look at.
    pub fn sink(&self) -> &S {
        &self.sink
    }

    #[cfg(test)]
    /// The most bytes that were held at once.
    pub fn high_water(&self) -> usize {
        self.high_water
    }

    /// Takes the next packet of `track` and passes on what is ready.
    ///
    /// # Errors
    /// Kind `Encode` for a track that does not exist or has ended; else the sink's.
    pub fn push(&mut self, track: impl Into<TrackId>, packet: Packet) -> Result<()> {
        let track = track.into().0;
        let queue = self.queue(track)?;
        if queue.ended {
            return Err(
                Error::new(ErrorKind::Encode, format!("track {}: a packet after its end", track + 1)).at(packet.pts)
            );
        }
        // A packet earlier than its predecessor, or than what was promised, takes its turn at that time:
        // where it lands is then decided by the source's own order.
        let time = time_of(packet.dts.unwrap_or(packet.pts), queue.lane.delay_ns)
            .max(queue.last)
            .max(queue.reached.unwrap_or(i64::MIN));
        queue.last = time;
        let cost = cost(&packet);
        queue.packets.push_back((time, packet));
        self.held += cost;
        self.high_water = self.high_water.max(self.held);
        self.drain()
    }

    /// Tells that `track` brings nothing before `time` any more, so that the others need not wait for it.
    ///
    /// For tracks with gaps: subtitles, or audio that starts late. A packet that comes earlier after all is
    /// taken, and ordered as if at `time`.
    ///
    /// # Errors
    /// Kind `Encode` for a track that does not exist; else the sink's.
    pub fn advance(&mut self, track: impl Into<TrackId>, time: Timestamp) -> Result<()> {
        let queue = self.queue(track.into().0)?;
        let time = time_of(time, queue.lane.delay_ns);
        queue.reached = Some(queue.reached.map_or(time, |t| t.max(time)));
        self.drain()
    }

    /// Tells that `track` has no further packet. More than once is the same as once.
    ///
    /// # Errors
    /// Kind `Encode` for a track that does not exist; else the sink's.
    pub fn end_track(&mut self, track: impl Into<TrackId>) -> Result<()> {
        self.queue(track.into().0)?.ended = true;
        self.drain()
    }

    /// Ends all tracks, passes on everything that is held, and gives back the sink.
    ///
    /// # Errors
    /// The sink's.
    pub fn finish(mut self) -> Result<S> {
        self.queues.iter_mut().for_each(|q| q.ended = true);
        self.drain()?;
        Ok(self.sink)
    }

    fn queue(&mut self, track: usize) -> Result<&mut Queue> {
        let count = self.queues.len();
        let missing = || Error::new(ErrorKind::Encode, format!("no track {}, there are {count}", track + 1));
        self.queues.get_mut(track).ok_or_else(missing)
    }

    fn drain(&mut self) -> Result<()> {
        while let Some((time, track)) = self.earliest() {
            if self.held <= self.limit && !self.may_go(time, track) {
                break;
            }
            let Some((_, packet)) = self.queues.get_mut(track).and_then(|q| q.packets.pop_front()) else { break };
            self.held -= cost(&packet);
            self.sink.write(TrackId(track), &packet)?;
        }
        Ok(())
    }

    /// Time and track of the next packet in order.
    fn earliest(&self) -> Option<(i64, usize)> {
        let head = |(track, q): (usize, &Queue)| q.packets.front().map(|(time, _)| (*time, track));
        self.queues.iter().enumerate().filter_map(head).min()
    }

    /// Whether no track can still bring something that belongs before `time`.
    fn may_go(&self, time: i64, track: usize) -> bool {
        self.queues.iter().enumerate().all(|(other, q)| {
            other == track
                || q.ended
                || !q.packets.is_empty()
                || q.reached.map_or(!q.lane.gating, |reached| reached > time)
        })
    }
}

fn time_of(pts: Timestamp, delay_ns: u64) -> i64 {
    pts.as_nanos().saturating_add_unsigned(delay_ns)
}

fn cost(packet: &Packet) -> usize {
    packet.data.len() + packet.additional.as_ref().map_or(0, |a| a.len()) + PACKET_OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Rational, Span};
    use crate::container::MuxStats;
    use crate::media::PacketData;
    use proptest::prelude::*;

    #[derive(Debug, Default)]
    struct Record(Vec<(usize, i64)>, Vec<Lane>);

    impl Muxer for Record {
        fn lanes(&self) -> Vec<Lane> {
            self.1.clone()
        }
        fn write(&mut self, track: TrackId, packet: &Packet) -> Result<()> {
            self.0.push((track.0, packet.pts.ticks()));
            Ok(())
        }
        fn bytes_written(&self) -> u64 {
            0
        }
        fn finish(self: Box<Self>) -> Result<MuxStats> {
            Ok(MuxStats { tracks: Vec::new(), duration: Span::new(0, Rational::NANO), bytes: 0 })
        }
    }

    fn lanes(gating: &[bool]) -> Record {
        Record(Vec::new(), gating.iter().map(|g| Lane { gating: *g, delay_ns: 0 }).collect())
    }

    fn ms(t: i64) -> Timestamp {
        Timestamp::new(t, Rational::MILLI)
    }

    fn packet(t: i64, bytes: usize) -> Packet {
        Packet::new(ms(t), PacketData::new(vec![0; bytes]))
    }

    #[test]
    fn packets_wait_for_video_and_audio_but_not_for_subtitles() {
        let mut i = Interleaver::new(lanes(&[true, true, false]));
        i.push(TrackId(0), packet(0, 1)).unwrap();
        i.push(TrackId(2), packet(5, 1)).unwrap();
        assert!(i.sink().0.is_empty());
        i.push(TrackId(1), packet(10, 1)).unwrap();
        assert_eq!(i.sink().0, [(0, 0)], "video could still bring something before 5");
        i.push(TrackId(0), packet(40, 1)).unwrap();
        assert_eq!(i.sink().0, [(0, 0), (2, 5), (1, 10)]);
        i.end_track(TrackId(1)).unwrap();
        assert_eq!(i.sink().0.last(), Some(&(0, 40)));
        assert!(i.push(TrackId(1), packet(50, 1)).is_err());
        assert!(i.push(TrackId(9), packet(50, 1)).is_err());
        assert_eq!(i.finish().unwrap().0.len(), 4);
    }

    #[test]
    fn memory_is_bounded_when_a_track_stays_away() {
        let mut i = Interleaver::with_limit(lanes(&[true, true]), 100_000);
        for t in 0..1000 {
            i.push(TrackId(0), packet(t, 1000)).unwrap();
        }
        assert!(i.high_water() <= 100_000 + 1000 + PACKET_OVERHEAD);
        assert!(i.sink().0.len() > 900);
        i.push(TrackId(1), packet(3, 1)).unwrap();
        let out = i.finish().unwrap().0;
        assert_eq!(out.len(), 1001);
    }

    #[test]
    fn a_track_that_advances_is_not_waited_for() {
        let mut i = Interleaver::new(lanes(&[true, true]));
        i.push(TrackId(0), packet(0, 1)).unwrap();
        i.advance(TrackId(1), ms(0)).unwrap();
        assert!(i.sink().0.is_empty(), "track 1 may still bring something at 0");
        i.advance(TrackId(1), ms(1)).unwrap();
        assert_eq!(i.sink().0, [(0, 0)]);
    }

    proptest! {
        /// Three tracks, each with rising times, pushed in any order of arrival: the file is the same.
        #[test]
        fn the_order_in_the_file_does_not_depend_on_arrival(
            steps in proptest::collection::vec((0usize..3, 1i64..50), 1..80),
            shuffle in proptest::collection::vec(0usize..3, 300),
        ) {
            let mut times = [const { Vec::new() }; 3];
            for (track, step) in steps {
                let next = times[track].last().copied().unwrap_or(0) + step;
                times[track].push(next);
            }
            let mut i = Interleaver::new(lanes(&[true, true, true]));
            let mut at = [0; 3];
            for track in shuffle.into_iter().chain((0..3).flat_map(|t| std::iter::repeat_n(t, 80))) {
                if let Some(t) = times[track].get(at[track]) {
                    i.push(track, packet(*t, 1)).unwrap();
                    at[track] += 1;
                }
            }
            let out = i.finish().unwrap().0;
            let mut expected: Vec<(i64, usize)> =
                times.iter().enumerate().flat_map(|(k, v)| v.iter().map(move |t| (*t, k))).collect();
            expected.sort_unstable();
            prop_assert_eq!(out, expected.into_iter().map(|(t, k)| (k, t)).collect::<Vec<_>>());
        }
    }
}
