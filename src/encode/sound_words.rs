//! What a file of sound says of itself: title, tags, cover, chapters of its source.

use crate::base::{Rational, Timestamp};
use crate::container::sound_file::{SoundFormat, cover, plain_tags, sound_tags};
use crate::media::{
    Attachment, AudioTrackParams, Chapter, FileParams, MediaInfo, StreamInfo, Tag, TrackKind, TrackParams,
};

/// Tags of a stream that are about what is heard: Ogg files have them there.
const OF_STREAM: [&str; 13] = [
    "artist",
    "album",
    "album_artist",
    "albumartist",
    "date",
    "genre",
    "track",
    "tracknumber",
    "disc",
    "discnumber",
    "composer",
    "comment",
    "copyright",
];

/// What a file of sound says of itself.
#[derive(Clone, Debug, Default)]
pub(super) struct SoundWords {
    pub(super) title: Option<String>,
    pub(super) tags: Vec<Tag>,
    pub(super) cover: Option<Attachment>,
    chapters: Vec<Chapter>,
    language: Option<String>,
    /// What wrote it, where that has a name of its own.
    app: String,
}

/// The words of the source's `stream` that `format` has a place for.
pub(super) fn words_of(info: &MediaInfo, stream: &StreamInfo, format: SoundFormat) -> SoundWords {
    if format.is_bare() {
        return SoundWords::default();
    }
    let text = |text: &Option<String>| text.as_ref().map(|t| t.replace('\0', "")).filter(|t| !t.is_empty());
    let of_stream = stream.tags.iter().filter(|(name, _)| OF_STREAM.contains(&name.to_lowercase().as_str()));
    let nested = plain_tags(&info.tag_entries);
    SoundWords {
        title: text(&info.title).or_else(|| text(&stream.title)),
        tags: sound_tags(info.tags.iter().chain(&nested).chain(of_stream)),
        cover: cover(&info.attachments).filter(|_| format.holds_cover()).cloned(),
        chapters: info.chapters.clone(),
        language: stream.language.clone(),
        // Elsewhere it would stand among the tags as one more.
        app: if format == SoundFormat::M4a { format!("drapto {}", env!("CARGO_PKG_VERSION")) } else { String::new() },
    }
}

impl SoundWords {
    /// The chapters of a file that begins at `zero`.
    pub(super) fn chapters_from(&self, zero: Timestamp) -> Vec<Chapter> {
        let moved = |time: Timestamp| Timestamp::new((time.as_nanos() - zero.as_nanos()).max(0), Rational::NANO);
        let chapters = self.chapters.iter().map(|c| Chapter { start: moved(c.start), end: moved(c.end), ..c.clone() });
        chapters.filter(|chapter| chapter.end.ticks() > 0).collect()
    }

    /// The description of a file of `track` that begins at `zero`.
    pub(super) fn params(&self, track: AudioTrackParams, zero: Timestamp) -> FileParams {
        let mut track = TrackParams::new(TrackKind::Audio(track));
        track.language.clone_from(&self.language);
        track.disposition.default = true;
        FileParams {
            title: self.title.clone(),
            muxing_app: self.app.clone(),
            writing_app: self.app.clone(),
            tracks: vec![track],
            chapters: self.chapters_from(zero),
            attachments: self.cover.clone().into_iter().collect(),
            tags: self.tags.clone(),
            ..FileParams::default()
        }
    }
}
