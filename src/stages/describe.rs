//! What a file says of itself and its tracks, decided once: the writer fills the file by it and the verifier holds the file
//! to it.
//!
//! A pure decision over what the source says; texts are as they can be written, so that both sides see the same.
#![deny(unsafe_code)]

use super::streams::{StreamDecision, Task, in_track_order};
use crate::base::Span;
use crate::container::{Format, chapters, tags};
use crate::media::{Chapter, ChapterAtom, Disposition, Edition, MediaInfo, StreamInfo, Tag, TagEntry};

/// What a file says of itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct FileDescription {
    pub(crate) title: Option<String>,
    pub(crate) chapters: Vec<Chapter>,
    /// Editions, where chapters do not say all.
    pub(crate) editions: Vec<Edition>,
    pub(crate) tags: Vec<Tag>,
    pub(crate) tag_entries: Vec<TagEntry>,
    /// In the order of the file.
    pub(crate) tracks: Vec<TrackDescription>,
}

/// What a file says of a track.
#[derive(Clone, Debug)]
pub(crate) struct TrackDescription {
    /// The source's stream.
    pub(crate) stream: usize,
    pub(crate) language: Option<String>,
    pub(crate) title: Option<String>,
    pub(crate) disposition: Disposition,
    pub(crate) tags: Vec<Tag>,
}

impl FileDescription {
    /// The same, all of it later.
    pub(crate) fn later(mut self, by: Span) -> Self {
        for chapter in &mut self.chapters {
            (chapter.start, chapter.end) = (chapter.start.plus(by), chapter.end.plus(by));
        }
        self.editions.iter_mut().for_each(|edition| edition.later(by));
        self
    }

    /// What of it a transport stream has no place for, whose picture is `main`; in words.
    pub(crate) fn lost_in_broadcast(&self, main: &StreamInfo) -> Vec<String> {
        let name = Format::MpegTs.name();
        let mut out = Vec::new();
        let mut tags: Vec<&str> = self.tags.iter().map(|(name, _)| name.as_str()).collect();
        tags.extend(self.tag_entries.iter().flat_map(|entry| &entry.tags).map(|tag| tag.name.as_str()));
        if !tags.is_empty() {
            out.push(format!("{name} has no place for these tags: {}", tags.join(", ")));
        }
        let titles: Vec<&str> = self.tracks.iter().filter_map(|track| track.title.as_deref()).collect();
        if !titles.is_empty() {
            out.push(format!("{name} has no place for titles of tracks: {}", titles.join(", ")));
        }
        let picture = self.tracks.iter().find(|track| track.stream == main.index);
        let language = picture.and_then(|track| track.language.as_deref());
        if let Some(language) = language.filter(|language| *language != "und") {
            out.push(format!("{name} has no place for the language of the picture: {language}"));
        }
        if !self.editions().is_empty() {
            out.push(format!("{name} holds no chapters: Matroska and MP4 do"));
        }
        if main.video.as_ref().is_some_and(|video| video.stereo_mode != 0) {
            out.push(format!("{name} cannot say that pictures of both eyes are packed into one (3D)"));
        }
        out
    }

    /// The editions of the file.
    pub(crate) fn editions(&self) -> Vec<Edition> {
        chapters::editions(&self.editions, &self.chapters)
    }

    /// The tags of the file, without statistics.
    pub(crate) fn tag_entries(&self) -> Vec<TagEntry> {
        let tracks: Vec<&[Tag]> = self.tracks.iter().map(|t| t.tags.as_slice()).collect();
        tags::tag_entries(&self.tags, &self.tag_entries, &tracks)
    }
}

/// Describes the file that `decisions` make of `info`.
pub(crate) fn describe(info: &MediaInfo, decisions: &[StreamDecision]) -> FileDescription {
    let made = |d: &&StreamDecision| !matches!(d.task, Task::Attach | Task::Drop);
    let made: Vec<&StreamDecision> = in_track_order(decisions).into_iter().filter(made).collect();
    let track = |decision: &&StreamDecision| {
        let stream = info.streams.get(decision.index)?;
        Some(TrackDescription {
            stream: decision.index,
            language: stream.language.clone(),
            title: text(stream.title.as_deref()),
            disposition: stream.disposition,
            tags: tags::track_tags(&stream.tags, recoded(decision)),
        })
    };
    let uids: Vec<Option<u64>> = made.iter().map(|d| info.streams.get(d.index).and_then(|s| s.uid)).collect();
    let mut editions = info.editions.clone();
    editions.iter_mut().flat_map(|e| &mut e.chapters).for_each(|chapter| number_tracks(chapter, &uids));
    let entry = |entry: &TagEntry| tag_entry(entry, &uids, &made);
    FileDescription {
        title: text(info.title.as_deref()),
        chapters: info.chapters.clone(),
        editions,
        tags: tags::file_tags(&info.tags),
        tag_entries: info.tag_entries.iter().filter_map(entry).collect(),
        tracks: made.iter().filter_map(track).collect(),
    }
}

/// A text as it is written; one that is empty is none.
fn text(text: Option<&str>) -> Option<String> {
    text.map(|t| t.replace('\0', "")).filter(|t| !t.is_empty())
}

fn recoded(decision: &StreamDecision) -> bool {
    !matches!(decision.task, Task::CopyAudio(_) | Task::CopySubtitle { .. })
}

/// Numbers in the place of UIDs; tracks that are not in the file are left out.
fn numbers(of: &[u64], uids: &[Option<u64>]) -> Vec<u64> {
    of.iter().filter_map(|uid| uids.iter().position(|u| *u == Some(*uid))).map(|n| n as u64).collect()
}

fn number_tracks(chapter: &mut ChapterAtom, uids: &[Option<u64>]) {
    chapter.tracks = numbers(&chapter.tracks, uids);
    chapter.children.iter_mut().for_each(|c| number_tracks(c, uids));
}

/// Tags as they hold in the new file; `None` where none do.
fn tag_entry(source: &TagEntry, uids: &[Option<u64>], made: &[&StreamDecision]) -> Option<TagEntry> {
    let mut entry = source.clone();
    entry.targets.tracks = numbers(&source.targets.tracks, uids);
    if source.targets.tracks.is_empty() {
        entry.tags.retain(|t| tags::holds_for_file(&t.name));
    } else {
        let coded = |number: &u64| made.get(*number as usize).is_some_and(|d| recoded(d));
        let anew = entry.targets.tracks.iter().any(coded);
        entry.tags.retain(|t| tags::holds_for_track(&t.name, anew));
        if entry.targets.tracks.is_empty() {
            return None;
        }
    }
    (!entry.tags.is_empty()).then_some(entry)
}
