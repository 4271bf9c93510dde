//! Where loudspeakers stand, and which of them stands in for another: pure tables.
#![deny(unsafe_code)]

use crate::av::ChannelLayout;
use crate::base::{Error, ErrorKind, Result};

/// A speaker position by FFmpeg's number (`enum AVChannel`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Speaker(pub(super) u32);

macro_rules! speakers {
    ($($name:ident = $id:literal),* $(,)?) => {
        #[allow(dead_code)]
        impl Speaker {
            $(pub(super) const $name: Speaker = Speaker($id);)*

            /// FFmpeg's short name; `None` for a number that is no speaker we know.
            pub(super) fn name(self) -> Option<&'static str> {
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

use Speaker as S;

/// The layout of Vorbis and Opus of each count (RFC 7845 §5.1.1.2), in FFmpeg's and WAV's order.
const USUAL: [&[Speaker]; 8] = [
    &[S::FC],
    &[S::FL, S::FR],
    &[S::FL, S::FR, S::FC],
    &[S::FL, S::FR, S::BL, S::BR],
    &[S::FL, S::FR, S::FC, S::BL, S::BR],
    &[S::FL, S::FR, S::FC, S::LFE, S::BL, S::BR],
    &[S::FL, S::FR, S::FC, S::LFE, S::BC, S::SL, S::SR],
    &[S::FL, S::FR, S::FC, S::LFE, S::BL, S::BR, S::SL, S::SR],
];

/// Another name for the same loudspeaker, in order of preference: used at full level, where the layout has
/// the other name only and the source does not use it itself.
pub(super) fn aliases(speaker: Speaker) -> &'static [Speaker] {
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
pub(super) fn neighbours(speaker: Speaker) -> &'static [&'static [Speaker]] {
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

/// The speakers of a layout, and whether they had to be guessed.
///
/// Unspecified layouts of up to 8 channels are taken for the family 1 layout of that count in FFmpeg's (and
/// WAV's) order, so that every channel keeps a channel of its own. FFmpeg's own guess would be 2.1 for 3
/// channels and 4.0 for 4.
pub(super) fn speakers_of(layout: &ChannelLayout) -> Result<(Vec<Speaker>, bool)> {
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
        1..=8 => Ok((USUAL[channels - 1].to_vec(), channels > 2)),
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

/// Their names, joined.
pub(super) fn names(speakers: &[Speaker]) -> String {
    speakers.iter().filter_map(|s| s.name()).collect::<Vec<_>>().join("+")
}
