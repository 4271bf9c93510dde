//! What MP4 says of a film beyond what libavformat tells: plain data under the names of ISO/IEC 14496-12.
#![deny(unsafe_code)]

use super::Chapter;

/// What the boxes of an MP4 source say of one track (`trak`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrackBoxes {
    /// Track id.
    pub id: u32,
    /// Handler type, such as `vide` or `soun`.
    pub handler: [u8; 4],
    /// Tracks of one group, other than 0, are played one for another.
    pub alternate_group: u16,
    /// ISO 639-2 code of the media header.
    pub language: Option<String>,
    /// BCP 47 tag (`elng`).
    pub extended_language: Option<String>,
    /// Its name.
    pub title: Option<String>,
}

/// A track that others refer to for their chapters (`tref`, `chap`).
#[derive(Clone, Debug, PartialEq)]
pub struct ChapterTrack {
    /// Track id.
    pub track: u32,
    /// Its chapters, in its language; empty where it holds no names.
    pub chapters: Vec<Chapter>,
}

/// The boxes of an MP4 source's index that describe it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MovieBoxes {
    /// The first title in the movie's user data.
    pub title: Option<String>,
    /// Texts of the movie that are there in several languages: FFmpeg's name, ISO 639-2 code, text.
    pub texts: Vec<(String, String, String)>,
    /// Tracks, in order.
    pub tracks: Vec<TrackBoxes>,
    /// The tracks that hold chapters, in the order in which they are referred to.
    pub chapters: Vec<ChapterTrack>,
}
