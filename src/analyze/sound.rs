//! What the sound of a film is at a few places of it: broadcasts turn from stereo into 5.1 with the programme, and
//! streams begin late.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::av::{AudioFrame, Decoder, DecoderOptions, Received};
use crate::base::{CancelToken, Rational, Result, Timestamp};
use crate::media::{StreamInfo, StreamKind};
use crate::plan::{LateStream, SoundFacts};
use crate::source::Source;

/// The film is looked at between as many parts of equal length.
const PARTS: u32 = 8;
/// Packets of each stream that are decoded at a place.
const PACKETS: usize = 6;
/// Packets that are read at a place at most.
const MOST: usize = 600;
/// Runs of sound that agree: a damaged packet alone can claim any layout.
const AGREEING: usize = 2;
/// How far before its end a film is looked at last, where places are counted in bytes; in short films, half a part.
const TAIL: u64 = 1 << 20;

/// The sound of a source, and the streams that it announces late.
#[derive(Debug, Default)]
pub(super) struct HeardSound {
    pub(super) sound: Vec<SoundFacts>,
    pub(super) late: Vec<LateStream>,
}

/// Looks at the sound of `source`, `main` being the stream that is sought in. What cannot be sought in or decoded tells
/// nothing.
pub(super) fn listen(source: &mut Source, main: &StreamInfo, cancel: &CancelToken) -> Result<HeardSound> {
    let known = source.info().streams.len();
    let has_sound = source.info().streams.iter().any(|s| s.kind == StreamKind::Audio);
    if !has_sound && !source.may_jump() {
        return Ok(HeardSound::default());
    }
    source.keep_all();
    let mut listener = Listener { known, ..Listener::default() };
    for part in 1..=PARTS {
        cancel.check()?;
        if !go_to(source, main, part) {
            break;
        }
        listener.at_place(source, cancel)?;
    }
    Ok(listener.heard(source))
}

/// Goes to the end of that part of the film; whether there is such a place.
fn go_to(source: &mut Source, main: &StreamInfo, part: u32) -> bool {
    // Times lead nowhere where the clock jumps, and streams that begin late are found by where they are in the file.
    if source.may_jump() {
        let (size, parts) = (source.size(), u64::from(PARTS));
        let last = size - TAIL.min(size / (2 * parts));
        return source.seek_bytes((size / parts * u64::from(part)).min(last)).is_ok();
    }
    let Some(duration) = source.info().duration_s.filter(|_| part < PARTS) else { return false };
    let start = main.start.map_or(0.0, Timestamp::as_secs_f64);
    let at = start + duration * f64::from(part) / f64::from(PARTS);
    source.seek(main.index, Timestamp::new((at * 1000.0) as i64, Rational::MILLI)).is_ok()
}

/// The decoders at one place, by stream, each with the packets it was sent.
type OpenDecoders = BTreeMap<usize, (Decoder, usize)>;

/// The decoder of a stream, opened at its first packet; `None` where there is none for it.
fn decoder_of<'a>(decoders: &'a mut OpenDecoders, source: &Source, stream: usize) -> Option<&'a mut (Decoder, usize)> {
    match decoders.entry(stream) {
        Entry::Occupied(known) => Some(known.into_mut()),
        Entry::Vacant(place) => {
            let options = DecoderOptions { threads: 1, ..DecoderOptions::default() };
            Some(place.insert((Decoder::open(source.input(), stream, options).ok()?, 0)))
        }
    }
}

#[derive(Default)]
struct Listener {
    /// Streams that were known when the file was opened.
    known: usize,
    /// How often each layout of a stream was heard.
    layouts: BTreeMap<usize, Vec<(SoundFacts, usize)>>,
}

impl Listener {
    /// Reads on until each stream of sound was heard.
    fn at_place(&mut self, source: &mut Source, cancel: &CancelToken) -> Result<()> {
        let mut decoders = OpenDecoders::new();
        for _ in 0..MOST {
            cancel.check()?;
            let Ok(Some(packet)) = source.read_packet() else { break };
            let stream = packet.stream();
            if source.kind_of(stream) == Some(StreamKind::Audio)
                && let Some((decoder, count)) = decoder_of(&mut decoders, source, stream)
                && *count < PACKETS
            {
                *count += 1;
                if decoder.send(&packet).is_ok() {
                    while let Ok(Received::Frame(frame)) = decoder.receive_audio() {
                        self.note(stream, &frame);
                    }
                }
            }
            let sounds = (0..source.input().stream_count()).filter(|s| source.kind_of(*s) == Some(StreamKind::Audio));
            let heard = |s: usize| decoders.get(&s).is_some_and(|(_, count)| *count >= PACKETS);
            if sounds.into_iter().all(heard) {
                break;
            }
        }
        Ok(())
    }

    fn note(&mut self, stream: usize, frame: &AudioFrame) {
        let (channels, sample_rate) = (frame.channels(), frame.sample_rate());
        let facts = SoundFacts { stream, channels, layout: frame.layout_name(), sample_rate };
        let layouts = self.layouts.entry(stream).or_default();
        match layouts.iter_mut().find(|(known, _)| *known == facts) {
            Some((_, count)) => *count += 1,
            None => layouts.push((facts, 1)),
        }
    }

    /// The widest layout of each stream, and what the file announced meanwhile.
    fn heard(self, source: &Source) -> HeardSound {
        let mut heard = HeardSound::default();
        let all = source.input().info().streams;
        let late = all.into_iter().skip(self.known);
        let mut places = BTreeMap::new();
        for stream in late.filter(|s| matches!(s.kind, StreamKind::Audio | StreamKind::Subtitle)) {
            places.insert(stream.index, self.known + heard.late.len());
            heard.late.push(LateStream {
                id: source.input().stream_id(stream.index),
                kind: stream.kind,
                codec: stream.codec,
                extradata: stream.extradata,
                time_base: (stream.time_base.num(), stream.time_base.den()),
                language: stream.language,
                disposition: stream.disposition,
            });
        }
        for (stream, layouts) in self.layouts {
            let sure = layouts.into_iter().filter(|(_, count)| *count >= AGREEING).map(|(facts, _)| facts);
            let widest = sure.max_by_key(|facts| facts.channels);
            let place = if stream < self.known { Some(stream) } else { places.get(&stream).copied() };
            if let Some((facts, stream)) = widest.zip(place) {
                heard.sound.push(SoundFacts { stream, ..facts });
            }
        }
        heard
    }
}
