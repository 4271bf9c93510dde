//! Chapters and attachments.
//!
//! Owns their elements; the data comes from the source as it is.
#![deny(unsafe_code)]

use super::ebml::{Master, content_uid, id};
use super::tracks::Uids;
use crate::container::language::language;
use crate::media::{Attachment, Chapter, ChapterAtom, ChapterDisplay, Edition};

/// The editions a file gets: `editions`, or where there are none, one of `chapters`; none without chapters.
///
/// Chapter times are nanoseconds, whatever the timestamp scale (RFC 9559 §5.1.7.1.4.3). A start before zero is written as
/// zero; an end that is not after the start is left out. The verifier holds the file to the same.
pub fn editions(editions: &[Edition], chapters: &[Chapter]) -> Vec<Edition> {
    let mut uids = Uids::default();
    if !editions.is_empty() || chapters.is_empty() {
        let mut editions = editions.to_vec();
        for (index, edition) in editions.iter_mut().enumerate() {
            if edition.uid == 0 {
                edition.uid = uids.unique(&[b"edition", &index.to_be_bytes()]);
            }
            edition.chapters.iter_mut().for_each(|chapter| number(chapter, &mut uids));
        }
        return editions;
    }
    let first = chapters.first().map_or(0, |c| c.start.as_nanos());
    let uid = content_uid(&[b"edition", &first.to_be_bytes(), &chapters.len().to_be_bytes()]);
    let atom = |(index, chapter): (usize, &Chapter)| {
        let start = chapter.start.as_nanos().max(0) as u64;
        let end = chapter.end.as_nanos().max(0) as u64;
        let title = chapter.title.as_deref().unwrap_or_default();
        let lang = language(chapter.language.as_deref());
        let display = ChapterDisplay {
            text: title.replace('\0', ""),
            languages: vec![lang.iso639_2],
            languages_bcp47: lang.bcp47.into_iter().collect(),
            countries: Vec::new(),
        };
        ChapterAtom {
            uid: uids.unique(&[b"chapter", &index.to_be_bytes(), &start.to_be_bytes(), title.as_bytes()]),
            string_uid: None,
            start_ns: start,
            end_ns: Some(end).filter(|end| *end > start),
            hidden: false,
            enabled: true,
            displays: if title.is_empty() { Vec::new() } else { vec![display] },
            children: Vec::new(),
            tracks: Vec::new(),
            others: Vec::new(),
        }
    };
    let chapters = chapters.iter().enumerate().map(atom).collect();
    vec![Edition { uid, chapters, ..Edition::default() }]
}

/// Gives a chapter without UID, which sources may lack and files must have, one of its own.
fn number(chapter: &mut ChapterAtom, uids: &mut Uids) {
    if chapter.uid == 0 {
        chapter.uid = uids.unique(&[b"chapter", &chapter.start_ns.to_be_bytes()]);
    }
    chapter.children.iter_mut().for_each(|c| number(c, uids));
}

/// The content of the Chapters element; empty where there are no editions. `tracks` are the UIDs of the tracks.
pub(super) fn chapters_element(editions: &[Edition], tracks: &[u64]) -> Master {
    let mut out = Master::new();
    for edition in editions {
        let mut entry = Master::new();
        entry.uint(id::EDITION_UID, edition.uid);
        for (element, set) in [
            (id::EDITION_FLAG_HIDDEN, edition.hidden),
            (id::EDITION_FLAG_DEFAULT, edition.default),
            (id::EDITION_FLAG_ORDERED, edition.ordered),
        ] {
            if set {
                entry.uint(element, 1);
            }
        }
        for (element, bytes) in &edition.others {
            entry.bytes(*element, bytes);
        }
        for c in &edition.chapters {
            entry.master(id::CHAPTER_ATOM, &chapter_atom(c, tracks));
        }
        out.master(id::EDITION_ENTRY, &entry);
    }
    out
}

fn chapter_atom(chapter: &ChapterAtom, tracks: &[u64]) -> Master {
    let mut atom = Master::new();
    atom.uint(id::CHAPTER_UID, chapter.uid);
    if let Some(text) = &chapter.string_uid {
        atom.text(id::CHAPTER_STRING_UID, text);
    }
    atom.uint(id::CHAPTER_TIME_START, chapter.start_ns);
    if let Some(end) = chapter.end_ns {
        atom.uint(id::CHAPTER_TIME_END, end);
    }
    if chapter.hidden {
        atom.uint(id::CHAPTER_FLAG_HIDDEN, 1);
    }
    if !chapter.enabled {
        atom.uint(id::CHAPTER_FLAG_ENABLED, 0);
    }
    for (element, bytes) in &chapter.others {
        atom.bytes(*element, bytes);
    }
    let mut about = Master::new();
    for uid in chapter.tracks.iter().filter_map(|index| tracks.get(usize::try_from(*index).ok()?)) {
        about.uint(id::CHAPTER_TRACK_UID, *uid);
    }
    atom.master_if_any(id::CHAPTER_TRACK, &about);
    for display in &chapter.displays {
        let mut d = Master::new();
        d.text(id::CHAP_STRING, &display.text);
        for (element, texts) in [
            (id::CHAP_LANGUAGE, &display.languages),
            (id::CHAP_LANGUAGE_BCP47, &display.languages_bcp47),
            (id::CHAP_COUNTRY, &display.countries),
        ] {
            for text in texts {
                d.text(element, text);
            }
        }
        atom.master(id::CHAPTER_DISPLAY, &d);
    }
    for c in &chapter.children {
        atom.master(id::CHAPTER_ATOM, &chapter_atom(c, tracks));
    }
    atom
}

/// The content of the Attachments element; empty where there are none.
pub(super) fn attachments_element(attachments: &[Attachment]) -> Master {
    let mut out = Master::new();
    let mut uids = Uids::default();
    for (index, file) in attachments.iter().enumerate() {
        let own = || uids.unique(&[b"file", &index.to_be_bytes(), file.name.as_bytes(), &file.data]);
        let uid = file.uid.filter(|uid| *uid != 0).unwrap_or_else(own);
        let mut element = Master::new();
        if let Some(text) = &file.description {
            element.text(id::FILE_DESCRIPTION, text);
        }
        let mime = if file.mime.is_empty() { "application/octet-stream" } else { &file.mime };
        element
            .text(id::FILE_NAME, &file.name)
            .text(id::FILE_MEDIA_TYPE, mime)
            .bytes(id::FILE_DATA, &file.data)
            .uint(id::FILE_UID, uid);
        out.master(id::ATTACHED_FILE, &element);
    }
    out
}
