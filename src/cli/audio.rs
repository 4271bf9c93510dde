//! `drapto audio`.

use std::fmt::Write;

use drapto::data::{Loudness, TrackLoudness};
use drapto::{CancelToken, Result};

use super::args::AudioArgs;
use super::places::input;
use super::signals;
use super::text::{print, print_json};

pub fn run(args: &AudioArgs) -> Result<()> {
    let cancel = CancelToken::new();
    signals::install(&cancel)?;
    let tracks = drapto::loudness(input(&args.input), &cancel)?;
    if args.json { print_json(&tracks) } else { print(&describe(&tracks)) }
}

fn describe(tracks: &[TrackLoudness]) -> String {
    let mut out = String::new();
    for track in tracks {
        let language = track.language.as_deref().map_or(String::new(), |language| format!(" {language}"));
        let what = match (&track.loudness, &track.error) {
            (Some(loudness), _) => words(loudness),
            (None, error) => error.clone().unwrap_or_default(),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(out, "stream {}  {} {}{language}  {what}", track.stream, track.codec, track.layout);
    }
    out
}

fn words(loudness: &Loudness) -> String {
    let Some(integrated) = loudness.integrated_lufs else { return "silent, or too short to be measured".to_owned() };
    let mut out = format!("{integrated:.1} LUFS");
    let values = [
        ("range", loudness.range_lu, "LU"),
        ("momentary max", loudness.momentary_max_lufs, "LUFS"),
        ("short-term max", loudness.short_term_max_lufs, "LUFS"),
        ("true peak", loudness.true_peak_dbtp, "dBTP"),
    ];
    for (name, value, unit) in values {
        if let Some(value) = value {
            let _ = write!(out, "  {name} {value:.1} {unit}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_track_is_a_line_with_what_is_known() {
        let loudness = Loudness {
            integrated_lufs: Some(-18.24),
            range_lu: Some(7.0),
            true_peak_dbtp: Some(-0.31),
            ..Loudness::default()
        };
        let track = |loudness, error: Option<&str>| TrackLoudness {
            stream: 1,
            codec: "ac3".to_owned(),
            layout: "5.1(side)".to_owned(),
            language: Some("eng".to_owned()),
            loudness,
            error: error.map(str::to_owned),
        };
        assert_eq!(
            describe(&[
                track(Some(loudness), None),
                track(Some(Loudness::default()), None),
                track(None, Some("broken"))
            ]),
            "stream 1  ac3 5.1(side) eng  -18.2 LUFS  range 7.0 LU  true peak -0.3 dBTP\n\
             stream 1  ac3 5.1(side) eng  silent, or too short to be measured\n\
             stream 1  ac3 5.1(side) eng  broken\n"
        );
    }
}
