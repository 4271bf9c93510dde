//! What an output says of itself, for those who did not write it.
#![deny(unsafe_code)]

use std::path::Path;

use super::provenance::provenance_tags;
use crate::analyze::probe;
use crate::base::{CancelToken, Timestamp};
use crate::container::Format;
use crate::container::codec::video_codec;
use crate::container::mp4::reader::Mp4Reader;
use crate::container::reader::Reader;
use crate::container::tags::CROP;
use crate::media::{FieldOrder, Rect, StreamKind, Tag};

/// The codecs that outputs are made of; what is another's is to be AV1, and found not to be.
const CODECS: [&str; 3] = ["av1", "h264", "hevc"];

/// What is to be known of an output before it is compared. What cannot be read says nothing: that is found out later.
#[derive(Debug)]
pub(super) struct OutputFacts {
    pub(super) format: Format,
    /// FFmpeg's name of the codec of its picture.
    pub(super) codec: &'static str,
    pub(super) size: Option<(u32, u32)>,
    /// `None` where there is no picture.
    pub(super) dolby_vision: Option<bool>,
    pub(super) field_order: FieldOrder,
    /// The part of the source's picture that it says it shows.
    pub(super) crop: Option<Rect>,
    /// What it says of how it was made.
    pub(super) provenance: Vec<Tag>,
    /// Whether all of its sound is Opus.
    pub(super) opus_alone: bool,
}

impl OutputFacts {
    pub(super) fn of(output: &Path, cancel: &CancelToken) -> Self {
        let format = Format::of_content(output).unwrap_or_else(|| Format::of_name(output));
        match format {
            Format::Mp4 => Self::of_mp4(output, cancel),
            _ => Self::of_matroska(output, format),
        }
    }

    fn nothing(format: Format) -> Self {
        OutputFacts {
            format,
            codec: CODECS[0],
            size: None,
            dolby_vision: None,
            field_order: FieldOrder::Unknown,
            crop: None,
            provenance: Vec::new(),
            opus_alone: true,
        }
    }

    fn of_matroska(output: &Path, format: Format) -> Self {
        let nothing = Self::nothing(format);
        let Ok(reader) = Reader::open(output) else { return nothing };
        let is_sound = |kind: Option<StreamKind>| kind == Some(StreamKind::Audio);
        let opus_alone = reader.tracks().iter().all(|t| !is_sound(t.kind) || t.codec_id == "A_OPUS");
        let found = reader.tracks().iter().find_map(|t| Some((t, t.video.as_ref()?)));
        let Some((track, video)) = found else { return OutputFacts { opus_alone, ..nothing } };
        let size = |number: u64| u32::try_from(number).ok();
        let crop = reader.tags(Some(track.uid)).into_iter().find(|(name, _)| name == CROP);
        OutputFacts {
            codec: codec(video_codec(&track.codec_id)),
            size: size(video.width).zip(size(video.height)),
            dolby_vision: Some(video.dolby_vision.is_some()),
            field_order: video.field_order,
            crop: crop.and_then(|(_, value)| value.parse().ok()),
            provenance: provenance_tags(&reader),
            opus_alone,
            ..nothing
        }
    }

    fn of_mp4(output: &Path, cancel: &CancelToken) -> Self {
        let nothing = Self::nothing(Format::Mp4);
        let Ok(info) = probe(output, cancel) else { return nothing };
        let opus_alone = info.streams.iter().all(|s| s.kind != StreamKind::Audio || s.codec == "opus");
        let found =
            info.streams.iter().find_map(|s| Some((s, s.video.as_ref().filter(|_| s.kind == StreamKind::Video)?)));
        let Some((stream, video)) = found else { return OutputFacts { opus_alone, ..nothing } };
        OutputFacts {
            codec: codec(Some(stream.codec.as_str())),
            size: Some((video.width, video.height)),
            dolby_vision: Some(video.dolby_vision.is_some()),
            field_order: video.field_order,
            opus_alone,
            ..nothing
        }
    }

    /// When the first picture is shown, in nanoseconds.
    pub(super) fn first_picture_ns(&self, output: &Path) -> Option<i64> {
        if self.format == Format::Mp4 {
            let reader = Mp4Reader::open(output).ok()?;
            let video = reader.tracks().iter().find(|t| t.kind == Some(StreamKind::Video))?;
            return video
                .samples
                .iter()
                .map(|s| s.pts)
                .min()
                .map(|pts| Timestamp::new(pts, video.time_base).as_nanos());
        }
        let mut reader = Reader::open(output).ok()?;
        let video = reader.tracks().iter().find(|t| t.video.is_some())?.number;
        loop {
            let frame = reader.next_frame().ok()??;
            if frame.track == video {
                return i64::try_from(frame.timestamp_ns).ok();
            }
        }
    }
}

fn codec(found: Option<&str>) -> &'static str {
    CODECS.iter().copied().find(|codec| Some(*codec) == found).unwrap_or(CODECS[0])
}
