//! The elements by which a Matroska source describes itself: tracks, chapters, tags, attachments (RFC 9559 §5.1.4 to §5.1.8).
//!
//! Owns a view of headers for whoever carries them on; the content of clusters is never read. Tolerates damage: what
//! cannot be read is left out, and what is there is bounded in number, depth and length.
#![deny(unsafe_code)]

use std::fs::File;
use std::io;
use std::path::Path;

use super::ebml::id;
use super::walk::{Element, Walk};
use crate::base::{Error, ErrorKind, Result};
use crate::media::{
    ChapterAtom, ChapterDisplay, Edition, PixelCrop, SegmentElements, SimpleTag, TagEntry, TagTargets, TrackElements,
};

/// The longest text or value that is taken.
const MAX_VALUE: u64 = 16 << 20;
/// How deep chapters and tags may be nested.
const MAX_DEPTH: u32 = 16;
/// Chapters or tags of one kind; the longest films have some hundred.
const MAX_ENTRIES: usize = 100_000;

/// Reads the elements of the Matroska file at `path`.
///
/// # Errors
/// Kind `Input` where the file cannot be read or is no Matroska file.
pub fn segment_elements(path: &Path) -> Result<SegmentElements> {
    let read = || -> io::Result<SegmentElements> {
        let mut reader = ElementReader { walk: Walk::open_sparse(File::open(path)?)?, left: MAX_ENTRIES };
        reader.segment()
    };
    read().map_err(|e| Error::new(ErrorKind::Input, "not a readable Matroska file").caused_by(e).with_file(path))
}

struct ElementReader {
    walk: Walk<File>,
    /// Chapters and tags that may still come.
    left: usize,
}

impl ElementReader {
    fn segment(&mut self) -> io::Result<SegmentElements> {
        let mut out = SegmentElements::default();
        let wanted = [id::INFO, id::TRACKS, id::CHAPTERS, id::TAGS, id::ATTACHMENTS];
        for top in self.walk.described(&wanted)? {
            for child in self.walk.children(&top)? {
                match (top.id, child.id) {
                    (id::INFO, id::TITLE) => out.title = Some(self.text(&child)?).filter(|t| !t.is_empty()),
                    (id::TRACKS, id::TRACK_ENTRY) => out.tracks.push(self.track(&child)?),
                    (id::CHAPTERS, id::EDITION_ENTRY) => out.editions.push(self.edition(&child)?),
                    (id::TAGS, id::TAG) => out.tags.push(self.tag(&child)?),
                    (id::ATTACHMENTS, id::ATTACHED_FILE) => out.attachments.extend(self.attachment(&child)?),
                    _ => {}
                }
            }
        }
        Ok(out)
    }

    fn text(&mut self, element: &Element) -> io::Result<String> {
        let bytes = self.walk.bytes(element, MAX_VALUE)?;
        let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
        Ok(String::from_utf8_lossy(&bytes[..end]).into_owned())
    }

    /// A number; `default` where the element is empty (RFC 8794 §11.1.19).
    fn number(&mut self, element: &Element, default: u64) -> io::Result<u64> {
        if element.data == element.end { Ok(default) } else { self.walk.uint(element) }
    }

    fn track(&mut self, entry: &Element) -> io::Result<TrackElements> {
        let mut out = TrackElements::default();
        for child in self.walk.children(entry)? {
            match child.id {
                id::TRACK_UID => out.uid = self.walk.uint(&child)?,
                id::TRACK_TYPE => out.track_type = self.walk.uint(&child)?,
                id::CODEC_ID => out.codec_id = self.text(&child)?,
                id::LANGUAGE => out.language = Some(self.text(&child)?),
                id::LANGUAGE_BCP47 => out.language_bcp47 = Some(self.text(&child)?),
                id::FLAG_ENABLED => out.disabled = self.number(&child, 1)? == 0,
                id::VIDEO => self.video(&child, &mut out)?,
                _ => {}
            }
        }
        Ok(out)
    }

    fn video(&mut self, element: &Element, track: &mut TrackElements) -> io::Result<()> {
        let (mut width, mut height, mut unit) = (None, None, 0);
        let mut crop = PixelCrop::default();
        for child in self.walk.children(element)? {
            let value = match child.id {
                id::COLOUR | id::PROJECTION => continue,
                _ => self.walk.uint(&child)?,
            };
            let length = u32::try_from(value).unwrap_or(u32::MAX);
            match child.id {
                id::PIXEL_WIDTH => track.size.0 = length,
                id::PIXEL_HEIGHT => track.size.1 = length,
                id::DISPLAY_WIDTH => width = Some(length),
                id::DISPLAY_HEIGHT => height = Some(length),
                id::DISPLAY_UNIT => unit = value,
                id::PIXEL_CROP_LEFT => crop.left = length,
                id::PIXEL_CROP_TOP => crop.top = length,
                id::PIXEL_CROP_RIGHT => crop.right = length,
                id::PIXEL_CROP_BOTTOM => crop.bottom = length,
                id::STEREO_MODE => track.stereo_mode = u8::try_from(value).unwrap_or(0),
                id::ALPHA_MODE => track.alpha = value != 0,
                _ => {}
            }
        }
        track.pixel_crop = crop;
        // Unit 4 is "unknown": the sizes say nothing.
        track.display = width.zip(height).filter(|(w, h)| unit < 4 && *w > 0 && *h > 0);
        Ok(())
    }

    /// The FileUID of an attachment that libavformat shows too: one with a name, a media type and bytes.
    fn attachment(&mut self, element: &Element) -> io::Result<Option<u64>> {
        let (mut uid, mut name, mut mime, mut bytes) = (0, false, false, false);
        for child in self.walk.children(element)? {
            match child.id {
                id::FILE_UID => uid = self.walk.uint(&child)?,
                id::FILE_NAME => name = true,
                id::FILE_MEDIA_TYPE => mime = true,
                id::FILE_DATA => bytes = child.end > child.data,
                _ => {}
            }
        }
        Ok((name && mime && bytes).then_some(uid))
    }

    fn edition(&mut self, entry: &Element) -> io::Result<Edition> {
        let mut out = Edition::default();
        for child in self.walk.children(entry)? {
            match child.id {
                id::EDITION_UID => out.uid = self.walk.uint(&child)?,
                id::EDITION_FLAG_HIDDEN => out.hidden = self.walk.uint(&child)? != 0,
                id::EDITION_FLAG_DEFAULT => out.default = self.walk.uint(&child)? != 0,
                id::EDITION_FLAG_ORDERED => out.ordered = self.walk.uint(&child)? != 0,
                id::CHAPTER_ATOM => out.chapters.extend(self.chapter(&child, 0)?),
                id::VOID | id::CRC_32 => {}
                other => out.others.push((other, self.walk.bytes(&child, MAX_VALUE)?)),
            }
        }
        Ok(out)
    }

    fn chapter(&mut self, atom: &Element, depth: u32) -> io::Result<Option<ChapterAtom>> {
        if depth > MAX_DEPTH || self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let mut out = ChapterAtom {
            uid: 0,
            string_uid: None,
            start_ns: 0,
            end_ns: None,
            hidden: false,
            enabled: true,
            displays: Vec::new(),
            children: Vec::new(),
            tracks: Vec::new(),
            others: Vec::new(),
        };
        for child in self.walk.children(atom)? {
            match child.id {
                id::CHAPTER_UID => out.uid = self.walk.uint(&child)?,
                id::CHAPTER_STRING_UID => out.string_uid = Some(self.text(&child)?),
                id::CHAPTER_TIME_START => out.start_ns = self.walk.uint(&child)?,
                id::CHAPTER_TIME_END => out.end_ns = Some(self.walk.uint(&child)?),
                id::CHAPTER_FLAG_HIDDEN => out.hidden = self.walk.uint(&child)? != 0,
                id::CHAPTER_FLAG_ENABLED => out.enabled = self.number(&child, 1)? != 0,
                id::CHAPTER_DISPLAY => out.displays.push(self.display(&child)?),
                id::CHAPTER_ATOM => out.children.extend(self.chapter(&child, depth + 1)?),
                id::CHAPTER_TRACK => {
                    for track in self.walk.children(&child)?.into_iter().filter(|e| e.id == id::CHAPTER_TRACK_UID) {
                        out.tracks.push(self.walk.uint(&track)?);
                    }
                }
                id::VOID | id::CRC_32 => {}
                other => out.others.push((other, self.walk.bytes(&child, MAX_VALUE)?)),
            }
        }
        Ok(Some(out))
    }

    fn display(&mut self, element: &Element) -> io::Result<ChapterDisplay> {
        let mut out = ChapterDisplay::default();
        for child in self.walk.children(element)? {
            match child.id {
                id::CHAP_STRING => out.text = self.text(&child)?,
                id::CHAP_LANGUAGE => out.languages.push(self.text(&child)?),
                id::CHAP_LANGUAGE_BCP47 => out.languages_bcp47.push(self.text(&child)?),
                id::CHAP_COUNTRY => out.countries.push(self.text(&child)?),
                _ => {}
            }
        }
        if out.languages.is_empty() {
            // The default of the element.
            out.languages.push("eng".to_owned());
        }
        Ok(out)
    }

    fn tag(&mut self, element: &Element) -> io::Result<TagEntry> {
        let mut out = TagEntry::default();
        for child in self.walk.children(element)? {
            match child.id {
                id::TARGETS => out.targets = self.targets(&child)?,
                id::SIMPLE_TAG => out.tags.extend(self.simple(&child, 0)?),
                _ => {}
            }
        }
        Ok(out)
    }

    fn targets(&mut self, element: &Element) -> io::Result<TagTargets> {
        let mut out = TagTargets::default();
        for child in self.walk.children(element)? {
            let uids = match child.id {
                id::TARGET_TYPE_VALUE => {
                    out.level = Some(self.number(&child, 50)?);
                    continue;
                }
                id::TARGET_TYPE => {
                    out.level_name = Some(self.text(&child)?);
                    continue;
                }
                id::TAG_TRACK_UID => &mut out.tracks,
                id::TAG_EDITION_UID => &mut out.editions,
                id::TAG_CHAPTER_UID => &mut out.chapters,
                id::TAG_ATTACHMENT_UID => &mut out.attachments,
                _ => continue,
            };
            // Zero names all of a kind, as no element does.
            uids.extend(Some(self.walk.uint(&child)?).filter(|uid| *uid != 0));
        }
        Ok(out)
    }

    fn simple(&mut self, element: &Element, depth: u32) -> io::Result<Option<SimpleTag>> {
        if depth > MAX_DEPTH || self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let mut out = SimpleTag {
            name: String::new(),
            language: None,
            language_bcp47: None,
            default: true,
            value: None,
            binary: None,
            children: Vec::new(),
        };
        for child in self.walk.children(element)? {
            match child.id {
                id::TAG_NAME => out.name = self.text(&child)?,
                id::TAG_LANGUAGE => out.language = Some(self.text(&child)?),
                id::TAG_LANGUAGE_BCP47 => out.language_bcp47 = Some(self.text(&child)?),
                id::TAG_DEFAULT => out.default = self.number(&child, 1)? != 0,
                id::TAG_STRING => out.value = Some(self.text(&child)?),
                id::TAG_BINARY => out.binary = Some(self.walk.bytes(&child, MAX_VALUE)?),
                id::SIMPLE_TAG => out.children.extend(self.simple(&child, depth + 1)?),
                _ => {}
            }
        }
        Ok(Some(out))
    }
}
