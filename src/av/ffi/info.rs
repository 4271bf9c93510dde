//! Reads a format context into our own nouns.

use std::ptr;

use ffmpeg_next::ffi as sys;

use super::frame::{
    color, content_light, descriptor, format_name, is_full_range_format, layout_name, mastering_display, pixel_format,
    stereo_mode,
};
use super::{rational, raw_enum, span, text, time_base, timestamp};
use crate::base::{Rational, Span, Timestamp};
use crate::media::{
    Attachment, AudioInfo, Chapter, ColorRange, Disposition, DolbyVision, FieldOrder, HdrStatic, MediaInfo,
    Orientation, PixelFormat, StreamInfo, StreamKind, Tag, VideoInfo,
};

pub(super) fn demuxer_name(context: &sys::AVFormatContext) -> String {
    // SAFETY: an open context has a demuxer, whose name is a static string.
    unsafe { context.iformat.as_ref().and_then(|f| text(f.name)) }.unwrap_or_default()
}

pub(super) fn media_info(context: &sys::AVFormatContext, streams: &[&sys::AVStream]) -> MediaInfo {
    let mut tags = dictionary(context.metadata);
    let title = take(&mut tags, "title");
    let duration = span(context.duration, Rational::positive(1, 1_000_000).unwrap_or(Rational::ONE));
    MediaInfo {
        container: demuxer_name(context),
        title,
        // An estimate from the bit rate is no word to hold a file to.
        duration_s: duration.filter(|_| raw_enum!(context.duration_estimation_method) != 2).map(Span::as_secs_f64),
        streams: streams.iter().enumerate().map(|(i, s)| stream_info(i, s)).collect(),
        chapters: chapters(context),
        start: None,
        unread: None,
        attachments: streams.iter().enumerate().filter_map(|(i, s)| attachment(i, s)).collect(),
        tags,
        editions: Vec::new(),
        tag_entries: Vec::new(),
    }
}

fn parameters(stream: &sys::AVStream) -> &sys::AVCodecParameters {
    // SAFETY: every stream of an open context has codec parameters that live as long as it does.
    unsafe { &*stream.codecpar }
}

fn is_cover(stream: &sys::AVStream) -> bool {
    stream.disposition & sys::AV_DISPOSITION_ATTACHED_PIC != 0
}

pub(super) fn kind(stream: &sys::AVStream) -> StreamKind {
    match raw_enum!(parameters(stream).codec_type) {
        0 if is_cover(stream) => StreamKind::Attachment,
        0 => StreamKind::Video,
        1 => StreamKind::Audio,
        3 => StreamKind::Subtitle,
        4 => StreamKind::Attachment,
        _ => StreamKind::Data,
    }
}

fn stream_info(index: usize, stream: &sys::AVStream) -> StreamInfo {
    let base = time_base(stream.time_base);
    let par = parameters(stream);
    let kind = kind(stream);
    let mut tags = dictionary(stream.metadata);
    let start = timestamp(stream.start_time, base);
    let tagged_end = tagged_end(&tags, start);
    let language = take(&mut tags, "language").filter(|l| l != "und" && !l.is_empty());
    let title = take(&mut tags, "title");
    let frames = u64::try_from(stream.nb_frames).ok().filter(|&n| n > 0).or_else(|| {
        let counted = tags.iter().find(|(k, _)| k == "NUMBER_OF_FRAMES" || k.starts_with("NUMBER_OF_FRAMES-"));
        counted.and_then(|(_, v)| v.parse().ok())
    });
    StreamInfo {
        index,
        kind,
        codec: codec_name(par),
        profile: profile(par),
        time_base: base,
        start,
        duration: span(stream.duration, base),
        tagged_end,
        frames,
        language,
        title,
        disposition: disposition(stream.disposition),
        tags,
        extradata: extradata(par).to_vec(),
        bit_rate: u64::try_from(par.bit_rate).ok().filter(|&b| b > 0),
        uid: None,
        alternate_group: None,
        holds_chapters: false,
        video: (kind == StreamKind::Video).then(|| video_info(stream, par)),
        audio: (kind == StreamKind::Audio).then(|| audio_info(par)),
    }
}

fn codec_name(par: &sys::AVCodecParameters) -> String {
    if raw_enum!(par.codec_id) == 0 {
        return "unknown".to_owned();
    }
    // SAFETY: the id was set by this libavcodec; the name is a static string.
    unsafe { text(sys::avcodec_get_name(par.codec_id)) }.unwrap_or_else(|| "unknown".to_owned())
}

fn profile(par: &sys::AVCodecParameters) -> Option<String> {
    // SAFETY: as above; an unknown profile gives null.
    unsafe { text(sys::avcodec_profile_name(par.codec_id, par.profile)) }
}

fn extradata(par: &sys::AVCodecParameters) -> &[u8] {
    match (par.extradata.is_null(), usize::try_from(par.extradata_size)) {
        // SAFETY: libavcodec guarantees `extradata_size` bytes.
        (false, Ok(size)) => unsafe { std::slice::from_raw_parts(par.extradata, size) },
        _ => &[],
    }
}

fn video_info(stream: &sys::AVStream, par: &sys::AVCodecParameters) -> VideoInfo {
    let subsampling = match pixel_format(par.format) {
        PixelFormat::Planar { subsampling, .. } => Some(subsampling),
        PixelFormat::Other(_) => None,
    };
    let mut color = color(
        raw_enum!(par.color_primaries),
        raw_enum!(par.color_trc),
        raw_enum!(par.color_space),
        raw_enum!(par.color_range),
        raw_enum!(par.chroma_location),
    );
    if color.range == ColorRange::Unspecified && is_full_range_format(par.format) {
        color.range = ColorRange::Full;
    }
    // SAFETY: a valid stream; the frame may be null. The context argument is unused since FFmpeg 4 but must
    // be passed; null is accepted.
    let guessed =
        unsafe { sys::av_guess_frame_rate(ptr::null_mut(), ptr::from_ref(stream).cast_mut(), ptr::null_mut()) };
    let aspect = rational(stream.sample_aspect_ratio)
        .filter(|r| r.num() > 0)
        .or_else(|| rational(par.sample_aspect_ratio).filter(|r| r.num() > 0));
    let Orientation { flip, rotation } = side_data(stream, sys::AVPacketSideDataType::AV_PKT_DATA_DISPLAYMATRIX)
        .and_then(super::frame::display_matrix)
        .map(Orientation::of_matrix)
        .unwrap_or_default();
    VideoInfo {
        width: par.width.max(0) as u32,
        height: par.height.max(0) as u32,
        pixel_format: format_name(par.format),
        bit_depth: descriptor(par.format).map_or(8, |d| d.comp[0].depth.clamp(1, 32) as u8),
        subsampling,
        sample_aspect_ratio: aspect,
        aspect_by_container: rational(stream.sample_aspect_ratio).is_some_and(|r| r.num() > 0),
        frame_rate: [stream.avg_frame_rate, guessed].into_iter().filter_map(rational).find(|r| plausible(*r)),
        frame_duration: constant_frame_duration(stream),
        color,
        hdr: HdrStatic {
            mastering_display: side_data(stream, sys::AVPacketSideDataType::AV_PKT_DATA_MASTERING_DISPLAY_METADATA)
                .and_then(mastering_display),
            content_light: side_data(stream, sys::AVPacketSideDataType::AV_PKT_DATA_CONTENT_LIGHT_LEVEL)
                .and_then(content_light),
        },
        dolby_vision: side_data(stream, sys::AVPacketSideDataType::AV_PKT_DATA_DOVI_CONF)
            .and_then(DolbyVision::from_record_fields),
        field_order: match raw_enum!(par.field_order) {
            1 => FieldOrder::Progressive,
            2 | 5 => FieldOrder::TopFirst,
            3 | 4 => FieldOrder::BottomFirst,
            _ => FieldOrder::Unknown,
        },
        rotation,
        flip,
        pixel_crop: Default::default(),
        stereo_mode: side_data(stream, sys::AVPacketSideDataType::AV_PKT_DATA_STEREO3D).map_or(0, stereo_mode),
        alpha: descriptor(par.format).is_some_and(|d| d.flags & sys::AV_PIX_FMT_FLAG_ALPHA as u64 != 0),
    }
}

/// Files with variable frame rate claim rates such as 90000 or 1000 frames a second.
fn plausible(rate: Rational) -> bool {
    rate.num() > 0 && rate.as_f64() <= 240.0
}

/// Where average and base frame rate agree, frames are evenly spaced as far as the container knows.
fn constant_frame_duration(stream: &sys::AVStream) -> Option<Rational> {
    let (average, base) = (rational(stream.avg_frame_rate)?, rational(stream.r_frame_rate)?);
    let equal = i64::from(average.num()) * i64::from(base.den()) == i64::from(base.num()) * i64::from(average.den());
    if equal && average.num() > 0 { average.inverse() } else { None }
}

/// When a stream ends by its `DURATION` tag. FFmpeg's muxer writes the time of the end, mkvmerge, which names itself in
/// the tags, how long the stream is.
fn tagged_end(tags: &[Tag], start: Option<Timestamp>) -> Option<Timestamp> {
    let find = |name: &str| tags.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str());
    let ns = nanoseconds(find("DURATION")?)?;
    let time = Timestamp::new(ns, Rational::NANO);
    match (find("_STATISTICS_WRITING_APP"), start) {
        (Some(_), Some(start)) => Some(time.plus(Span::new(start.as_nanos(), Rational::NANO))),
        _ => Some(time),
    }
}

/// Of `HH:MM:SS.nnnnnnnnn`.
fn nanoseconds(text: &str) -> Option<i64> {
    let mut parts = text.trim().split(':');
    let (hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next()?);
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<i64>().ok()).flatten();
    let fraction = digits(format!("{fraction:0<9}").get(..9)?)?;
    let seconds = digits(hours)?.checked_mul(3600)?.checked_add(digits(minutes)?.checked_mul(60)?)?;
    let whole = seconds.checked_add(digits(whole)?)?;
    whole.checked_mul(1_000_000_000)?.checked_add(fraction).filter(|_| parts.next().is_none())
}

fn audio_info(par: &sys::AVCodecParameters) -> AudioInfo {
    // SAFETY: the layout belongs to valid parameters.
    let layout = unsafe { layout_name(&par.ch_layout) };
    AudioInfo {
        channels: par.ch_layout.nb_channels.max(0) as u32,
        layout,
        sample_rate: par.sample_rate.max(0) as u32,
        initial_padding: u32::try_from(par.initial_padding).unwrap_or(0),
        bits: u8::try_from(par.bits_per_raw_sample.max(par.bits_per_coded_sample)).ok().filter(|&b| b > 0),
    }
}

fn disposition(flags: i32) -> Disposition {
    let has = |flag: i32| flags & flag != 0;
    Disposition {
        default: has(sys::AV_DISPOSITION_DEFAULT),
        forced: has(sys::AV_DISPOSITION_FORCED),
        commentary: has(sys::AV_DISPOSITION_COMMENT),
        original: has(sys::AV_DISPOSITION_ORIGINAL),
        hearing_impaired: has(sys::AV_DISPOSITION_HEARING_IMPAIRED),
        visual_impaired: has(sys::AV_DISPOSITION_VISUAL_IMPAIRED),
        text_descriptions: has(sys::AV_DISPOSITION_DESCRIPTIONS),
        disabled: false,
    }
}

/// Side data of the stream as a whole.
fn side_data(stream: &sys::AVStream, kind: sys::AVPacketSideDataType) -> Option<&[u8]> {
    #[cfg(ffmpeg_6_1)]
    {
        let par = parameters(stream);
        // SAFETY: the array belongs to valid parameters; the answer lives as long as the stream.
        unsafe {
            let found = sys::av_packet_side_data_get(par.coded_side_data, par.nb_coded_side_data, kind);
            found.as_ref().map(|s| std::slice::from_raw_parts(s.data, s.size as usize))
        }
    }
    #[cfg(not(ffmpeg_6_1))]
    {
        let mut size = 0usize;
        // SAFETY: a valid stream; the answer is null or `size` bytes that live as long as the stream.
        unsafe {
            let data = sys::av_stream_get_side_data(stream, kind, &mut size);
            (!data.is_null()).then(|| std::slice::from_raw_parts(data, size))
        }
    }
}

fn attachment(index: usize, stream: &sys::AVStream) -> Option<Attachment> {
    if kind(stream) != StreamKind::Attachment {
        return None;
    }
    let tags = dictionary(stream.metadata);
    let find = |name: &str| tags.iter().find(|(k, _)| k.eq_ignore_ascii_case(name)).map(|(_, v)| v.clone());
    let par = parameters(stream);
    let data = if is_cover(stream) {
        let packet = &stream.attached_pic;
        match (packet.data.is_null(), usize::try_from(packet.size)) {
            // SAFETY: the attached picture's packet is owned by the stream.
            (false, Ok(size)) => unsafe { std::slice::from_raw_parts(packet.data, size) }.to_vec(),
            _ => Vec::new(),
        }
    } else {
        extradata(par).to_vec()
    };
    let codec = codec_name(par);
    let (suffix, guessed) = match codec.as_str() {
        "mjpeg" => ("jpg", "image/jpeg"),
        "png" => ("png", "image/png"),
        "webp" => ("webp", "image/webp"),
        "gif" => ("gif", "image/gif"),
        "bmp" => ("bmp", "image/bmp"),
        "ttf" => ("ttf", "font/ttf"),
        "otf" => ("otf", "font/otf"),
        "text" => ("txt", "text/plain"),
        _ => ("bin", "application/octet-stream"),
    };
    let base = if is_cover(stream) { "cover".to_owned() } else { format!("attachment-{index}") };
    Some(Attachment {
        stream: index,
        name: find("filename").unwrap_or_else(|| format!("{base}.{suffix}")),
        mime: find("mimetype").unwrap_or_else(|| guessed.to_owned()),
        description: find("title"),
        uid: None,
        data,
    })
}

fn chapters(context: &sys::AVFormatContext) -> Vec<Chapter> {
    (0..context.nb_chapters as usize)
        .map(|i| {
            // SAFETY: `chapters` holds `nb_chapters` valid pointers.
            let c = unsafe { &**context.chapters.add(i) };
            let base = time_base(c.time_base);
            let mut tags = dictionary(c.metadata);
            let start = Timestamp::new(c.start, base);
            Chapter {
                start,
                end: timestamp(c.end, base).unwrap_or(start),
                title: take(&mut tags, "title"),
                language: take(&mut tags, "language"),
            }
        })
        .collect()
}

fn dictionary(dictionary: *const sys::AVDictionary) -> Vec<Tag> {
    let mut tags = Vec::new();
    let mut entry: *const sys::AVDictionaryEntry = ptr::null();
    loop {
        // SAFETY: null dictionaries are allowed; entries are terminated strings owned by the dictionary,
        // which nobody changes while we iterate.
        unsafe {
            entry = sys::av_dict_get(dictionary, c"".as_ptr(), entry, sys::AV_DICT_IGNORE_SUFFIX);
            let Some(e) = entry.as_ref() else { return tags };
            if let (Some(key), Some(value)) = (text(e.key), text(e.value)) {
                tags.push((key, value));
            }
        }
    }
}

/// Takes the value of `name` out of `tags`.
fn take(tags: &mut Vec<Tag>, name: &str) -> Option<String> {
    let at = tags.iter().position(|(k, _)| k.eq_ignore_ascii_case(name))?;
    Some(tags.remove(at).1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_in_tags_are_read_and_nonsense_is_none() {
        assert_eq!(nanoseconds("00:00:07.500000000"), Some(7_500_000_000));
        assert_eq!(nanoseconds("01:02:03.5"), Some(3_723_500_000_000));
        assert_eq!(nanoseconds("00:00:01"), Some(1_000_000_000));
        for text in ["", "1.5", "00:00:0x", "00:-1:00", "99999999999999999:00:00", "0:0:0:0", "00:00:01.\u{e9}"] {
            assert_eq!(nanoseconds(text), None, "{text}");
        }
        let tag = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let ffmpeg = [tag("DURATION", "00:00:03.000000000")];
        let mkvmerge = [tag("DURATION", "00:00:03.000000000"), tag("_STATISTICS_WRITING_APP", "mkvmerge v74")];
        let start = Some(Timestamp::new(500, Rational::MILLI));
        assert_eq!(tagged_end(&ffmpeg, start).map(Timestamp::as_nanos), Some(3_000_000_000));
        assert_eq!(tagged_end(&mkvmerge, start).map(Timestamp::as_nanos), Some(3_500_000_000));
    }
}
