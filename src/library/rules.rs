//! PURE: which films are left alone, and why.
//!
//! Law: a rule that asks for what is not known of a film lets it pass. A stricter rule never lets a film pass that a laxer
//! one leaves alone.
#![deny(unsafe_code)]

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::names::has_suffix;
use crate::base::text::{bytes, duration};
use crate::config::path_text::lossy;
use crate::media::MediaInfo;
use crate::plan::main_video;

/// What rules ask of a film.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FilmFacts {
    /// Where it is. Not written down: who keeps facts keeps them by their film.
    #[serde(skip)]
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Its length in seconds by the container's word.
    pub duration_s: Option<f64>,
    /// The main video's width in luma samples; 0 where there is no video.
    pub width: u32,
    /// The main video's height in luma samples; 0 where there is no video.
    pub height: u32,
    /// The main video's bits a second; of the whole file where nobody says.
    pub bit_rate: Option<u64>,
    /// The main video's frames a second, where the container says.
    pub frame_rate: Option<f64>,
    /// FFmpeg's name of the main video's codec; `None` where there is no video.
    pub codec: Option<String>,
}

impl FilmFacts {
    /// Of the film at `path` with `bytes`, by its container's word.
    pub fn of(path: &Path, bytes: u64, info: &MediaInfo) -> Self {
        let main = main_video(info).and_then(|index| info.streams.get(index));
        let duration_s = info.duration_s.or_else(|| main.and_then(|m| m.length_s())).filter(|s| *s > 0.0);
        let (width, height) = main.and_then(|m| m.video.as_ref()).map_or((0, 0), |v| (v.width, v.height));
        // mkvmerge's statistics, which Matroska has instead of a field.
        let tagged = || {
            let tag = main?.tags.iter().find(|(name, _)| name == "BPS" || name.starts_with("BPS-"));
            tag.and_then(|(_, value)| value.trim().parse().ok())
        };
        let whole = || duration_s.map(|s| (bytes as f64 * 8.0 / s) as u64);
        FilmFacts {
            path: path.to_path_buf(),
            bytes,
            duration_s,
            width,
            height,
            bit_rate: main.and_then(|m| m.bit_rate).or_else(tagged).filter(|rate| *rate > 0).or_else(whole),
            frame_rate: main.and_then(|m| m.video.as_ref()?.frame_rate).map(|rate| rate.as_f64()),
            codec: main.map(|m| m.codec.clone()),
        }
    }
}

/// What a picture's size is called, cropped and turned ones too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum SizeClass {
    /// 720p: wider than 1024 or higher than 576 luma samples.
    #[serde(rename = "720p")]
    Hd,
    /// 1080p: wider than 1280 or higher than 720.
    #[serde(rename = "1080p")]
    FullHd,
    /// 2160p: wider than 2560 or higher than 1440.
    #[serde(rename = "2160p")]
    UltraHd,
}

impl SizeClass {
    /// Of a picture; `None` below 720p.
    pub fn of(width: u32, height: u32) -> Option<Self> {
        let (long, short) = (width.max(height), width.min(height));
        let over = |w: u32, h: u32| long > w || short > h;
        match () {
            () if over(2560, 1440) => Some(SizeClass::UltraHd),
            () if over(1280, 720) => Some(SizeClass::FullHd),
            () if over(1024, 576) => Some(SizeClass::Hd),
            () => None,
        }
    }
}

impl fmt::Display for SizeClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SizeClass::Hd => "720p",
            SizeClass::FullHd => "1080p",
            SizeClass::UltraHd => "2160p",
        })
    }
}

/// What films have to be to be encoded. By default every film is that is not AV1 already.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BatchRules {
    /// The least length, in seconds.
    pub min_duration_s: Option<f64>,
    /// The least size, in bytes.
    pub min_bytes: Option<u64>,
    /// The least bit rate of a 2160p picture, in kilobits (1000 bits) a second.
    pub min_bitrate_2160p_kbps: Option<u64>,
    /// That of a 1080p picture.
    pub min_bitrate_1080p_kbps: Option<u64>,
    /// That of a 720p picture. Smaller pictures have no such rule.
    pub min_bitrate_720p_kbps: Option<u64>,
    /// What outputs are called: a film whose name has it before its extension is one. [`BatchPlan`](super::BatchPlan) fills
    /// it in where it is `None` and outputs are beside their films.
    pub output_suffix: Option<String>,
    /// What films are called that an earlier batch encoded for nothing.
    pub skip_suffix: Option<String>,
    /// Whether films are encoded that are AV1 already.
    pub reencode: bool,
}

impl BatchRules {
    fn least_kbps(&self, class: SizeClass) -> Option<u64> {
        match class {
            SizeClass::UltraHd => self.min_bitrate_2160p_kbps,
            SizeClass::FullHd => self.min_bitrate_1080p_kbps,
            SizeClass::Hd => self.min_bitrate_720p_kbps,
        }
    }
}

/// Why a film is left alone. `Display` gives a sentence without its full stop, with the numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
#[non_exhaustive]
#[allow(missing_docs)] // The sentences say what the fields are.
pub enum SkipRule {
    /// Its name is that of an output.
    OutputSuffix { suffix: String },
    /// Its name says that an earlier batch encoded it for nothing.
    SkipSuffix { suffix: String },
    /// There is no video in it.
    NoVideo,
    /// It is AV1 already.
    AlreadyAv1,
    /// It is shorter than asked for; in seconds.
    TooShort { duration_s: f64, least_s: f64 },
    /// It is smaller than asked for.
    TooSmall { bytes: u64, least_bytes: u64 },
    /// Its bit rate is lower than asked for pictures of its size.
    LowBitRate { kbps: u64, least_kbps: u64, class: SizeClass },
    /// Its output is there and is a finished film.
    OutputThere {
        #[serde(serialize_with = "lossy")]
        output: PathBuf,
    },
    /// Its output is there and was finished before the film was written last.
    OutputOlder {
        #[serde(serialize_with = "lossy")]
        output: PathBuf,
    },
    /// What has its output's name is no film.
    OutputNoFilm {
        #[serde(serialize_with = "lossy")]
        output: PathBuf,
    },
    /// Its output would have the name of another film's.
    SameOutput {
        #[serde(serialize_with = "lossy")]
        other: PathBuf,
        #[serde(serialize_with = "lossy")]
        output: PathBuf,
    },
    /// Its output would have the name of a film of the batch.
    OutputIsFilm {
        #[serde(serialize_with = "lossy")]
        output: PathBuf,
    },
    /// Its output is to take its place, under a name that another file has.
    PlaceTaken {
        #[serde(serialize_with = "lossy")]
        place: PathBuf,
    },
    /// It cannot be read.
    Unreadable { why: String },
    /// Somebody writes it.
    StillWritten,
    /// It went while the batch ran.
    Vanished,
    /// An earlier batch encoded it for nothing, with the same settings.
    Known { earlier: String, why: String },
    /// The encode left it alone.
    LeftAlone { why: String },
    /// Its output was not as much smaller as asked for, and was removed.
    NotSmaller { bytes_in: u64, bytes_out: u64, reduction_percent: f64, least_percent: f64 },
    /// No encode reached its target, and its output was removed.
    Unreachable { target: f64, score: f64 },
}

impl fmt::Display for SkipRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SkipRule::OutputSuffix { suffix } => write!(f, "its name has {suffix:?}, which is that of outputs"),
            SkipRule::SkipSuffix { suffix } => {
                write!(f, "its name has {suffix:?}: an earlier batch encoded it for nothing")
            }
            SkipRule::NoVideo => f.write_str("there is no video in it"),
            SkipRule::AlreadyAv1 => f.write_str("it is AV1 already (--reencode encodes it again)"),
            SkipRule::TooShort { duration_s, least_s } => {
                write!(f, "it is {} long, and {} is the least", duration(*duration_s), duration(*least_s))
            }
            SkipRule::TooSmall { bytes: found, least_bytes } => {
                write!(f, "it has {}, and {} is the least", bytes(*found), bytes(*least_bytes))
            }
            SkipRule::LowBitRate { kbps, least_kbps, class } => {
                write!(f, "it has {kbps} kb/s, and {least_kbps} kb/s is the least for {class}")
            }
            SkipRule::OutputThere { output } => write!(f, "its output is there: {}", output.display()),
            SkipRule::OutputOlder { output } => {
                let output = output.display();
                write!(f, "its output is there and older than the film (--overwrite encodes it again): {output}")
            }
            SkipRule::OutputNoFilm { output } => {
                let output = output.display();
                write!(f, "what has the name of its output is no film (--overwrite replaces it): {output}")
            }
            SkipRule::SameOutput { other, output } => {
                write!(f, "its output would be {}, as that of {}", output.display(), other.display())
            }
            SkipRule::OutputIsFilm { output } => {
                write!(f, "its output would be {}, which is a film of this batch", output.display())
            }
            SkipRule::PlaceTaken { place } => {
                write!(f, "its output cannot take its place: {} is another file", place.display())
            }
            SkipRule::Unreadable { why } => f.write_str(why),
            SkipRule::StillWritten => f.write_str("it is still being written"),
            SkipRule::Vanished => f.write_str("it is no longer there"),
            SkipRule::Known { why, .. } => write!(f, "an earlier batch with these settings found: {why}"),
            SkipRule::LeftAlone { why } => f.write_str(why),
            SkipRule::NotSmaller { bytes_in, bytes_out, reduction_percent, least_percent } => {
                let (from, to) = (bytes(*bytes_in), bytes(*bytes_out));
                write!(f, "from {from} to {to} is {reduction_percent:.1} % smaller, and {least_percent} % is the least")
            }
            SkipRule::Unreachable { target, score } => {
                write!(f, "no encode reaches VMAF {target}: the best has {score:.2}")
            }
        }
    }
}

impl SkipRule {
    /// The rule in a word, as JSON has it: `too_short`.
    pub fn name(&self) -> &'static str {
        match self {
            SkipRule::OutputSuffix { .. } => "output_suffix",
            SkipRule::SkipSuffix { .. } => "skip_suffix",
            SkipRule::NoVideo => "no_video",
            SkipRule::AlreadyAv1 => "already_av1",
            SkipRule::TooShort { .. } => "too_short",
            SkipRule::TooSmall { .. } => "too_small",
            SkipRule::LowBitRate { .. } => "low_bit_rate",
            SkipRule::OutputThere { .. } => "output_there",
            SkipRule::OutputOlder { .. } => "output_older",
            SkipRule::OutputNoFilm { .. } => "output_no_film",
            SkipRule::SameOutput { .. } => "same_output",
            SkipRule::OutputIsFilm { .. } => "output_is_film",
            SkipRule::PlaceTaken { .. } => "place_taken",
            SkipRule::Unreadable { .. } => "unreadable",
            SkipRule::StillWritten => "still_written",
            SkipRule::Vanished => "vanished",
            SkipRule::Known { .. } => "known",
            SkipRule::LeftAlone { .. } => "left_alone",
            SkipRule::NotSmaller { .. } => "not_smaller",
            SkipRule::Unreachable { .. } => "unreachable",
        }
    }
}

/// What a film's name alone says.
pub(super) fn judge_name(film: &Path, rules: &BatchRules) -> Option<SkipRule> {
    let has = |suffix: &Option<String>| suffix.clone().filter(|suffix| has_suffix(film, suffix));
    if let Some(suffix) = has(&rules.output_suffix) {
        return Some(SkipRule::OutputSuffix { suffix });
    }
    has(&rules.skip_suffix).map(|suffix| SkipRule::SkipSuffix { suffix })
}

/// The first rule that leaves the film alone; `None` where it is to be encoded.
pub fn judge(film: &FilmFacts, rules: &BatchRules) -> Option<SkipRule> {
    if let Some(rule) = judge_name(&film.path, rules) {
        return Some(rule);
    }
    match film.codec.as_deref() {
        None => return Some(SkipRule::NoVideo),
        Some("av1") if !rules.reencode => return Some(SkipRule::AlreadyAv1),
        Some(_) => {}
    }
    if let (Some(duration_s), Some(least_s)) = (film.duration_s, rules.min_duration_s)
        && duration_s < least_s
    {
        return Some(SkipRule::TooShort { duration_s, least_s });
    }
    if let Some(least_bytes) = rules.min_bytes.filter(|least| film.bytes < *least) {
        return Some(SkipRule::TooSmall { bytes: film.bytes, least_bytes });
    }
    let class = SizeClass::of(film.width, film.height)?;
    let (rate, least_kbps) = (film.bit_rate?, rules.least_kbps(class)?);
    let low = rate < least_kbps.saturating_mul(1000);
    low.then_some(SkipRule::LowBitRate { kbps: rate / 1000, least_kbps, class })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn film() -> impl Strategy<Value = FilmFacts> {
        let codec = prop_oneof![
            Just(None),
            Just(Some("av1".to_owned())),
            Just(Some("h264".to_owned())),
            Just(Some("hevc".to_owned()))
        ];
        let name = prop_oneof![Just("a.mkv"), Just("a.av1.mkv"), Just("a.skip.mp4")];
        let length = proptest::option::of(0.1..20_000f64);
        let rate = proptest::option::of(0..100_000_000u64);
        (name, 0..1u64 << 40, length, 0..8000u32, 0..5000u32, rate, codec).prop_map(
            |(name, bytes, duration_s, width, height, bit_rate, codec)| FilmFacts {
                path: name.into(),
                bytes,
                duration_s,
                width,
                height,
                bit_rate,
                frame_rate: None,
                codec,
            },
        )
    }

    fn rules() -> impl Strategy<Value = BatchRules> {
        let kbps = || proptest::option::of(0..100_000u64);
        let suffix = |text: &'static str| proptest::option::of(Just(text.to_owned()));
        (
            proptest::option::of(0.0..20_000f64),
            proptest::option::of(0..1u64 << 40),
            (kbps(), kbps(), kbps()),
            suffix(".av1"),
            suffix(".skip"),
            any::<bool>(),
        )
            .prop_map(|(min_duration_s, min_bytes, (uhd, full, hd), output_suffix, skip_suffix, reencode)| {
                BatchRules {
                    min_duration_s,
                    min_bytes,
                    min_bitrate_2160p_kbps: uhd,
                    min_bitrate_1080p_kbps: full,
                    min_bitrate_720p_kbps: hd,
                    output_suffix,
                    skip_suffix,
                    reencode,
                }
            })
    }

    proptest! {
        #[test]
        fn without_rules_every_film_is_encoded_that_is_not_av1(film in film()) {
            let plain = film.codec.as_deref().is_some_and(|codec| codec != "av1");
            prop_assert_eq!(judge(&film, &BatchRules::default()).is_none(), plain);
        }

        #[test]
        fn a_rule_that_is_taken_away_leaves_no_more_films_alone(film in film(), rules in rules(), which in 0..8usize) {
            let mut lax = rules.clone();
            match which {
                0 => lax.min_duration_s = None,
                1 => lax.min_bytes = None,
                2 => lax.min_bitrate_2160p_kbps = None,
                3 => lax.min_bitrate_1080p_kbps = None,
                4 => lax.min_bitrate_720p_kbps = None,
                5 => lax.output_suffix = None,
                6 => lax.skip_suffix = None,
                _ => lax.reencode = true,
            }
            if judge(&film, &rules).is_none() {
                prop_assert_eq!(judge(&film, &lax), None);
            }
        }

        #[test]
        fn a_stricter_rule_never_lets_a_film_pass(film in film(), rules in rules(), more in 0..50_000u64) {
            let raise = |least: Option<u64>| least.map(|least| least + more);
            let strict = BatchRules {
                min_duration_s: rules.min_duration_s.map(|least| least + more as f64),
                min_bytes: raise(rules.min_bytes),
                min_bitrate_2160p_kbps: raise(rules.min_bitrate_2160p_kbps),
                min_bitrate_1080p_kbps: raise(rules.min_bitrate_1080p_kbps),
                min_bitrate_720p_kbps: raise(rules.min_bitrate_720p_kbps),
                ..rules.clone()
            };
            if judge(&film, &rules).is_some() {
                prop_assert!(judge(&film, &strict).is_some());
            }
        }

        #[test]
        fn the_reason_is_true_and_a_sentence_with_its_numbers(film in film(), rules in rules()) {
            let Some(rule) = judge(&film, &rules) else { return Ok(()) };
            let text = rule.to_string();
            prop_assert!(!text.is_empty() && !text.ends_with('.') && !text.contains('\n'), "{}", text);
            match rule.clone() {
                SkipRule::TooShort { duration_s, least_s } => prop_assert!(duration_s < least_s),
                SkipRule::TooSmall { bytes, least_bytes } => prop_assert!(bytes < least_bytes && bytes == film.bytes),
                SkipRule::LowBitRate { kbps, least_kbps, class } => {
                    prop_assert!(kbps < least_kbps && text.contains(&kbps.to_string()));
                    prop_assert_eq!(Some(class), SizeClass::of(film.width, film.height));
                }
                SkipRule::AlreadyAv1 => prop_assert!(!rules.reencode),
                _ => {}
            }
            let json = serde_json::to_value(&rule).unwrap();
            prop_assert_eq!(json["rule"].as_str(), Some(rule.name()));
        }
    }

    #[test]
    fn a_size_has_the_class_people_call_it_by() {
        for (width, height, class) in [
            (3840, 2160, "2160p"),
            (3840, 1600, "2160p"),
            (1920, 1080, "1080p"),
            (1920, 800, "1080p"),
            (1440, 1080, "1080p"),
            (1080, 1920, "1080p"),
            (1280, 720, "720p"),
            (960, 720, "720p"),
            (1280, 536, "720p"),
        ] {
            assert_eq!(SizeClass::of(width, height).map(|c| c.to_string()).as_deref(), Some(class), "{width}x{height}");
        }
        for (width, height) in [(720, 576), (1024, 576), (854, 480), (0, 0)] {
            assert_eq!(SizeClass::of(width, height), None, "{width}x{height}");
        }
    }

    #[test]
    fn what_is_not_known_of_a_film_is_no_reason() {
        let film = FilmFacts { codec: Some("h264".to_owned()), width: 1920, height: 1080, ..FilmFacts::default() };
        let rules = BatchRules {
            min_duration_s: Some(60.0),
            min_bitrate_1080p_kbps: Some(4000),
            min_bitrate_2160p_kbps: Some(1),
            ..BatchRules::default()
        };
        assert_eq!(judge(&film, &rules), None);
        let low = FilmFacts { bit_rate: Some(3_999_999), ..film };
        let text = judge(&low, &rules).unwrap().to_string();
        assert_eq!(text, "it has 3999 kb/s, and 4000 kb/s is the least for 1080p");
    }

    #[test]
    fn facts_are_kept_without_their_path() {
        let film = FilmFacts { path: "a.mkv".into(), bytes: 7, codec: Some("vc1".to_owned()), ..FilmFacts::default() };
        let text = serde_json::to_string(&film).unwrap();
        let read: FilmFacts = serde_json::from_str(&text).unwrap();
        assert_eq!(FilmFacts { path: "a.mkv".into(), ..read }, film);
    }
}
