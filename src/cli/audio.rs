//! `drapto audio`.

use std::fmt::Write;
use std::path::Path;

use drapto::data::{Downmix, Loudness, TrackLoudness};
use drapto::sound::{SoundFileReport, SoundFileRequest, sound_file};
use drapto::{CancelToken, Error, ErrorKind, Result, Silent};

use super::args::AudioArgs;
use super::places::input;
use super::signals;
use super::text::{print, print_json};

pub fn run(args: &AudioArgs) -> Result<()> {
    let cancel = CancelToken::new();
    signals::install(&cancel)?;
    if let Some(output) = &args.output {
        let report = sound_file(&request(args, output)?, &Silent, &cancel)?;
        return if args.json { print_json(&report) } else { print(&summary(&report)) };
    }
    let tracks = drapto::loudness(input(&args.input), &cancel)?;
    if args.json { print_json(&tracks) } else { print(&describe(&tracks)) }
}

fn request(args: &AudioArgs, output: &Path) -> Result<SoundFileRequest> {
    let mut request = SoundFileRequest::new(input(&args.input), output);
    (request.track, request.bitrate, request.sample_rate) = (args.track, args.bitrate, args.sample_rate);
    (request.copy, request.overwrite, request.accept_damage) = (args.copy, args.overwrite, args.accept_damage);
    request.downmix = match args.downmix.as_deref() {
        Some("stereo") => Downmix::Stereo,
        Some("mono") => Downmix::Mono,
        Some("5.1") => Downmix::Surround,
        _ => Downmix::Off,
    };
    request.loudness.goal = args.loudness.unwrap_or_default();
    if let Some(peak) = args.true_peak.filter(|peak| !(-20.0..=0.0).contains(peak)) {
        return Err(Error::new(ErrorKind::Usage, format!("true_peak {peak} is not within -20 to 0")));
    }
    request.loudness.true_peak = args.true_peak;
    Ok(request)
}

/// What a file of sound came to, for people.
fn summary(report: &SoundFileReport) -> String {
    let how = if report.copied { "copied" } else { "encoded" };
    let rate = report.sample_rate;
    let mut out = format!("✓ {}\n", report.output.display());
    let (from, layout, codec) = (&report.source_codec, &report.layout, &report.codec);
    // Writing to a String cannot fail.
    let _ = writeln!(out, "  sound     {from} {} → {codec} {layout}, {rate} Hz, {how}", report.source_layout);
    if let Some(samples) = report.samples {
        let seconds = samples as f64 / f64::from(rate.max(1));
        let _ = writeln!(out, "  length    {} ({samples} samples)", drapto::text::duration(seconds));
    }
    let _ = writeln!(out, "  size      {}", drapto::text::bytes(report.bytes));
    if let Some(loudness) = &report.loudness {
        let _ = writeln!(out, "  loudness  {}", loudness.words());
    }
    for note in &report.notes {
        let _ = writeln!(out, "  note      {note}");
    }
    let _ = writeln!(out, "  verified  {} checks passed", report.verification.checks.len());
    out
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
