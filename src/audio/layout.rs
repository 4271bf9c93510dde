//! Which Opus channel layout a source becomes, and with what gains: pure tables, no codec.
//!
//! Opus mapping family 1 (RFC 7845 §5.1.1.2) knows exactly one layout for each count from 1 to 8. A source
//! whose speakers all have a place in one of them goes into the smallest such layout untouched, other
//! channels staying silent; only what has no place is folded into its neighbours.
#![deny(unsafe_code)]

use ebur128::Channel;

use crate::av::{ChannelLayout, Mix};
use crate::base::{Error, ErrorKind, Result};

/// A speaker position by FFmpeg's number (`enum AVChannel`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Speaker(u32);

macro_rules! speakers {
    ($($name:ident = $id:literal),* $(,)?) => {
        #[allow(dead_code)]
        impl Speaker {
            $(const $name: Speaker = Speaker($id);)*

            /// FFmpeg's short name; `None` for a number that is no speaker we know.
            fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($id => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

speakers! {
    FL = 0, FR = 1, FC = 2, LFE = 3, BL = 4, BR = 5, FLC = 6, FRC = 7, BC = 8, SL = 9, SR = 10, TC = 11,
    TFL = 12, TFC = 13, TFR = 14, TBL = 15, TBC = 16, TBR = 17, DL = 29, DR = 30, WL = 31, WR = 32, SDL = 33,
    SDR = 34, LFE2 = 35, TSL = 36, TSR = 37, BFC = 38, BFL = 39, BFR = 40, SSL = 41, SSR = 42, TTL = 43,
    TTR = 44, BIL = 61, BIR = 62,
}

/// One layout of mapping family 1 (the first two also of family 0).
struct LayoutTarget {
    /// FFmpeg's name of the layout.
    name: &'static str,
    /// Bits a second.
    bitrate: u32,
    /// The speakers in Vorbis order, the order of Opus channels.
    speakers: &'static [Speaker],
}

use Speaker as S;

/// RFC 7845 §5.1.1.2. The rates of 1, 2, 6 and 8 channels are the design's; the others follow from 5.1's
/// 51.2 kb/s for each channel with a full range (3.0: 154, quad: 205, 5.0: 256 less 8 for the LFE), rounded to
/// 8 kb/s upwards, and 6.1 lies midway between 5.1 and 7.1.
static TARGETS: [LayoutTarget; 8] = [
    LayoutTarget { name: "mono", bitrate: 64_000, speakers: &[S::FC] },
    LayoutTarget { name: "stereo", bitrate: 128_000, speakers: &[S::FL, S::FR] },
    LayoutTarget { name: "3.0", bitrate: 160_000, speakers: &[S::FL, S::FC, S::FR] },
    LayoutTarget { name: "quad", bitrate: 208_000, speakers: &[S::FL, S::FR, S::BL, S::BR] },
    LayoutTarget { name: "5.0", bitrate: 248_000, speakers: &[S::FL, S::FC, S::FR, S::BL, S::BR] },
    LayoutTarget { name: "5.1", bitrate: 256_000, speakers: &[S::FL, S::FC, S::FR, S::BL, S::BR, S::LFE] },
    LayoutTarget { name: "6.1", bitrate: 320_000, speakers: &[S::FL, S::FC, S::FR, S::SL, S::SR, S::BC, S::LFE] },
    LayoutTarget {
        name: "7.1",
        bitrate: 384_000,
        speakers: &[S::FL, S::FC, S::FR, S::SL, S::SR, S::BL, S::BR, S::LFE],
    },
];

/// Another name for the same loudspeaker, in order of preference: used at full level, where the layout has
/// the other name only and the source does not use it itself.
fn aliases(speaker: Speaker) -> &'static [Speaker] {
    match speaker {
        S::SL | S::SSL => &[S::SL, S::BL],
        S::SR | S::SSR => &[S::SR, S::BR],
        S::BL => &[S::SL],
        S::BR => &[S::SR],
        S::DL | S::BIL => &[S::FL],
        S::DR | S::BIR => &[S::FR],
        S::LFE2 => &[S::LFE],
        _ => &[],
    }
}

/// Where a speaker that has no place is folded, at −3 dB in each: the first of these of which all exist.
fn neighbours(speaker: Speaker) -> &'static [&'static [Speaker]] {
    match speaker {
        S::FC | S::BFC | S::TFC => &[&[S::FC], &[S::FL, S::FR]],
        S::FL | S::FLC | S::WL | S::TFL | S::BFL | S::DL | S::BIL => &[&[S::FL], &[S::FC]],
        S::FR | S::FRC | S::WR | S::TFR | S::BFR | S::DR | S::BIR => &[&[S::FR], &[S::FC]],
        S::SL | S::SDL | S::TSL | S::SSL | S::TTL => &[&[S::SL], &[S::BL], &[S::FL], &[S::FC]],
        S::SR | S::SDR | S::TSR | S::SSR | S::TTR => &[&[S::SR], &[S::BR], &[S::FR], &[S::FC]],
        S::BL | S::TBL => &[&[S::BL], &[S::SL], &[S::FL], &[S::FC]],
        S::BR | S::TBR => &[&[S::BR], &[S::SR], &[S::FR], &[S::FC]],
        S::BC | S::TBC => &[&[S::BC], &[S::BL, S::BR], &[S::SL, S::SR], &[S::FL, S::FR], &[S::FC]],
        S::TC => &[&[S::FL, S::FR], &[S::FC]],
        S::LFE | S::LFE2 => &[&[S::LFE]],
        _ => &[],
    }
}

/// The place of `speaker` in `target` without loss, `source` being all speakers that need one.
fn exact_place(speaker: Speaker, source: &[Speaker], target: &[Speaker]) -> Option<usize> {
    let find = |wanted: Speaker| target.iter().position(|t| *t == wanted);
    if source.len() == 1 && target.len() == 1 {
        // One channel alone is mono, wherever its speaker stood.
        return Some(0);
    }
    find(speaker).or_else(|| aliases(speaker).iter().filter(|a| !source.contains(a)).find_map(|a| find(*a)))
}

/// Whether every speaker has a place of its own.
fn holds(target: &LayoutTarget, source: &[Speaker]) -> bool {
    let mut used = [false; 8];
    source.iter().all(|s| {
        exact_place(*s, source, target.speakers).is_some_and(|place| !std::mem::replace(&mut used[place], true))
    })
}

/// What an audio track becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayoutPlan {
    target: usize,
    /// What has to be said of it to the user: a fold, a guess, silent channels. One sentence without a stop.
    pub note: Option<String>,
    /// Whether channels are added up or left out.
    pub folds: bool,
}

impl LayoutPlan {
    /// The plan for a source of `channels` channels whose layout FFmpeg names `layout` (`5.1(side)`,
    /// `3 channels (FL+FR+LFE)`); a name that is empty or does not fit the count counts as unspecified.
    ///
    /// Errors: `Unsupported` for no channel at all, for ambisonics, and for more than 8 channels of which
    /// nothing is known.
    pub fn for_source(channels: u32, layout: &str) -> Result<Self> {
        let channels = channels as usize;
        let named = ChannelLayout::from_name(layout).filter(|l| l.channels() == channels);
        Self::for_layout(&named.unwrap_or_else(|| ChannelLayout::unspecified(channels)))
    }

    /// The plan for a source of this layout: best asked of the first decoded frame, as containers of damaged or
    /// headerless streams may name no channels, or others.
    ///
    /// Errors: as [`for_source`](Self::for_source).
    pub fn for_layout(layout: &ChannelLayout) -> Result<Self> {
        let (source, guessed) = speakers_of(layout)?;
        let candidates = if source.len() > 8 { &TARGETS[7..] } else { &TARGETS[..] };
        let fitting = |speakers: &[Speaker]| candidates.iter().position(|t| holds(t, speakers));
        // What no family 1 layout has does not count for the choice; a rear centre goes first where there are
        // both side and back pairs.
        let has_place = |s: &Speaker| *s == S::BC || exact_place(*s, &source, TARGETS[7].speakers).is_some();
        let known: Vec<_> = source.iter().copied().filter(has_place).collect();
        let without_bc: Vec<_> = known.iter().copied().filter(|s| *s != S::BC).collect();
        let choice = fitting(&source)
            .or_else(|| fitting(&known).filter(|_| !known.is_empty()))
            .or_else(|| fitting(&without_bc).filter(|_| !without_bc.is_empty()))
            .unwrap_or(candidates.len() - 1);
        let target = choice + TARGETS.len() - candidates.len();
        let gains = Gains::new(&source, &TARGETS[target]);
        let note = gains.note(&source, target, guessed);
        Ok(LayoutPlan { target, note, folds: gains.is_lossy() })
    }

    /// Opus channels.
    pub fn channels(&self) -> usize {
        TARGETS[self.target].speakers.len()
    }

    /// FFmpeg's name of the Opus layout (`5.1` means back surrounds, as in the Vorbis order).
    #[cfg(test)]
    pub fn layout(&self) -> &'static str {
        TARGETS[self.target].name
    }

    /// Channel mapping family: 0 for mono and stereo, 1 above (RFC 7845 §5.1.1).
    pub fn mapping_family(&self) -> u8 {
        u8::from(self.channels() > 2)
    }

    /// The default bit rate in bits a second.
    pub fn bitrate(&self) -> u32 {
        TARGETS[self.target].bitrate
    }

    /// What each channel counts in loudness, by where its speaker stands (ITU-R BS.1770-4, table 3): surrounds from 60 to 120
    /// degrees 1.5 dB more, those behind as those in front, the LFE not at all. A pair of surrounds alone stands at 110.
    pub(super) fn loudness_channels(&self) -> Vec<Channel> {
        let speakers = TARGETS[self.target].speakers;
        let beside = speakers.contains(&S::SL);
        let channel = |speaker: &Speaker| match *speaker {
            S::FL => Channel::Left,
            S::FR => Channel::Right,
            S::FC => Channel::Center,
            S::SL => Channel::Mp090,
            S::SR => Channel::Mm090,
            S::BL if beside => Channel::Mp135,
            S::BR if beside => Channel::Mm135,
            S::BL => Channel::LeftSurround,
            S::BR => Channel::RightSurround,
            S::BC => Channel::Mp180,
            _ => Channel::Unused,
        };
        speakers.iter().map(channel).collect()
    }

    /// The gains from a frame's layout, which may change in mid-stream, to the planned one in Opus order.
    pub fn mix(&self, layout: &ChannelLayout) -> Result<Mix> {
        let (source, _) = speakers_of(layout)?;
        Ok(Gains::new(&source, &TARGETS[self.target]).into_mix())
    }
}

/// The speakers of a layout, and whether they had to be guessed.
///
/// Unspecified layouts of up to 8 channels are taken for the family 1 layout of that count in FFmpeg's (and
/// WAV's) order, so that every channel keeps a channel of its own. FFmpeg's own guess would be 2.1 for 3
/// channels and 4.0 for 4.
fn speakers_of(layout: &ChannelLayout) -> Result<(Vec<Speaker>, bool)> {
    let unsupported = |what: String| Error::new(ErrorKind::Unsupported, what);
    if layout.is_ambisonic() {
        return Err(unsupported("ambisonic sound".to_owned()));
    }
    let channels = layout.channels();
    if let Some(known) = layout.ids().and_then(distinct_speakers) {
        return Ok((known, false));
    }
    match channels {
        0 => Err(unsupported("a stream without channels".to_owned())),
        1..=8 => {
            let mut speakers = TARGETS[channels - 1].speakers.to_vec();
            speakers.sort_by_key(|s| s.0);
            Ok((speakers, channels > 2))
        }
        _ => ChannelLayout::default_for(channels)
            .and_then(|l| l.ids().and_then(distinct_speakers))
            .map(|speakers| (speakers, true))
            .ok_or_else(|| unsupported(format!("{channels} channels of an unknown layout"))),
    }
}

/// The ids as speakers, if all are known and none occurs twice.
fn distinct_speakers(ids: &[u32]) -> Option<Vec<Speaker>> {
    let speakers: Vec<_> = ids.iter().map(|id| Speaker(*id)).collect();
    let distinct = speakers.iter().enumerate().all(|(i, s)| s.name().is_some() && !speakers[..i].contains(s));
    (distinct && !speakers.is_empty()).then_some(speakers)
}

/// A mix in the making.
struct Gains {
    inputs: usize,
    matrix: Vec<f64>,
    folded: Vec<Speaker>,
    dropped: Vec<Speaker>,
}

impl Gains {
    fn new(source: &[Speaker], target: &LayoutTarget) -> Self {
        let (inputs, outputs) = (source.len(), target.speakers.len());
        let mut gains = Gains { inputs, matrix: vec![0.0; inputs * outputs], folded: Vec::new(), dropped: Vec::new() };
        let mut used = [false; 8];
        for (input, speaker) in source.iter().enumerate() {
            if let Some(place) = exact_place(*speaker, source, target.speakers).filter(|place| !used[*place]) {
                gains.matrix[place * inputs + input] = 1.0;
                used[place] = true;
                continue;
            }
            // A stereo downmix beside the channels it was made of adds nothing.
            let redundant = matches!(*speaker, S::DL | S::DR | S::BIL | S::BIR) && source.contains(&S::FL);
            let place = |s: &Speaker| target.speakers.iter().position(|t| t == s);
            let found = neighbours(*speaker).iter().find_map(|set| set.iter().map(place).collect::<Option<Vec<_>>>());
            match found.filter(|_| !redundant) {
                Some(places) => {
                    places.iter().for_each(|p| gains.matrix[p * inputs + input] = std::f64::consts::FRAC_1_SQRT_2);
                    gains.folded.push(*speaker);
                }
                None => gains.dropped.push(*speaker),
            }
        }
        gains.normalise();
        gains
    }

    /// Brings all gains down alike until no output channel can exceed full scale, where channels were added up.
    fn normalise(&mut self) {
        let loudest = self.matrix.chunks(self.inputs).map(|row| row.iter().sum::<f64>()).fold(0.0, f64::max);
        if loudest > 1.0 {
            self.matrix.iter_mut().for_each(|gain| *gain /= loudest);
        }
    }

    /// Whether channels are added up or left out (a centre spread over left and right is neither).
    fn is_lossy(&self) -> bool {
        let adds_up = |row: &[f64]| row.iter().filter(|gain| **gain > 0.0).count() > 1;
        !self.dropped.is_empty() || self.matrix.chunks(self.inputs).any(adds_up)
    }

    fn into_mix(self) -> Mix {
        let folds = self.is_lossy();
        let outputs = self.matrix.len() / self.inputs;
        let identity = self.inputs == outputs
            && self
                .matrix
                .iter()
                .enumerate()
                .all(|(i, gain)| *gain == f64::from(u8::from(i / self.inputs == i % self.inputs)));
        Mix { matrix: (!identity).then_some(self.matrix), folds }
    }

    fn note(&self, source: &[Speaker], target: usize, guessed: bool) -> Option<String> {
        let target = &TARGETS[target];
        let names = |list: &[Speaker]| list.iter().filter_map(|s| s.name()).collect::<Vec<_>>().join("+");
        let count = source.len();
        let mut parts = Vec::new();
        if guessed {
            parts.push(format!("{count} channels without a layout taken for {}", names(source)));
        }
        if self.is_lossy() {
            parts.push(format!("{} folded to {}", names(source), target.name));
        } else if target.speakers.len() > count {
            let silent = target.speakers.len() - count;
            parts.push(format!("{} carried as {} with {silent} silent channels", names(source), target.name));
        }
        if !self.folded.is_empty() {
            parts.push(format!("{} mixed into their neighbours", names(&self.folded)));
        }
        if !self.dropped.is_empty() {
            parts.push(format!("{} left out", names(&self.dropped)));
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

#[cfg(test)]
#[path = "layout_tests.rs"]
mod tests;
