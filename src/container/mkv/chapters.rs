//! Chapters and attachments.
//!
//! Owns their elements; the data comes from the source as it is.
#![deny(unsafe_code)]

use super::ebml::{Master, content_uid, id};
use super::tracks::Uids;
use crate::container::language::language;
use crate::media::{Attachment, Chapter};

/// The content of the Chapters element: one edition; empty where there are no chapters.
///
/// Chapter times are nanoseconds, whatever the timestamp scale (RFC 9559 §5.1.7.1.4.3). A start before zero
/// is written as zero; an end that is not after the start is left out.
pub(super) fn chapters_element(chapters: &[Chapter]) -> Master {
    let mut out = Master::new();
    if chapters.is_empty() {
        return out;
    }
    let mut uids = Uids::default();
    let mut edition = Master::new();
    let first = chapters.first().map_or(0, |c| c.start.as_nanos());
    edition.uint(id::EDITION_UID, content_uid(&[b"edition", &first.to_be_bytes(), &chapters.len().to_be_bytes()]));
    for (index, chapter) in chapters.iter().enumerate() {
        let start = chapter.start.as_nanos().max(0) as u64;
        let end = chapter.end.as_nanos().max(0) as u64;
        let title = chapter.title.as_deref().unwrap_or_default();
        let uid = uids.unique(&[b"chapter", &index.to_be_bytes(), &start.to_be_bytes(), title.as_bytes()]);
        let mut atom = Master::new();
        atom.uint(id::CHAPTER_UID, uid).uint(id::CHAPTER_TIME_START, start);
        if end > start {
            atom.uint(id::CHAPTER_TIME_END, end);
        }
        if !title.is_empty() {
            let lang = language(chapter.language.as_deref());
            let mut display = Master::new();
            display.text(id::CHAP_STRING, title).text(id::CHAP_LANGUAGE, &lang.iso639_2);
            if let Some(bcp47) = &lang.bcp47 {
                display.text(id::CHAP_LANGUAGE_BCP47, bcp47);
            }
            atom.master(id::CHAPTER_DISPLAY, &display);
        }
        edition.master(id::CHAPTER_ATOM, &atom);
    }
    out.master(id::EDITION_ENTRY, &edition);
    out
}

/// The content of the Attachments element; empty where there are none.
pub(super) fn attachments_element(attachments: &[Attachment]) -> Master {
    let mut out = Master::new();
    let mut uids = Uids::default();
    for (index, file) in attachments.iter().enumerate() {
        let mut element = Master::new();
        if let Some(text) = &file.description {
            element.text(id::FILE_DESCRIPTION, text);
        }
        let mime = if file.mime.is_empty() { "application/octet-stream" } else { &file.mime };
        element
            .text(id::FILE_NAME, &file.name)
            .text(id::FILE_MEDIA_TYPE, mime)
            .bytes(id::FILE_DATA, &file.data)
            .uint(id::FILE_UID, uids.unique(&[b"file", &index.to_be_bytes(), file.name.as_bytes(), &file.data]));
        out.master(id::ATTACHED_FILE, &element);
    }
    out
}
