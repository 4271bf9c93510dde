//! Tags: which of a source's tags still hold in the new file, and the Tags element.
//!
//! Owns the list of tags that describe an old coding, the names Matroska uses, and the statistics every
//! track gets anew. Refuses to invent a tag; in particular no date is written, so that equal input gives
//! equal bytes.
#![deny(unsafe_code)]

use super::ebml::{Master, id};
use crate::container::TrackStats;
use crate::container::language::language;
use crate::media::Tag;

/// What the statistics list in `_STATISTICS_TAGS`; mkvmerge's names, which players and tools show.
const STATISTICS: [&str; 4] = ["BPS", "DURATION", "NUMBER_OF_FRAMES", "NUMBER_OF_BYTES"];

/// Tags that name the program and settings of the old coding.
const CODING: [&str; 6] =
    ["ENCODER", "ENCODER_OPTIONS", "ENCODER_SETTINGS", "ENCODED_BY_SETTINGS", "ENCODING_SETTINGS", CROP];

/// Which part of the source's picture a video track shows: `W:H:X:Y`, in luma samples of the source. Written where that is
/// not the whole; by it a check that knows only the two files finds the part again.
pub const CROP: &str = "DRAPTO_CROP";

/// Tags by which FFmpeg shows the old container itself: MP4 brands, and the application that muxed.
const CONTAINER: [&str; 4] = ["MAJOR_BRAND", "MINOR_VERSION", "COMPATIBLE_BRANDS", "ENCODER"];

/// The name without case and without the language FFmpeg appends (`BPS-eng` → `BPS`).
fn stem(name: &str) -> String {
    let name = name.split_once('-').filter(|(_, l)| (2..=3).contains(&l.len())).map_or(name, |(stem, _)| stem);
    name.to_ascii_uppercase()
}

fn is_statistic(stem: &str) -> bool {
    STATISTICS.contains(&stem) || stem.starts_with("_STATISTICS_")
}

/// The tags of a source stream that still hold for its track in the new file, in their order.
///
/// Statistics (`BPS`, `DURATION`, `NUMBER_OF_FRAMES`, `NUMBER_OF_BYTES`, `_STATISTICS_*`) never do: the
/// writer counts anew. Where the stream was `recoded`, tags that name the old encoder and its settings do
/// not either. Case and a language suffix (`BPS-eng`) make no difference. Language and title have elements
/// of their own and are left out too.
pub fn track_tags(source: &[Tag], recoded: bool) -> Vec<Tag> {
    let holds = |(name, _): &&Tag| {
        let stem = stem(name);
        let old = is_statistic(&stem) || (recoded && CODING.contains(&stem.as_str()));
        !old && !matches!(name.to_ascii_uppercase().as_str(), "LANGUAGE" | "TITLE")
    };
    source.iter().filter(holds).cloned().collect()
}

/// The tags of a source file that still hold for the new file, in their order.
///
/// Left out: statistics, and what describes the old container (MP4 brands, the muxing program). The title
/// has an element of its own.
pub fn file_tags(source: &[Tag]) -> Vec<Tag> {
    let holds = |(name, _): &&Tag| {
        let stem = stem(name);
        !is_statistic(&stem) && !CONTAINER.contains(&stem.as_str()) && !name.eq_ignore_ascii_case("TITLE")
    };
    source.iter().filter(holds).cloned().collect()
}

/// One SimpleTag. Matroska's names are upper case with underscores; FFmpeg renames two of them on reading
/// and appends the language, which is undone here.
fn simple_tag(out: &mut Master, name: &str, value: &str) {
    let suffix = name.rsplit_once('-').map(|(stem, l)| (stem, l, language(Some(l))));
    let (stem, tag_language) = match suffix {
        Some((stem, l, found)) if l.len() == 3 && !stem.is_empty() && found.iso639_2 != "und" => (stem, found.iso639_2),
        _ => (name, "und".to_owned()),
    };
    let name = stem.to_ascii_uppercase().replace(' ', "_");
    let name = match name.as_str() {
        "PERFORMER" => "LEAD_PERFORMER",
        "TRACK" => "PART_NUMBER",
        other => other,
    };
    let mut tag = Master::new();
    tag.text(id::TAG_NAME, name).text(id::TAG_LANGUAGE, &tag_language).text(id::TAG_STRING, value);
    out.master(id::SIMPLE_TAG, &tag);
}

/// One Tag element for a track, or for the whole file where `track_uid` is `None`.
fn tag(out: &mut Master, track_uid: Option<u64>, tags: impl Iterator<Item = (String, String)>) {
    let mut content = Master::new();
    let mut targets = Master::new();
    targets.uint(id::TARGET_TYPE_VALUE, 50); // the film
    if let Some(uid) = track_uid {
        targets.uint(id::TAG_TRACK_UID, uid);
    }
    content.master(id::TARGETS, &targets);
    let mut any = false;
    for (name, value) in tags.filter(|(name, _)| !name.is_empty()) {
        simple_tag(&mut content, &name, &value);
        any = true;
    }
    if any {
        out.master(id::TAG, &content);
    }
}

/// The statistics tags of a track: bits a second, duration, frames, bytes.
fn statistics(stats: &TrackStats, writing_app: &str) -> Vec<(String, String)> {
    let ns = stats.duration.as_nanos().max(0) as u64;
    let bps = (u128::from(stats.bytes) * 8_000_000_000).checked_div(u128::from(ns)).unwrap_or(0);
    let s = ns / 1_000_000_000;
    let values = [
        bps.to_string(),
        format!("{:02}:{:02}:{:02}.{:09}", s / 3600, s / 60 % 60, s % 60, ns % 1_000_000_000),
        stats.frames.to_string(),
        stats.bytes.to_string(),
    ];
    let mut out: Vec<_> = STATISTICS.iter().map(|n| (*n).to_owned()).zip(values).collect();
    out.push(("_STATISTICS_WRITING_APP".to_owned(), writing_app.to_owned()));
    out.push(("_STATISTICS_TAGS".to_owned(), STATISTICS.join(" ")));
    out
}

/// The content of the Tags element: the film's tags, then each track's with its statistics.
pub(super) fn tags_element(
    file: &[Tag],
    tracks: impl Iterator<Item = (u64, Vec<Tag>, TrackStats)>,
    writing_app: &str,
) -> Master {
    let mut out = Master::new();
    tag(&mut out, None, file.iter().cloned());
    for (uid, tags, stats) in tracks {
        tag(&mut out, Some(uid), tags.into_iter());
        tag(&mut out, Some(uid), statistics(&stats, writing_app).into_iter());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(tags: Vec<Tag>) -> Vec<String> {
        tags.into_iter().map(|(n, _)| n).collect()
    }

    fn tags_of(names: &[&str]) -> Vec<Tag> {
        names.iter().map(|n| ((*n).to_owned(), "x".to_owned())).collect()
    }

    #[test]
    fn what_describes_the_old_coding_is_not_copied_and_the_rest_is() {
        let source = tags_of(&[
            "BPS",
            "BPS-eng",
            "DURATION-eng",
            "duration",
            "NUMBER_OF_FRAMES",
            "NUMBER_OF_BYTES-de",
            "_STATISTICS_WRITING_APP",
            "_STATISTICS_TAGS-eng",
            "ENCODER",
            "encoder_options",
            "DRAPTO_CROP",
            "SOURCE_ID",
            "BPS_NOTE",
            "COMMENT-eng",
            "handler_name",
            "language",
            "title",
        ]);
        assert_eq!(names(track_tags(&source, true)), ["SOURCE_ID", "BPS_NOTE", "COMMENT-eng", "handler_name"]);
        let copied =
            ["ENCODER", "encoder_options", "DRAPTO_CROP", "SOURCE_ID", "BPS_NOTE", "COMMENT-eng", "handler_name"];
        assert_eq!(names(track_tags(&source, false)), copied);
    }

    #[test]
    fn a_file_keeps_its_tags_without_those_of_the_old_container() {
        let source = tags_of(&["major_brand", "encoder", "title", "DIRECTOR", "compatible_brands", "DURATION", "date"]);
        assert_eq!(names(file_tags(&source)), ["DIRECTOR", "date"]);
    }
}
