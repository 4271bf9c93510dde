//! Which channel layout a source becomes, and with what gains: pure tables, no codec.
//!
//! Opus mapping family 1 (RFC 7845 §5.1.1.2) knows exactly one layout for each count from 1 to 8. A source
//! whose speakers all have a place in one of them goes into the smallest such layout untouched, other
//! channels staying silent; only what has no place is folded into its neighbours. Other codecs have the layouts of their
//! [row](super::codecs), in FFmpeg's order; what those do not hold is refused by name. A [downmix](super::downmix) that is asked
//! for goes before all that.
#![deny(unsafe_code)]

use ebur128::Channel;

use super::codecs;
use super::downmix::{Coefficients, coefficients};
use super::speaker::{Speaker, Speaker as S, aliases, names, neighbours, speakers_of};
use crate::av::{ChannelLayout, Mix};
use crate::base::Result;
use crate::config::{Downmix, SoundCodec};

/// A layout, in the order in which a codec takes its channels.
#[derive(Debug, PartialEq, Eq)]
struct LayoutTarget {
    /// FFmpeg's name of the layout.
    name: &'static str,
    /// The speakers: those of Opus in Vorbis order.
    speakers: &'static [Speaker],
}

/// RFC 7845 §5.1.1.2.
static TARGETS: [LayoutTarget; 8] = [
    LayoutTarget { name: "mono", speakers: &[S::FC] },
    LayoutTarget { name: "stereo", speakers: &[S::FL, S::FR] },
    LayoutTarget { name: "3.0", speakers: &[S::FL, S::FC, S::FR] },
    LayoutTarget { name: "quad", speakers: &[S::FL, S::FR, S::BL, S::BR] },
    LayoutTarget { name: "5.0", speakers: &[S::FL, S::FC, S::FR, S::BL, S::BR] },
    LayoutTarget { name: "5.1", speakers: &[S::FL, S::FC, S::FR, S::BL, S::BR, S::LFE] },
    LayoutTarget { name: "6.1", speakers: &[S::FL, S::FC, S::FR, S::SL, S::SR, S::BC, S::LFE] },
    LayoutTarget { name: "7.1", speakers: &[S::FL, S::FC, S::FR, S::SL, S::SR, S::BL, S::BR, S::LFE] },
];

/// The layouts of libavcodec's encoders, in FFmpeg's order.
static NATIVE: [LayoutTarget; 9] = [
    LayoutTarget { name: "mono", speakers: &[S::FC] },
    LayoutTarget { name: "stereo", speakers: &[S::FL, S::FR] },
    LayoutTarget { name: "3.0", speakers: &[S::FL, S::FR, S::FC] },
    LayoutTarget { name: "4.0", speakers: &[S::FL, S::FR, S::FC, S::BC] },
    LayoutTarget { name: "quad", speakers: &[S::FL, S::FR, S::BL, S::BR] },
    LayoutTarget { name: "5.0", speakers: &[S::FL, S::FR, S::FC, S::BL, S::BR] },
    LayoutTarget { name: "5.1", speakers: &[S::FL, S::FR, S::FC, S::LFE, S::BL, S::BR] },
    LayoutTarget { name: "6.1", speakers: &[S::FL, S::FR, S::FC, S::LFE, S::BC, S::SL, S::SR] },
    LayoutTarget { name: "7.1", speakers: &[S::FL, S::FR, S::FC, S::LFE, S::BL, S::BR, S::SL, S::SR] },
];

/// The layouts of a codec, the smallest first.
fn layouts_of(codec: SoundCodec) -> Vec<&'static LayoutTarget> {
    if codec == SoundCodec::Opus {
        return TARGETS.iter().collect();
    }
    let known = codecs::row(codec).layouts;
    NATIVE.iter().filter(|target| known.iter().any(|(name, _)| *name == target.name)).collect()
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

/// What the channels of an audio track become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayoutPlan {
    target: &'static LayoutTarget,
    bitrate: u32,
    /// Whether more channels than the target has are mixed down by ITU-R BS.775.
    downmix: bool,
    /// Whether a downmix was asked for to a layout of more channels than there are.
    pub(crate) upmix_refused: bool,
    /// What has to be said of it to the user: a fold, a guess, silent channels. One sentence without a stop.
    pub note: Option<String>,
    /// Whether channels are added up or left out.
    pub folds: bool,
}

impl LayoutPlan {
    /// The plan for Opus of a source of `channels` channels whose layout FFmpeg names `layout` (`5.1(side)`,
    /// `3 channels (FL+FR+LFE)`); a name that is empty or does not fit the count counts as unspecified.
    ///
    /// Errors: `Unsupported` for no channel at all, for ambisonics, and for more than 8 channels of which
    /// nothing is known.
    pub fn for_source(channels: u32, layout: &str) -> Result<Self> {
        Self::fitted(channels, layout, SoundCodec::Opus, Downmix::Off)
    }

    /// The same for any codec, with a downmix. A source of fewer channels than that is to have stays as it is, and the note says so.
    ///
    /// # Errors
    /// As [`for_source`](Self::for_source), and `Unsupported`, saying what there is, for a layout that the codec does not have.
    pub fn fitted(channels: u32, layout: &str, codec: SoundCodec, downmix: Downmix) -> Result<Self> {
        let channels = channels as usize;
        let named = ChannelLayout::from_name(layout).filter(|l| l.channels() == channels && l.ids().is_some());
        let label = if named.is_some() { layout } else { "" };
        Self::of(&named.unwrap_or_else(|| ChannelLayout::unspecified(channels)), label, codec, downmix)
    }

    /// The plan for Opus of a source of this layout: best asked of the first decoded frame, as containers of damaged or
    /// headerless streams may name no channels, or others.
    ///
    /// Errors: as [`for_source`](Self::for_source).
    #[cfg(test)]
    pub fn for_layout(layout: &ChannelLayout) -> Result<Self> {
        Self::of(layout, "", SoundCodec::Opus, Downmix::Off)
    }

    fn of(layout: &ChannelLayout, label: &str, codec: SoundCodec, downmix: Downmix) -> Result<Self> {
        let (source, guessed) = speakers_of(layout)?;
        let layouts = layouts_of(codec);
        let wanted = match downmix.layout() {
            None => None,
            Some(name) if NATIVE.iter().any(|t| t.name == name && source.len() < t.speakers.len()) => {
                let mut plan = Self::of(layout, label, codec, Downmix::Off)?;
                let said = format!("{} has fewer channels than {name}: nothing is mixed up", labelled(label, &source));
                plan.note = Some(plan.note.map_or(said.clone(), |note| format!("{note}; {said}")));
                plan.upmix_refused = true;
                return Ok(plan);
            }
            Some(name) => {
                let found = layouts.iter().copied().find(|t| t.name == name);
                Some(found.ok_or_else(|| codecs::no_layout(codec, name, &source))?)
            }
        };
        let target = match wanted {
            Some(target) => target,
            None => choose(codec, &layouts, &source).ok_or_else(|| codecs::no_layout(codec, label, &source))?,
        };
        let downmix = wanted.is_some() && !holds(target, &source);
        let mut plan = LayoutPlan { target, bitrate: 0, downmix, upmix_refused: false, note: None, folds: false };
        let usual = codecs::row(codec).layouts.iter().find(|(name, _)| *name == target.name);
        plan.bitrate = usual.map_or(0, |(_, kbps)| kbps * 1000);
        let gains = plan.gains(&source);
        plan.folds = gains.is_lossy();
        plan.note = if downmix {
            Some(gains.downmix_note(&labelled(label, &source), &source, target))
        } else {
            gains.note(&source, target, guessed)
        };
        Ok(plan)
    }

    /// Channels that are encoded.
    pub fn channels(&self) -> usize {
        self.target.speakers.len()
    }

    /// FFmpeg's name of the layout that is encoded (`5.1` means back surrounds, as in the Vorbis order).
    pub fn layout(&self) -> &'static str {
        self.target.name
    }

    /// Whether channels are mixed down because that was asked for.
    pub fn mixes_down(&self) -> bool {
        self.downmix
    }

    /// Channel mapping family of Opus: 0 for mono and stereo, 1 above (RFC 7845 §5.1.1).
    pub fn mapping_family(&self) -> u8 {
        u8::from(self.channels() > 2)
    }

    /// The default bit rate in bits a second; 0 where nothing is lost.
    pub fn bitrate(&self) -> u32 {
        self.bitrate
    }

    /// The gains from speakers to the planned layout: where it has a place for each they keep it, also in a downmix.
    fn gains(&self, source: &[Speaker]) -> Gains {
        if self.downmix && !holds(self.target, source) {
            Gains::downmix(source, self.target)
        } else {
            Gains::new(source, self.target)
        }
    }

    /// What each channel counts in loudness, by where its speaker stands (ITU-R BS.1770-4, table 3): surrounds from 60 to 120
    /// degrees 1.5 dB more, those behind as those in front, the LFE not at all. A pair of surrounds alone stands at 110.
    pub(super) fn loudness_channels(&self) -> Vec<Channel> {
        let speakers = self.target.speakers;
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

    /// The gains from a frame's layout, which may change in mid-stream, to the planned one in the codec's order.
    pub fn mix(&self, layout: &ChannelLayout) -> Result<Mix> {
        let (source, _) = speakers_of(layout)?;
        Ok(self.gains(&source).into_mix())
    }
}

/// The layout for `source`: the smallest that holds it. Of Opus, what no layout holds goes into the one that holds most.
fn choose(codec: SoundCodec, layouts: &[&'static LayoutTarget], source: &[Speaker]) -> Option<&'static LayoutTarget> {
    let candidates = if source.len() > 8 { &layouts[layouts.len() - 1..] } else { layouts };
    let fitting = |speakers: &[Speaker]| candidates.iter().copied().find(|t| holds(t, speakers));
    if codec != SoundCodec::Opus {
        return if source.len() > 8 { None } else { fitting(source) };
    }
    // What no family 1 layout has does not count for the choice; a rear centre goes first where there are
    // both side and back pairs.
    let has_place = |s: &Speaker| *s == S::BC || exact_place(*s, source, TARGETS[7].speakers).is_some();
    let known: Vec<_> = source.iter().copied().filter(has_place).collect();
    let without_bc: Vec<_> = known.iter().copied().filter(|s| *s != S::BC).collect();
    fitting(source)
        .or_else(|| fitting(&known).filter(|_| !known.is_empty()))
        .or_else(|| fitting(&without_bc).filter(|_| !without_bc.is_empty()))
        .or(candidates.last().copied())
}

/// The layout's name, or those of its speakers.
fn labelled(label: &str, source: &[Speaker]) -> String {
    if label.is_empty() { names(source) } else { label.to_owned() }
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

    /// The downmix of ITU-R BS.775.
    fn downmix(source: &[Speaker], target: &LayoutTarget) -> Self {
        let Coefficients { matrix, left_out } = coefficients(source, target.speakers);
        let mut gains = Gains { inputs: source.len(), matrix, folded: Vec::new(), dropped: left_out };
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

    /// A downmix in words, with its coefficients.
    fn downmix_note(&self, label: &str, source: &[Speaker], target: &LayoutTarget) -> String {
        let row = |(output, gains): (&Speaker, &[f64])| {
            let heard = source.iter().zip(gains).filter(|(_, gain)| **gain > 0.0);
            let terms: Vec<_> = heard.map(|(s, gain)| format!("{gain:.3} {}", s.name().unwrap_or_default())).collect();
            format!("{} = {}", output.name().unwrap_or_default(), terms.join(" + "))
        };
        let rows: Vec<_> = target.speakers.iter().zip(self.matrix.chunks(self.inputs)).map(row).collect();
        let left_out = match &self.dropped[..] {
            [] => String::new(),
            dropped => format!("; {} left out", names(dropped)),
        };
        format!("{label} mixed down to {} by ITU-R BS.775: {}{left_out}", target.name, rows.join(", "))
    }

    fn note(&self, source: &[Speaker], target: &LayoutTarget, guessed: bool) -> Option<String> {
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
