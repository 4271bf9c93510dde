//! What Matroska alone says of a film: editions, names in several languages, nested tags with their targets.
//!
//! Plain data under the names of RFC 9559 §5.1.4 (tracks), §5.1.7 (chapters) and §5.1.8 (tags). Other containers leave it
//! empty, but for editions where chapters come from several tracks.
#![deny(unsafe_code)]

use serde::Serialize;

use super::Rect;
use crate::base::Span;

/// One way through the chapters (EditionEntry).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Edition {
    /// EditionUID, by which tags name it.
    pub uid: u64,
    /// Not shown to the user.
    pub hidden: bool,
    /// The one to play from.
    pub default: bool,
    /// Its chapters are played in their order.
    pub ordered: bool,
    /// Its chapters, in order.
    pub chapters: Vec<ChapterAtom>,
    /// Further elements (its names), by id, as they are.
    #[serde(skip)]
    pub others: Vec<(u32, Vec<u8>)>,
}

/// A chapter of an edition, with those inside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChapterAtom {
    /// ChapterUID, by which tags name it.
    pub uid: u64,
    /// ChapterStringUID.
    pub string_uid: Option<String>,
    /// Start in nanoseconds.
    pub start_ns: u64,
    /// End in nanoseconds.
    pub end_ns: Option<u64>,
    /// Not shown to the user.
    pub hidden: bool,
    /// Played.
    pub enabled: bool,
    /// Its names.
    pub displays: Vec<ChapterDisplay>,
    /// Chapters inside it.
    pub children: Vec<ChapterAtom>,
    /// Tracks it is about: their UIDs in a source, their numbers from 0 on in a file that is to be written.
    #[serde(skip)]
    pub tracks: Vec<u64>,
    /// Further elements (other segments, menu commands), by id, as they are.
    #[serde(skip)]
    pub others: Vec<(u32, Vec<u8>)>,
}

/// A name of a chapter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ChapterDisplay {
    /// The name.
    pub text: String,
    /// ISO 639-2 codes of its languages.
    pub languages: Vec<String>,
    /// BCP 47 tags of its languages.
    pub languages_bcp47: Vec<String>,
    /// Countries.
    pub countries: Vec<String>,
}

/// Tags and what they are about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TagEntry {
    /// What they are about.
    pub targets: TagTargets,
    /// The tags.
    pub tags: Vec<SimpleTag>,
}

/// What tags are about; the whole film where nothing is named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TagTargets {
    /// TargetTypeValue: 50 a film, 70 a series.
    pub level: Option<u64>,
    /// TargetType: the level in words.
    pub level_name: Option<String>,
    /// Tracks: their UIDs in a source, their numbers from 0 on in a file that is to be written.
    pub tracks: Vec<u64>,
    /// EditionUIDs.
    pub editions: Vec<u64>,
    /// ChapterUIDs.
    pub chapters: Vec<u64>,
    /// FileUIDs of attachments.
    pub attachments: Vec<u64>,
}

/// A name and a value, with tags of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SimpleTag {
    /// Name.
    pub name: String,
    /// ISO 639-2 code of the value's language.
    pub language: Option<String>,
    /// BCP 47 tag of the value's language.
    pub language_bcp47: Option<String>,
    /// Whether it is the original of several languages.
    pub default: bool,
    /// The value as text.
    pub value: Option<String>,
    /// The value as bytes.
    pub binary: Option<Vec<u8>>,
    /// Tags inside it.
    pub children: Vec<SimpleTag>,
}

/// Samples at the edges of a picture that are not to be shown (PixelCrop elements).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PixelCrop {
    /// Columns.
    pub left: u32,
    /// Rows.
    pub top: u32,
    /// Columns.
    pub right: u32,
    /// Rows.
    pub bottom: u32,
}

impl PixelCrop {
    /// What is shown of a picture of this size, of even place and size within what is not hidden: 4:2:0 has no half chroma
    /// samples. The whole picture where nothing would be left.
    pub fn shown(self, width: u32, height: u32) -> Rect {
        let part = |before: u32, after: u32, all: u32| {
            let start = before.checked_next_multiple_of(2)?;
            let length = all.checked_sub(start)?.checked_sub(after)? & !1;
            (length > 0).then_some((start, length))
        };
        match (part(self.left, self.right, width), part(self.top, self.bottom, height)) {
            (Some((x, width)), Some((y, height))) => Rect { x, y, width, height },
            _ => Rect::whole(width, height).even(),
        }
    }
}

/// What the elements of a Matroska source say of one track.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrackElements {
    /// TrackUID.
    pub uid: u64,
    /// TrackType.
    pub track_type: u64,
    /// CodecID.
    pub codec_id: String,
    /// Language.
    pub language: Option<String>,
    /// LanguageBCP47.
    pub language_bcp47: Option<String>,
    /// FlagEnabled is 0.
    pub disabled: bool,
    /// PixelCrop elements.
    pub pixel_crop: PixelCrop,
    /// StereoMode.
    pub stereo_mode: u8,
    /// AlphaMode is 1.
    pub alpha: bool,
    /// PixelWidth and PixelHeight.
    pub size: (u32, u32),
    /// DisplayWidth and DisplayHeight, where both are there and DisplayUnit gives them a meaning.
    pub display: Option<(u32, u32)>,
}

/// The elements of a Matroska source's Segment that describe it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SegmentElements {
    /// Title in Info.
    pub title: Option<String>,
    /// Tracks, in order.
    pub tracks: Vec<TrackElements>,
    /// Editions, in order.
    pub editions: Vec<Edition>,
    /// Tags, in order.
    pub tags: Vec<TagEntry>,
    /// FileUIDs of the attachments, in order.
    pub attachments: Vec<u64>,
}

impl Edition {
    /// The same, all of it later.
    pub fn later(&mut self, by: Span) {
        self.chapters.iter_mut().for_each(|chapter| chapter.later(by));
    }
}

impl ChapterAtom {
    fn later(&mut self, by: Span) {
        self.start_ns = self.start_ns.saturating_add_signed(by.as_nanos());
        self.end_ns = self.end_ns.map(|end| end.saturating_add_signed(by.as_nanos()));
        self.children.iter_mut().for_each(|chapter| chapter.later(by));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_edges_are_hidden_also_where_they_are_odd() {
        let of = |left, top, right, bottom| PixelCrop { left, top, right, bottom }.shown(320, 180).to_string();
        assert_eq!(of(16, 20, 16, 20), "288:140:16:20");
        assert_eq!(of(15, 0, 0, 3), "304:176:16:0");
        assert_eq!(of(400, 0, 0, 0), "320:180:0:0");
        assert_eq!(of(u32::MAX, u32::MAX, u32::MAX, 0), "320:180:0:0");
    }
}
