//! Tags: which of a source's tags still hold in the new file, and the Tags element.
//!
//! Owns the list of tags that describe an old coding, the names Matroska uses, and the statistics every
//! track gets anew. Refuses to invent a tag; in particular no date is written, so that equal input gives
//! equal bytes.
#![deny(unsafe_code)]

use super::ebml::{Master, id};
use crate::container::TrackStats;
use crate::container::language::language;
use crate::media::{SimpleTag, Tag, TagEntry, TagTargets};

/// What the statistics list in `_STATISTICS_TAGS`; mkvmerge's names, which players and tools show.
const STATISTICS: [&str; 4] = ["BPS", "DURATION", "NUMBER_OF_FRAMES", "NUMBER_OF_BYTES"];

/// Tags that name the program and settings of the old coding.
const CODING: [&str; 5] =
    ["ENCODER", "ENCODER_OPTIONS", "ENCODER_SETTINGS", "ENCODED_BY_SETTINGS", "ENCODING_SETTINGS"];

/// How our own names begin, all of which are about one coding.
const OWN: &str = "DRAPTO_";

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

/// Whether a tag of this name, in upper case, counts what the writer counts anew.
pub fn is_statistic(stem: &str) -> bool {
    STATISTICS.contains(&stem) || stem.starts_with("_STATISTICS_")
}

/// Whether a tag of this name, in upper case, is about the old coding.
fn is_coding(stem: &str) -> bool {
    CODING.contains(&stem) || stem.starts_with(OWN)
}

/// Whether a tag of this name, in upper case, is about the old container, or about a picture that is coded anew: the film's
/// is, whatever its other tracks are.
fn is_of_old_file(stem: &str) -> bool {
    CONTAINER.contains(&stem) || is_coding(stem)
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
        let old = is_statistic(&stem) || (recoded && is_coding(&stem));
        !old && !matches!(name.to_ascii_uppercase().as_str(), "LANGUAGE" | "TITLE")
    };
    source.iter().filter(holds).cloned().collect()
}

/// The tags of a source file that still hold for the new file, in their order.
///
/// Left out: statistics, and what describes the old container (MP4 brands, the muxing program) or the old coding, which the
/// picture no longer has. The title has an element of its own.
pub fn file_tags(source: &[Tag]) -> Vec<Tag> {
    let holds = |(name, _): &&Tag| {
        let stem = stem(name);
        !is_statistic(&stem) && !is_of_old_file(&stem) && !name.eq_ignore_ascii_case("TITLE")
    };
    source.iter().filter(holds).cloned().collect()
}

/// Whether a tag of this name still holds for a track that was coded anew, or was not.
pub fn holds_for_track(name: &str, recoded: bool) -> bool {
    let stem = stem(name);
    !(is_statistic(&stem) || recoded && is_coding(&stem))
}

/// Whether a tag of this name still holds for a new file.
pub fn holds_for_file(name: &str) -> bool {
    let stem = stem(name);
    !is_statistic(&stem) && !is_of_old_file(&stem)
}

/// Matroska's names are upper case with underscores; FFmpeg renames two of them on reading and appends the language, which
/// is undone here.
fn simple_tag((name, value): &Tag) -> SimpleTag {
    let suffix = name.rsplit_once('-').map(|(stem, l)| (stem, l, language(Some(l))));
    let (stem, tag_language) = match suffix {
        Some((stem, l, found)) if l.len() == 3 && !stem.is_empty() && found.iso639_2 != "und" => (stem, found.iso639_2),
        _ => (name.as_str(), "und".to_owned()),
    };
    let name = stem.to_ascii_uppercase().replace(' ', "_");
    let name = match name.as_str() {
        "PERFORMER" => "LEAD_PERFORMER".to_owned(),
        "TRACK" => "PART_NUMBER".to_owned(),
        _ => name,
    };
    SimpleTag {
        name: name.replace('\0', ""),
        language: Some(tag_language),
        language_bcp47: None,
        default: true,
        value: Some(value.replace('\0', "")),
        binary: None,
        children: Vec::new(),
    }
}

/// Tags of a track, or of the whole film; `None` where there are none.
fn flat(tags: &[Tag], track: Option<usize>) -> Option<TagEntry> {
    let tags: Vec<_> = tags.iter().filter(|(name, _)| !name.is_empty()).map(simple_tag).collect();
    let targets = TagTargets {
        level: Some(50), // the film
        tracks: track.into_iter().map(|t| t as u64).collect(),
        ..TagTargets::default()
    };
    (!tags.is_empty()).then_some(TagEntry { targets, tags })
}

/// The tags a file gets, without its statistics: the `film`'s, `entries` as they are, and each track's. The verifier holds
/// the file to the same.
pub fn tag_entries(film: &[Tag], entries: &[TagEntry], tracks: &[&[Tag]]) -> Vec<TagEntry> {
    let of_tracks = tracks.iter().enumerate().filter_map(|(track, tags)| flat(tags, Some(track)));
    flat(film, None).into_iter().chain(entries.iter().cloned()).chain(of_tracks).collect()
}

/// Tags read back from a file, as [`tag_entries`] has them: `tracks` are the UIDs of its tracks in order.
pub fn read_back(found: Vec<TagEntry>, tracks: &[u64]) -> Vec<TagEntry> {
    let number = |uid: &u64| tracks.iter().position(|t| t == uid).map_or(u64::MAX, |n| n as u64);
    let entry = |mut entry: TagEntry| {
        entry.targets.tracks = entry.targets.tracks.iter().map(number).collect();
        entry.tags.retain(|t| !is_statistic(&t.name.to_ascii_uppercase()) && t.name != CROP);
        (!entry.tags.is_empty()).then_some(entry)
    };
    found.into_iter().filter_map(entry).collect()
}

fn simple_element(tag: &SimpleTag) -> Master {
    let mut out = Master::new();
    out.text(id::TAG_NAME, &tag.name);
    if let Some(language) = &tag.language {
        out.text(id::TAG_LANGUAGE, language);
    }
    if let Some(language) = &tag.language_bcp47 {
        out.text(id::TAG_LANGUAGE_BCP47, language);
    }
    if !tag.default {
        out.uint(id::TAG_DEFAULT, 0);
    }
    if let Some(value) = &tag.value {
        out.text(id::TAG_STRING, value);
    }
    if let Some(bytes) = &tag.binary {
        out.bytes(id::TAG_BINARY, bytes);
    }
    for child in &tag.children {
        out.master(id::SIMPLE_TAG, &simple_element(child));
    }
    out
}

/// One Tag element; `uids` are those of the tracks.
fn tag_element(entry: &TagEntry, uids: &[u64]) -> Master {
    let about = &entry.targets;
    let mut targets = Master::new();
    if let Some(level) = about.level {
        targets.uint(id::TARGET_TYPE_VALUE, level);
    }
    if let Some(name) = &about.level_name {
        targets.text(id::TARGET_TYPE, name);
    }
    for uid in about.tracks.iter().filter_map(|track| uids.get(usize::try_from(*track).ok()?)) {
        targets.uint(id::TAG_TRACK_UID, *uid);
    }
    for (element, uids) in [
        (id::TAG_EDITION_UID, &about.editions),
        (id::TAG_CHAPTER_UID, &about.chapters),
        (id::TAG_ATTACHMENT_UID, &about.attachments),
    ] {
        for uid in uids {
            targets.uint(element, *uid);
        }
    }
    let mut content = Master::new();
    content.master(id::TARGETS, &targets);
    for tag in &entry.tags {
        content.master(id::SIMPLE_TAG, &simple_element(tag));
    }
    content
}

/// The statistics tags of a track: bits a second, duration, frames, bytes.
fn statistics(stats: &TrackStats, writing_app: &str) -> Vec<Tag> {
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

/// The content of the Tags element: `entries`, those of one track before its statistics. `tracks` are UIDs and statistics
/// of the tracks.
pub(super) fn tags_element(entries: &[TagEntry], tracks: &[(u64, TrackStats)], writing_app: &str) -> Master {
    let uids: Vec<u64> = tracks.iter().map(|(uid, _)| *uid).collect();
    let mut out = Master::new();
    // Flat tags of tracks come last, in the order of the tracks.
    let own = |entry: &&TagEntry| entry.targets.level == Some(50) && entry.targets.tracks.len() == 1;
    let of_track = entries.iter().rev().take_while(own).count();
    let (first, last) = entries.split_at(entries.len() - of_track);
    for entry in first {
        out.master(id::TAG, &tag_element(entry, &uids));
    }
    for (track, (_, stats)) in tracks.iter().enumerate() {
        let about = |entry: &&TagEntry| entry.targets.tracks == [track as u64];
        for entry in last.iter().filter(about) {
            out.master(id::TAG, &tag_element(entry, &uids));
        }
        if let Some(counted) = flat(&statistics(stats, writing_app), Some(track)) {
            out.master(id::TAG, &tag_element(&counted, &uids));
        }
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
            "drapto_chunks",
            "SOURCE_ID",
            "BPS_NOTE",
            "COMMENT-eng",
            "handler_name",
            "language",
            "title",
        ]);
        assert_eq!(names(track_tags(&source, true)), ["SOURCE_ID", "BPS_NOTE", "COMMENT-eng", "handler_name"]);
        let copied = [
            "ENCODER",
            "encoder_options",
            "DRAPTO_CROP",
            "drapto_chunks",
            "SOURCE_ID",
            "BPS_NOTE",
            "COMMENT-eng",
            "handler_name",
        ];
        assert_eq!(names(track_tags(&source, false)), copied);
    }

    #[test]
    fn a_file_keeps_its_tags_without_those_of_the_old_container() {
        let source = tags_of(&[
            "major_brand",
            "encoder",
            "title",
            "DIRECTOR",
            "compatible_brands",
            "DURATION",
            "date",
            "ENCODER_SETTINGS",
            "DRAPTO_SCORE",
        ]);
        assert_eq!(names(file_tags(&source)), ["DIRECTOR", "date"]);
    }
}
