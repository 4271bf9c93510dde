//! What a written file says of itself, for those who did not write it: also how its picture was made of its source's.
#![deny(unsafe_code)]

use std::path::Path;

use super::probe;
use crate::base::{CancelToken, ErrorKind, Result, Timestamp};
use crate::container::Format;
use crate::container::codec::{sound_codec, video_codec};
use crate::container::mp4::reader::Mp4Reader;
use crate::container::provenance::Provenance;
use crate::container::reader::Reader;
use crate::container::tags::CROP;
use crate::media::{
    Color, Crop, Deinterlace, DolbyVisionMode, FieldOrder, MatrixChange, PictureSettings, Rect, Scale, StreamInfo,
    StreamKind, Tag, ToneCurve, ToneMapping, VideoInfo,
};
use crate::plan::{PicturePlan, SourceFacts};

/// The codecs that outputs are made of; what is another's is to be AV1, and found not to be.
const CODECS: [&str; 3] = ["av1", "h264", "hevc"];

/// What is to be known of an output before it is compared. What cannot be read says nothing: that is found out later.
#[derive(Debug)]
pub(crate) struct OutputFacts {
    pub(crate) format: Format,
    /// FFmpeg's name of the codec of its picture.
    pub(crate) codec: &'static str,
    pub(crate) size: Option<(u32, u32)>,
    /// `None` where there is no picture.
    pub(crate) dolby_vision: Option<bool>,
    pub(crate) field_order: FieldOrder,
    /// What its container says of its colour.
    pub(crate) color: Color,
    /// The part of the source's picture that it says it shows.
    pub(crate) crop: Option<Rect>,
    /// What it says of how it was made.
    pub(crate) provenance: Vec<Tag>,
    /// FFmpeg's names of the codecs of its sound, in order; of what is not known Matroska's name.
    pub(crate) sound: Vec<String>,
}

impl OutputFacts {
    pub(crate) fn of(output: &Path, cancel: &CancelToken) -> Self {
        let format = Format::of_content(output).unwrap_or_else(|| Format::of_name(output));
        match format {
            Format::Mp4 | Format::MpegTs => Self::of_streams(output, format, cancel),
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
            color: Color::default(),
            crop: None,
            provenance: Vec::new(),
            sound: Vec::new(),
        }
    }

    fn of_matroska(output: &Path, format: Format) -> Self {
        let nothing = Self::nothing(format);
        let Ok(reader) = Reader::open(output) else { return nothing };
        let sound = reader.tracks().iter().filter(|t| t.kind == Some(StreamKind::Audio));
        let sound = sound.map(|t| sound_codec(&t.codec_id).map_or_else(|| t.codec_id.clone(), str::to_owned)).collect();
        let found = reader.tracks().iter().find_map(|t| Some((t, t.video.as_ref()?)));
        let Some((track, video)) = found else { return OutputFacts { sound, ..nothing } };
        let size = |number: u64| u32::try_from(number).ok();
        let crop = reader.tags(Some(track.uid)).into_iter().find(|(name, _)| name == CROP);
        OutputFacts {
            codec: codec(video_codec(&track.codec_id)),
            size: size(video.width).zip(size(video.height)),
            dolby_vision: Some(video.dolby_vision.is_some()),
            field_order: video.field_order,
            color: video.color,
            crop: crop.and_then(|(_, value)| value.parse().ok()),
            provenance: Provenance::among(&reader.tags(Some(track.uid))),
            sound,
            ..nothing
        }
    }

    fn of_streams(output: &Path, format: Format, cancel: &CancelToken) -> Self {
        let nothing = Self::nothing(format);
        let Ok(info) = probe(output, cancel) else { return nothing };
        let sound = info.streams.iter().filter(|s| s.kind == StreamKind::Audio).map(|s| s.codec.clone()).collect();
        let found =
            info.streams.iter().find_map(|s| Some((s, s.video.as_ref().filter(|_| s.kind == StreamKind::Video)?)));
        let Some((stream, video)) = found else { return OutputFacts { sound, ..nothing } };
        OutputFacts {
            codec: codec(Some(stream.codec.as_str())),
            size: Some((video.width, video.height)),
            dolby_vision: Some(video.dolby_vision.is_some()),
            field_order: video.field_order,
            color: video.color,
            sound,
            ..nothing
        }
    }

    /// When the first picture is shown, in nanoseconds; `None` where nobody can tell, as of transport streams, whose clock begins
    /// anywhere.
    pub(crate) fn first_picture_ns(&self, output: &Path) -> Option<i64> {
        if self.format == Format::MpegTs {
            return None;
        }
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

/// What was done to the picture, as far as the output tells: how it was cropped by its tag, or where that is missing by
/// its size, whether it was scaled by its size, whether Dolby Vision was carried by its record.
///
/// Of a file that says neither, size and fields are those of `shown`. Tone mapping and the matrix of another size are told by its
/// colour: others scale without changing that.
///
/// # Errors
/// As [`PicturePlan::new`].
pub(crate) fn plan_told_by(
    output: &OutputFacts,
    shown: Option<&VideoInfo>,
    facts: &SourceFacts,
    main: &StreamInfo,
) -> Result<PicturePlan> {
    let mut plan = plan_by_size(output, shown, facts, main)?;
    let followed = |change: MatrixChange| {
        let matrix = output.color.matrix;
        matrix.is_specified() && matrix.is_bt601() == change.to.is_bt601()
    };
    if plan.treatment.matrix.is_some_and(|change| !followed(change)) {
        plan.treatment.matrix = None;
        if let Some((video, source)) = plan.stream.video.as_mut().zip(main.video.as_ref()) {
            video.color = source.color;
        }
    }
    Ok(plan)
}

/// The curve by which HDR was made SDR, where a file is of the colour that comes of it; where it does not say which, the first.
fn tonemap(output: &OutputFacts, facts: &SourceFacts) -> Option<ToneCurve> {
    let (found, result) = (output.color, ToneMapping::RESULT);
    let mapped = facts.first.color.transfer.is_hdr()
        && (found.primaries, found.transfer, found.matrix) == (result.primaries, result.transfer, result.matrix);
    let said = Provenance::read(&output.provenance).and_then(|said| said.settings).unwrap_or_default();
    let named = |curve: &ToneCurve| said.split(':').any(|part| part.strip_prefix("tonemap=") == Some(curve.name()));
    mapped.then(|| ToneCurve::ALL.into_iter().find(named).unwrap_or(ToneCurve::ALL[0]))
}

fn plan_by_size(
    output: &OutputFacts,
    shown: Option<&VideoInfo>,
    facts: &SourceFacts,
    main: &StreamInfo,
) -> Result<PicturePlan> {
    let mut wanted = PictureSettings { tonemap: tonemap(output, facts), ..PictureSettings::default() };
    if output.dolby_vision == Some(false) {
        wanted.dolby_vision = DolbyVisionMode::Strip;
    }
    // Where the file says nothing of its size, it says nothing of its fields.
    let fields = if output.size.is_some() { Some(output.field_order) } else { shown.map(|v| v.field_order) };
    if matches!(fields, Some(FieldOrder::TopFirst | FieldOrder::BottomFirst)) {
        wanted.deinterlace = Deinterlace::Off;
    }
    let size = output.size.or(shown.map(|v| (v.width, v.height)));
    if let Some(crop) = output.crop {
        wanted.crop = Crop::Rect(crop);
    }
    let cropped = match PicturePlan::new(facts, main, &wanted) {
        // Of another film, then: the output is judged as one that says nothing.
        Err(error) if error.kind() == ErrorKind::Usage => {
            wanted.crop = Crop::Auto;
            PicturePlan::new(facts, main, &wanted)?
        }
        plan => plan?,
    };
    let tagged = wanted.crop;
    let Some(size) = size.filter(|size| *size != cropped.treatment.size()) else { return Ok(cropped) };
    wanted.crop = Crop::Off;
    let whole = PicturePlan::new(facts, main, &wanted)?;
    if size == whole.treatment.size() {
        return Ok(whole);
    }
    // Scaled, then: what of it, its shape tells.
    wanted.scale = Some(Scale::Size(size.0, size.1));
    let shape = |(width, height): (u32, u32)| f64::from(width) / f64::from(height.max(1));
    let off = |plan: &PicturePlan| (shape(plan.treatment.size()) / shape(size)).ln().abs();
    if off(&cropped) < off(&whole) {
        wanted.crop = tagged;
    }
    PicturePlan::new(facts, main, &wanted)
}
