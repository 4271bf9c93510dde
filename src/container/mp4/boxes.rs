//! The boxes by which an MP4 or QuickTime source describes its tracks beyond what libavformat tells: ISO/IEC 14496-12 §8.3
//! (tracks, references), §8.4 (language, handler) and §8.10 (user data), QuickTime File Format ("User data atoms",
//! "Chapter lists"), 3GPP TS 26.244 §8 (titles).
//!
//! Owns a view of the index for whoever carries it on; media is read for chapters only. Tolerates damage: what cannot be
//! read is left out, and what is there is bounded in number and length.
#![deny(unsafe_code)]

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use mp4_atom::{Atom, Co64, Edts, Stbl, Stco, Stsc, Stsz, Stts};

use super::reader::{samples, shift};
use crate::base::{Error, ErrorKind, Rational, Result, Timestamp};
use crate::media::{Chapter, ChapterTrack, MovieBoxes, TrackBoxes};

/// Boxes within one box; the longest films have some dozen.
const MAX_BOXES: usize = 10_000;
/// The longest text, and the longest table of a chapter track.
const MAX_TEXT: u64 = 64 << 10;
const MAX_TABLE: u64 = 4 << 20;
/// Chapters of all tracks, and the longest name of one.
const MAX_CHAPTERS: usize = 10_000;
const MAX_NAME: u64 = 4 << 10;

/// Reads the boxes of the MP4 file at `path`.
///
/// # Errors
/// Kind `Input` where the file cannot be read.
pub fn movie_boxes(path: &Path) -> Result<MovieBoxes> {
    let read = || -> io::Result<MovieBoxes> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        BoxReader { file: BufReader::new(file), length, left: MAX_CHAPTERS }.movie()
    };
    read().map_err(|e| Error::new(ErrorKind::Input, "not a readable MP4 file").caused_by(e).with_file(path))
}

/// User data that may hold a text in several languages, and FFmpeg's names for it.
const TEXTS: [(&[u8; 4], &str); 10] = [
    (b"\xA9nam", "title"),
    (b"\xA9cmt", "comment"),
    (b"\xA9ART", "artist"),
    (b"\xA9alb", "album"),
    (b"\xA9des", "description"),
    (b"\xA9inf", "comment"),
    (b"\xA9cpy", "copyright"),
    (b"\xA9gen", "genre"),
    (b"\xA9dir", "director"),
    (b"\xA9prd", "producer"),
];

/// Languages by QuickTime's codes (QuickTime File Format, "Language code values"), from 0 on.
const MACINTOSH: &str = "eng fra deu ita nld swe spa dan por nor heb jpn ara fin ell isl mlt tur hrv zho urd hin tha kor lit pol \
    hun est lav";

/// A box: its type and where its content lies.
#[derive(Clone, Copy)]
struct BoxPlace {
    kind: [u8; 4],
    data: u64,
    end: u64,
}

struct BoxReader {
    file: BufReader<File>,
    length: u64,
    /// Chapters that may still come.
    left: usize,
}

/// A track of which the chapters may be asked for.
struct ReadTrack {
    boxes: TrackBoxes,
    media: Option<BoxPlace>,
    edits: Option<Edts>,
    /// Tracks that hold its chapters.
    chapters: Vec<u32>,
}

impl BoxReader {
    fn movie(&mut self) -> io::Result<MovieBoxes> {
        let whole = BoxPlace { kind: *b"file", data: 0, end: self.length };
        // Photographs have none, and say nothing here.
        let Some(index) = self.child(&whole, b"moov")? else { return Ok(MovieBoxes::default()) };
        let (mut title, mut texts) = (None, Vec::new());
        let mut timescale = 0;
        let mut tracks = Vec::new();
        for place in self.children(&index)? {
            match &place.kind {
                b"mvhd" => timescale = self.timescale(&place)?,
                b"trak" => tracks.push(self.track(&place)?),
                b"udta" => {
                    title = title.or(self.title(&place)?);
                    texts.extend(self.texts(&place)?);
                }
                _ => {}
            }
        }
        let mut wanted: Vec<u32> = tracks.iter().flat_map(|t| t.chapters.iter().copied()).collect();
        let mut seen = std::collections::HashSet::new();
        wanted.retain(|id| seen.insert(*id));
        let mut chapters = Vec::new();
        for id in wanted {
            let Some(track) = tracks.iter().find(|t| t.boxes.id == id) else { continue };
            // Pictures of chapters are no names.
            let names = if matches!(&track.boxes.handler, b"text" | b"sbtl" | b"subt") {
                self.chapters(track, timescale).unwrap_or_default()
            } else {
                Vec::new()
            };
            chapters.push(ChapterTrack { track: id, chapters: names });
        }
        Ok(MovieBoxes { title, texts, tracks: tracks.into_iter().map(|t| t.boxes).collect(), chapters })
    }

    /// The boxes inside a box, as far as they can be told apart.
    fn children(&mut self, parent: &BoxPlace) -> io::Result<Vec<BoxPlace>> {
        let mut out = Vec::new();
        let mut at = parent.data;
        while parent.end.saturating_sub(at) >= 8 && out.len() < MAX_BOXES {
            self.file.seek(SeekFrom::Start(at))?;
            let mut header = [0u8; 16];
            self.file.read_exact(&mut header[..8])?;
            let kind = [header[4], header[5], header[6], header[7]];
            let (head, size) = match u32::from_be_bytes([header[0], header[1], header[2], header[3]]) {
                // To the end; within user data, the end itself.
                0 if parent.kind == *b"udta" => break,
                0 => (8, parent.end - at),
                1 if parent.end - at >= 16 => {
                    self.file.read_exact(&mut header[8..])?;
                    (16, u64::from_be_bytes(header[8..].try_into().unwrap_or_default()))
                }
                size => (8, u64::from(size)),
            };
            if size < head {
                break;
            }
            let end = at.saturating_add(size).min(parent.end);
            out.push(BoxPlace { kind, data: at + head, end });
            at = end;
        }
        Ok(out)
    }

    fn child(&mut self, parent: &BoxPlace, kind: &[u8; 4]) -> io::Result<Option<BoxPlace>> {
        Ok(self.children(parent)?.into_iter().find(|c| c.kind == *kind))
    }

    /// The content of a box; empty where it is longer than `most`.
    fn bytes(&mut self, place: &BoxPlace, most: u64) -> io::Result<Vec<u8>> {
        let length = place.end.saturating_sub(place.data);
        if length > most {
            return Ok(Vec::new());
        }
        self.at(place.data, length)
    }

    fn at(&mut self, position: u64, length: u64) -> io::Result<Vec<u8>> {
        self.file.seek(SeekFrom::Start(position))?;
        let mut bytes = Vec::new();
        (&mut self.file).take(length).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn track(&mut self, trak: &BoxPlace) -> io::Result<ReadTrack> {
        let mut out = ReadTrack { boxes: TrackBoxes::default(), media: None, edits: None, chapters: Vec::new() };
        let mut title = None;
        for place in self.children(trak)? {
            match &place.kind {
                b"tkhd" => {
                    let bytes = self.bytes(&place, MAX_TEXT)?;
                    // Version 1 has two times of eight bytes before the id, and one after it.
                    let (id, group) = if bytes.first() == Some(&1) { (20, 46) } else { (12, 34) };
                    out.boxes.id = u32_at(&bytes, id).unwrap_or(0);
                    out.boxes.alternate_group = u16_at(&bytes, group).unwrap_or(0);
                }
                b"tref" => {
                    if let Some(list) = self.child(&place, b"chap")? {
                        let ids = self.bytes(&list, MAX_TEXT)?;
                        out.chapters = ids.chunks_exact(4).filter_map(|id| u32_at(id, 0)).collect();
                    }
                }
                b"edts" => out.edits = Edts::decode_body(&mut self.bytes(&place, MAX_TABLE)?.as_slice()).ok(),
                b"udta" => title = title.or(self.title(&place)?),
                b"mdia" => {
                    self.media(&place, &mut out.boxes)?;
                    out.media = Some(place);
                }
                _ => {}
            }
        }
        out.boxes.title = title.or(out.boxes.title);
        Ok(out)
    }

    fn media(&mut self, mdia: &BoxPlace, out: &mut TrackBoxes) -> io::Result<()> {
        for place in self.children(mdia)? {
            let bytes = match &place.kind {
                b"mdhd" | b"elng" | b"hdlr" => self.bytes(&place, MAX_TEXT)?,
                _ => continue,
            };
            match &place.kind {
                b"elng" => out.extended_language = bytes.get(4..).and_then(text),
                b"mdhd" => {
                    let at = if bytes.first() == Some(&1) { 32 } else { 20 };
                    out.language = u16_at(&bytes, at).and_then(packed_language);
                }
                _ => {
                    out.handler = bytes.get(8..12).and_then(|b| b.try_into().ok()).unwrap_or_default();
                    // QuickTime counts the bytes of the name, ISO ends it with a zero.
                    let name = bytes.get(24..).unwrap_or_default();
                    let counted = name.first().is_some_and(|n| usize::from(*n) + 1 == name.len());
                    out.title = text(if counted { &name[1..] } else { name }).filter(|name| !is_program(name));
                }
            }
        }
        Ok(())
    }

    /// A name in user data: QuickTime's `name`, 3GPP's `titl` or `©nam`, the first of several languages.
    fn title(&mut self, udta: &BoxPlace) -> io::Result<Option<String>> {
        let places = self.children(udta)?;
        let mut find = |kind: &[u8; 4], skip: usize| -> io::Result<Option<String>> {
            let Some(place) = places.iter().find(|p| p.kind == *kind) else { return Ok(None) };
            let bytes = self.bytes(place, MAX_TEXT)?;
            let body = match kind {
                // A length and a language before each text.
                b"\xA9nam" => u16_at(&bytes, 0).and_then(|n| bytes.get(skip..skip + usize::from(n))),
                _ => bytes.get(skip..),
            };
            Ok(body.and_then(text))
        };
        Ok(match find(b"name", 0)? {
            None => match find(b"titl", 6)? {
                None => find(b"\xA9nam", 4)?,
                found => found,
            },
            found => found,
        })
    }

    /// Texts of which a box holds more than one.
    fn texts(&mut self, udta: &BoxPlace) -> io::Result<Vec<(String, String, String)>> {
        let mut out = Vec::new();
        for place in self.children(udta)? {
            let Some((_, name)) = TEXTS.iter().find(|(kind, _)| *kind == &place.kind) else { continue };
            let bytes = self.bytes(&place, MAX_TEXT)?;
            let (mut rest, mut found) = (bytes.as_slice(), Vec::new());
            while let (Some(length), Some(code)) = (u16_at(rest, 0), u16_at(rest, 2)) {
                let Some(body) = rest.get(4..4 + usize::from(length)) else { break };
                let known = text(body).zip(language_code(code));
                found.push(known.map(|(text, language)| ((*name).to_owned(), language, text)));
                rest = &rest[4 + usize::from(length)..];
            }
            if found.len() > 1 {
                out.extend(found.into_iter().flatten());
            }
        }
        Ok(out)
    }

    fn timescale(&mut self, header: &BoxPlace) -> io::Result<u32> {
        let bytes = self.bytes(header, MAX_TEXT)?;
        Ok(u32_at(&bytes, if bytes.first() == Some(&1) { 20 } else { 12 }).unwrap_or(0))
    }

    /// The chapters that a text track names; `None` where its tables cannot be read.
    fn chapters(&mut self, track: &ReadTrack, movie_timescale: u32) -> Option<Vec<Chapter>> {
        let media = track.media?;
        let header = self.child(&media, b"mdhd").ok()??;
        let timescale = self.timescale(&header).ok().filter(|t| *t > 0)?;
        let minf = self.child(&media, b"minf").ok()??;
        let stbl = self.child(&minf, b"stbl").ok()??;
        let mut tables = Stbl::default();
        for place in self.children(&stbl).ok()? {
            let bytes = self.bytes(&place, MAX_TABLE).ok()?;
            let mut body = bytes.as_slice();
            match &place.kind {
                b"stts" => tables.stts = Stts::decode_body(&mut body).ok()?,
                b"stsc" => tables.stsc = Stsc::decode_body(&mut body).ok()?,
                b"stsz" => tables.stsz = Stsz::decode_body(&mut body).ok()?,
                b"stco" => tables.stco = Some(Stco::decode_body(&mut body).ok()?),
                b"co64" => tables.co64 = Some(Co64::decode_body(&mut body).ok()?),
                _ => {}
            }
        }
        let shift = shift(track.edits.as_ref(), timescale, movie_timescale).ok()?;
        let found = samples(&tables, shift, self.length).ok()?;
        let base = i32::try_from(timescale).ok().and_then(|scale| Rational::positive(1, scale))?;
        let language = track.boxes.extended_language.clone().or_else(|| track.boxes.language.clone());
        let mut out = Vec::new();
        for sample in &found {
            let bytes = self.at(sample.offset, u64::from(sample.size).min(MAX_NAME)).ok()?;
            // A text sample: its length, then the text (QuickTime File Format, "Text sample data"). An empty one fills the
            // time until the next.
            let length = usize::from(u16_at(&bytes, 0).unwrap_or(0));
            let Some(name) = bytes.get(2..2 + length).filter(|name| !name.is_empty()) else { continue };
            let Some(left) = self.left.checked_sub(1) else { break };
            self.left = left;
            out.push(Chapter {
                start: Timestamp::new(sample.pts, base),
                end: Timestamp::new(sample.pts.saturating_add(i64::from(sample.duration)), base),
                title: Some(text(name).unwrap_or_else(|| String::from_utf8_lossy(name).into_owned())),
                language: language.clone(),
            });
        }
        Some(out)
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2).map(|b| u16::from_be_bytes([b[0], b[1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]))
}

/// A text up to its zero, in UTF-8, or in UTF-16 where it says so; `None` where it is empty, or in an encoding of before
/// Unicode, of which libavformat knows some.
fn text(bytes: &[u8]) -> Option<String> {
    let wide = |little: bool, bytes: &[u8]| {
        let unit = |b: &[u8]| if little { u16::from_le_bytes([b[0], b[1]]) } else { u16::from_be_bytes([b[0], b[1]]) };
        let units: Vec<u16> = bytes.chunks_exact(2).map(unit).take_while(|u| *u != 0).collect();
        String::from_utf16_lossy(&units)
    };
    let text = match bytes {
        [0xFE, 0xFF, rest @ ..] => wide(false, rest),
        [0xFF, 0xFE, rest @ ..] => wide(true, rest),
        _ => {
            let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
            std::str::from_utf8(&bytes[..end]).ok()?.to_owned()
        }
    };
    Some(text.trim().to_owned()).filter(|t| !t.is_empty())
}

/// Three letters of five bits (ISO/IEC 14496-12 §8.4.2.3). Small numbers are QuickTime's own codes, which libavformat knows.
fn packed_language(code: u16) -> Option<String> {
    let letter = |shift: u16| char::from((((code >> shift) & 31) as u8).wrapping_add(0x60));
    let letters: String = [10, 5, 0].into_iter().map(letter).collect();
    let is_code = code & 0x8000 == 0 && letters.bytes().all(|b| b.is_ascii_lowercase());
    is_code.then_some(letters).filter(|l| l != "und")
}

fn language_code(code: u16) -> Option<String> {
    match code {
        0..0x400 => MACINTOSH.split(' ').nth(code.into()).map(str::to_owned),
        _ => packed_language(code),
    }
}

/// Whether a handler's name is that of the program that wrote it and not of the track.
fn is_program(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let said = [
        "handle",
        "produced by",
        "core media",
        "apple ",
        "mainconcept",
        "l-smash",
        "gpac",
        "bento4",
        "lavf",
        "gopro",
        "dji.",
        "ambarella",
    ];
    let kinds = ["video", "sound", "audio", "text", "subtitle", "subtitles", "chapters", "timecode", "vide", "soun"];
    said.iter().any(|part| name.contains(part)) || kinds.contains(&name.as_str())
}
