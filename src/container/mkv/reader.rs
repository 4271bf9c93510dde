//! Reads Matroska files back: to check ours, and to name codecs that FFmpeg does not know.
//!
//! Owns two views of a file. [`Reader`] gives headers and frames as the independent `matroska-demuxer` crate
//! parses them; what that crate does not tell, or tells wrongly, comes from the bounds-checked walk of this
//! room: keyframes inside groups, discard padding, block additions, attachments, MaxCLL and MaxFALL and the
//! y coordinates of the mastering display (0.8.1 reads another element for each of these), rotation, the
//! text-description flag. [`codec_ids`] asks the walk only, as its files may be hostile.
#![deny(unsafe_code)]

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use matroska_demuxer::{Frame, MatroskaFile, TrackType};

use super::ebml::id;
#[cfg(any(test, feature = "internals"))]
pub use super::facts::ChapterFacts;
pub use super::facts::{AttachmentFacts, AudioFacts, FrameFacts, MasteringFacts, TrackFacts, VideoFacts};
use super::tracks::DVVC;
use super::walk::{BlockFacts, Element, SeekBuffer, Walk};
use crate::base::{Error, ErrorKind, Result};
use crate::media::{
    ChromaLocation, Color, ColorRange, ContentLight, Disposition, FieldOrder, Matrix, Primaries, StreamKind, Tag,
    Transfer,
};

/// The longest CodecPrivate that is taken; real ones are a few kilobytes, ASS headers with fonts megabytes.
const MAX_PRIVATE: u64 = 64 << 20;

/// What identifies a track's codec.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CodecId {
    /// Track number.
    pub number: u64,
    /// Kind; `None` for kinds drapto does not carry (buttons, control).
    pub kind: Option<StreamKind>,
    /// Matroska CodecID.
    pub codec_id: String,
    /// CodecPrivate, empty where there is none.
    pub codec_private: Vec<u8>,
    /// The BCP 47 tag where there is one, else the ISO 639-2 code where there is one.
    pub language: Option<String>,
}

/// The tracks of any Matroska file, in the order of its header (which is FFmpeg's order of streams).
///
/// # Errors
/// Kind `Input` where the file cannot be read or is no Matroska file with tracks.
pub fn codec_ids(path: &Path) -> Result<Vec<CodecId>> {
    let read = || -> io::Result<Vec<CodecId>> {
        let mut walk = Walk::open(File::open(path)?)?;
        let tracks = walk.top_level(id::TRACKS)?.ok_or_else(|| super::walk::broken("no Tracks"))?;
        let mut out = Vec::new();
        for entry in walk.children(&tracks)? {
            if entry.id == id::TRACK_ENTRY {
                out.push(codec_id(&mut walk, &entry)?);
            }
        }
        Ok(out)
    };
    read().map_err(|e| input_error(path, "not a readable Matroska file", e))
}

fn codec_id(walk: &mut Walk<File>, entry: &Element) -> io::Result<CodecId> {
    let mut out = CodecId::default();
    let mut bcp47 = None;
    for child in walk.children(entry)? {
        match child.id {
            id::TRACK_NUMBER => out.number = walk.uint(&child)?,
            id::TRACK_TYPE => out.kind = kind(TrackType::from(walk.uint(&child)?)),
            id::CODEC_ID => out.codec_id = walk.text(&child)?,
            id::CODEC_PRIVATE => out.codec_private = walk.bytes(&child, MAX_PRIVATE)?,
            id::LANGUAGE => out.language = Some(walk.text(&child)?),
            id::LANGUAGE_BCP47 => bcp47 = Some(walk.text(&child)?),
            _ => {}
        }
    }
    out.language = bcp47.or(out.language);
    Ok(out)
}

fn kind(track_type: TrackType) -> Option<StreamKind> {
    match track_type {
        TrackType::Video => Some(StreamKind::Video),
        TrackType::Audio => Some(StreamKind::Audio),
        TrackType::Subtitle => Some(StreamKind::Subtitle),
        TrackType::Metadata => Some(StreamKind::Data),
        _ => None,
    }
}

fn input_error(path: &Path, message: &str, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Input, message).caused_by(cause).with_file(path)
}

/// A file opened for checking.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    demuxer: MatroskaFile<SeekBuffer<File>>,
    walk: Walk<File>,
    scale: u64,
    tracks: Vec<TrackFacts>,
    attachments: Vec<AttachmentFacts>,
    /// The block the demuxer is in and how many frames of it are to come.
    block: (BlockFacts, u64),
    frame: Frame,
}

impl Reader {
    /// Opens a file and reads its headers.
    ///
    /// # Errors
    /// Kind `Input` where it cannot be read or is no sound Matroska file.
    pub fn open(path: &Path) -> Result<Self> {
        let io = |e: io::Error| input_error(path, "not a readable Matroska file", e);
        let mut walk = Walk::open(File::open(path).map_err(io)?).map_err(io)?;
        if !walk.indices_are_sound().map_err(io)? {
            return Err(Error::new(ErrorKind::Input, "an index of the file is broken").with_file(path));
        }
        let window = SeekBuffer::new(File::open(path).map_err(io)?).map_err(io)?;
        let demuxer = MatroskaFile::open(window).map_err(|e| input_error(path, "not a readable Matroska file", e))?;
        let scale = demuxer.info().timestamp_scale().get();
        let mut tracks: Vec<TrackFacts> = demuxer.tracks().iter().map(track_facts).collect();
        complete(&mut walk, &mut tracks).map_err(io)?;
        let attachments = attachments(&mut walk).map_err(io)?;
        let block = (BlockFacts::default(), 0);
        let path = path.to_path_buf();
        Ok(Reader { path, demuxer, walk, scale, tracks, attachments, block, frame: Frame::default() })
    }

    /// The tracks, in the order of the header.
    pub fn tracks(&self) -> &[TrackFacts] {
        &self.tracks
    }

    /// The attachments, in order.
    pub fn attachments(&self) -> &[AttachmentFacts] {
        &self.attachments
    }

    /// The film's title.
    pub fn title(&self) -> Option<&str> {
        self.demuxer.info().title()
    }

    /// The program that wrote the file.
    #[cfg(test)]
    pub fn writing_app(&self) -> &str {
        self.demuxer.info().writing_app()
    }

    /// The Segment's duration in nanoseconds.
    pub fn duration_ns(&self) -> Option<f64> {
        self.demuxer.info().duration().map(|d| d * self.scale as f64)
    }

    /// The chapters of the first edition, in order.
    #[cfg(any(test, feature = "internals"))]
    pub fn chapters(&self) -> Vec<ChapterFacts> {
        let atoms = self.demuxer.chapters().and_then(<[_]>::first).map_or(&[][..], |e| e.chapter_atoms());
        let chapter = |a: &matroska_demuxer::ChapterAtom| {
            let display = a.displays().first();
            ChapterFacts {
                start_ns: a.time_start(),
                end_ns: a.time_end(),
                title: display.map(|d| d.string().to_owned()),
                language: display.and_then(|d| d.language()).map(str::to_owned),
            }
        };
        atoms.iter().map(chapter).collect()
    }

    /// The tags that aim at track `uid`, or at the whole film for `None`.
    pub fn tags(&self, uid: Option<u64>) -> Vec<Tag> {
        let all = self.demuxer.tags().unwrap_or_default().iter();
        let aimed = all.filter(|t| t.targets().and_then(|t| t.tag_track_uid()) == uid);
        let simple = aimed.flat_map(|t| t.simple_tags());
        simple.map(|t| (t.name().to_owned(), t.string().unwrap_or_default().to_owned())).collect()
    }

    /// The next frame in the order of the file; `None` at the end.
    ///
    /// # Errors
    /// Kind `Input` where the file is broken or ends early, and where the two parsers disagree.
    pub fn next_frame(&mut self) -> Result<Option<FrameFacts>> {
        let path = &self.path;
        let io = |e: io::Error| input_error(path, "broken Matroska file", e);
        let mut additional = None;
        if self.block.1 == 0 {
            // The walk goes first: it refuses times that the demuxer would overflow on.
            let Some(facts) = self.walk.next_block().map_err(io)? else {
                // Both agree on the end; what stands behind the Segment is nobody's.
                let more = self.walk.ends_with_segment() && self.demuxer.next_frame(&mut self.frame).unwrap_or(true);
                let disagree = || Error::new(ErrorKind::Input, "a frame after the last block").with_file(path);
                return if more { Err(disagree()) } else { Ok(None) };
            };
            additional = facts.additional.map(|place| self.walk.place(place)).transpose().map_err(io)?;
            self.block = (facts, facts.frames);
        }
        let more =
            self.demuxer.next_frame(&mut self.frame).map_err(|e| input_error(path, "broken Matroska file", e))?;
        let (facts, left) = self.block;
        let frame = &mut self.frame;
        if !more || frame.track != facts.track || i64::try_from(frame.timestamp).is_ok_and(|t| t != facts.time.max(0)) {
            return Err(Error::new(ErrorKind::Input, "the file ends early or its blocks overlap").with_file(path));
        }
        self.block.1 = left - 1;
        Ok(Some(FrameFacts {
            track: frame.track,
            timestamp_ns: frame.timestamp.saturating_mul(self.scale),
            duration_ns: frame.duration.map(|d| d.saturating_mul(self.scale)),
            keyframe: facts.keyframe,
            discard_padding_ns: facts.discard_padding_ns,
            additional,
            data: std::mem::take(&mut frame.data),
        }))
    }
}

/// A track as the demuxer crate tells it.
fn track_facts(t: &matroska_demuxer::TrackEntry) -> TrackFacts {
    TrackFacts {
        number: t.track_number().get(),
        uid: t.track_uid().get(),
        kind: kind(t.track_type()),
        codec_id: t.codec_id().to_owned(),
        codec_private: t.codec_private().unwrap_or_default().to_vec(),
        language: t.language().map(str::to_owned),
        language_bcp47: t.language_bcp47().map(str::to_owned),
        name: t.name().map(str::to_owned),
        disposition: Disposition {
            default: t.flag_default(),
            forced: t.flag_forced(),
            commentary: t.flag_commentary(),
            original: t.flag_original(),
            hearing_impaired: t.flag_hearing_impaired(),
            visual_impaired: t.flag_visual_impaired(),
            text_descriptions: false,
            disabled: !t.flag_enabled(),
        },
        codec_delay_ns: t.codec_delay().unwrap_or(0),
        seek_pre_roll_ns: t.seek_pre_roll().unwrap_or(0),
        default_duration_ns: t.default_duration().map(Into::into),
        video: t.video().map(video_facts),
        audio: t.audio().map(|a| AudioFacts {
            sample_rate: a.sampling_frequency(),
            channels: a.channels().get(),
            bit_depth: a.bit_depth().map(Into::into),
        }),
    }
}

fn video_facts(v: &matroska_demuxer::Video) -> VideoFacts {
    use matroska_demuxer::{ChromaSitingHorz as H, ChromaSitingVert as V, DisplayUnit, Range};
    let mut color = Color::default();
    if let Some(c) = v.colour() {
        color.primaries = c.primaries().and_then(code).map_or(color.primaries, Primaries);
        color.transfer = c.transfer_characteristics().and_then(code).map_or(color.transfer, Transfer);
        color.matrix = c.matrix_coefficients().and_then(code).map_or(color.matrix, Matrix);
        color.range = match c.range() {
            Some(Range::Broadcast) => ColorRange::Limited,
            Some(Range::Full) => ColorRange::Full,
            _ => ColorRange::Unspecified,
        };
        color.chroma_location = match (c.chroma_sitting_horz(), c.chroma_sitting_vert()) {
            (Some(H::LeftCollated), Some(V::Half)) => ChromaLocation::Left,
            (Some(H::LeftCollated), Some(V::LeftCollated)) => ChromaLocation::TopLeft,
            (Some(H::Half), Some(V::Half)) => ChromaLocation::Center,
            (Some(H::Half), Some(V::LeftCollated)) => ChromaLocation::Top,
            _ => ChromaLocation::Unspecified,
        };
    }
    VideoFacts {
        width: v.pixel_width().get(),
        height: v.pixel_height().get(),
        display: v.display_width().zip(v.display_height()).map(|(w, h)| (w.get(), h.get())),
        display_is_ratio: v.display_unit() == Some(DisplayUnit::DisplayAspectRatio),
        color,
        ..VideoFacts::default()
    }
}

/// The H.273 code point behind one of the crate's enums, by its own table; `None` for its "unknown".
fn code<T: From<u64> + PartialEq>(value: T) -> Option<u8> {
    if value == T::from(u64::MAX) {
        return None;
    }
    (0..=u8::MAX).find(|n| T::from(u64::from(*n)) == value)
}

/// Adds to the tracks what the demuxer crate leaves out.
fn complete(walk: &mut Walk<File>, tracks: &mut [TrackFacts]) -> io::Result<()> {
    let Some(element) = walk.top_level(id::TRACKS)? else { return Ok(()) };
    let entries = walk.children(&element)?.into_iter().filter(|e| e.id == id::TRACK_ENTRY);
    for (entry, track) in entries.zip(tracks) {
        for child in walk.children(&entry)? {
            match child.id {
                id::BLOCK_ADDITION_MAPPING => {
                    if let (Some(video), Some(record)) = (&mut track.video, dolby_vision(walk, &child)?) {
                        video.dolby_vision = Some(record);
                    }
                }
                id::FLAG_TEXT_DESCRIPTIONS => track.disposition.text_descriptions = walk.uint(&child)? == 1,
                id::VIDEO => {
                    if let Some(video) = &mut track.video {
                        complete_video(walk, &child, video)?;
                    }
                }
                _ => {}
            }
        }
    }
    Ok(())
}

fn complete_video(walk: &mut Walk<File>, element: &Element, video: &mut VideoFacts) -> io::Result<()> {
    let (mut cll, mut fall) = (None, None);
    let (mut interlaced, mut order) = (0, 2);
    for child in walk.children(element)? {
        match child.id {
            id::FLAG_INTERLACED => interlaced = walk.uint(&child)?,
            id::FIELD_ORDER => order = walk.uint(&child)?,
            _ => {}
        }
        let inside = if matches!(child.id, id::COLOUR | id::PROJECTION) { walk.children(&child)? } else { Vec::new() };
        for e in inside {
            match e.id {
                id::MAX_CLL => cll = u32::try_from(walk.uint(&e)?).ok(),
                id::MAX_FALL => fall = u32::try_from(walk.uint(&e)?).ok(),
                id::MASTERING_METADATA => video.mastering = mastering(walk, &e)?,
                // Matroska rolls counter-clockwise.
                id::PROJECTION_POSE_ROLL => video.rotation = (-walk.float(&e)?).rem_euclid(360.0),
                _ => {}
            }
        }
    }
    video.field_order = match (interlaced, order) {
        (2, _) => FieldOrder::Progressive,
        (1, 1 | 14) => FieldOrder::TopFirst,
        (1, 6 | 9) => FieldOrder::BottomFirst,
        _ => FieldOrder::Unknown,
    };
    video.content_light = cll.zip(fall).map(|(max_cll, max_fall)| ContentLight { max_cll, max_fall });
    Ok(())
}

/// The record in a mapping of Dolby Vision's kind.
fn dolby_vision(walk: &mut Walk<File>, mapping: &Element) -> io::Result<Option<Vec<u8>>> {
    let (mut kind, mut record) = (0, None);
    for e in walk.children(mapping)? {
        match e.id {
            id::BLOCK_ADD_ID_TYPE => kind = walk.uint(&e)?,
            id::BLOCK_ADD_ID_EXTRA_DATA => record = Some(walk.bytes(&e, 1 << 10)?),
            _ => {}
        }
    }
    Ok(record.filter(|_| kind == u64::from(DVVC)))
}

fn mastering(walk: &mut Walk<File>, element: &Element) -> io::Result<Option<MasteringFacts>> {
    let mut m = MasteringFacts::default();
    let mut found = 0;
    for e in walk.children(element)? {
        let field = match e.id {
            id::PRIMARY_R_CHROMATICITY_X => &mut m.red[0],
            id::PRIMARY_R_CHROMATICITY_Y => &mut m.red[1],
            id::PRIMARY_G_CHROMATICITY_X => &mut m.green[0],
            id::PRIMARY_G_CHROMATICITY_Y => &mut m.green[1],
            id::PRIMARY_B_CHROMATICITY_X => &mut m.blue[0],
            id::PRIMARY_B_CHROMATICITY_Y => &mut m.blue[1],
            id::WHITE_POINT_CHROMATICITY_X => &mut m.white[0],
            id::WHITE_POINT_CHROMATICITY_Y => &mut m.white[1],
            id::LUMINANCE_MAX => &mut m.max_luminance,
            id::LUMINANCE_MIN => &mut m.min_luminance,
            _ => continue,
        };
        *field = walk.float(&e)?;
        found += 1;
    }
    Ok((found == 10).then_some(m))
}

fn attachments(walk: &mut Walk<File>) -> io::Result<Vec<AttachmentFacts>> {
    let mut out = Vec::new();
    let Some(element) = walk.top_level(id::ATTACHMENTS)? else { return Ok(out) };
    for file in walk.children(&element)?.into_iter().filter(|e| e.id == id::ATTACHED_FILE) {
        let mut facts = AttachmentFacts::default();
        for e in walk.children(&file)? {
            match e.id {
                id::FILE_NAME => facts.name = walk.text(&e)?,
                id::FILE_MEDIA_TYPE => facts.mime = walk.text(&e)?,
                id::FILE_DESCRIPTION => facts.description = Some(walk.text(&e)?),
                id::FILE_DATA => facts.bytes = e.end - e.data,
                _ => {}
            }
        }
        out.push(facts);
    }
    Ok(out)
}
