//! What libavformat's muxers are told of a track and of chapters.

use std::ffi::{CStr, CString, c_int, c_void};
use std::ptr;

use ffmpeg_next::ffi as sys;

use super::out_of_memory;
use crate::base::{Error, ErrorKind, Rational, Result, Rounding};
use crate::media::{
    AudioTrackParams, Chapter, Disposition, FieldOrder, MasteringDisplay, TrackCodec, TrackKind, TrackParams,
    VideoTrackParams,
};

/// MPEG's own clock, for video whose time base is not known.
const FALLBACK_BASE: (c_int, c_int) = (1, 90_000);
/// Finer bases than this make sample durations that 32 bits hardly hold.
const FINEST: i32 = 1_000_000;

/// Writes a field whose Rust type is an enum as the integer it is in C.
macro_rules! set_raw {
    ($place:expr, $value:expr) => {
        ptr::write(ptr::addr_of_mut!($place).cast::<i32>(), $value)
    };
}

/// Adds a stream for `track`.
///
/// # Safety
/// `context` is a valid output whose header was not yet written.
///
/// # Errors
/// `Encode` for a codec that FFmpeg does not know.
pub(super) unsafe fn add_stream(context: *mut sys::AVFormatContext, track: &TrackParams) -> Result<()> {
    let name = match track.codec() {
        TrackCodec::Named(name) => name,
        TrackCodec::Matroska(id) => {
            return Err(Error::new(ErrorKind::Encode, format!("{id} is a codec of Matroska alone")));
        }
    };
    // SAFETY: by this function's contract; a new stream has parameters of its own, which are set here, and the extradata
    // is allocated as they want it, with zeroed padding.
    unsafe {
        let descriptor = sys::avcodec_descriptor_get_by_name(c_text(name).as_ptr());
        if descriptor.is_null() {
            return Err(Error::new(ErrorKind::Encode, format!("FFmpeg knows no codec {name}")));
        }
        let stream = sys::avformat_new_stream(context, ptr::null());
        if stream.is_null() {
            return Err(out_of_memory("a stream"));
        }
        let par = (*stream).codecpar;
        ptr::copy(ptr::addr_of!((*descriptor).id), ptr::addr_of_mut!((*par).codec_id), 1);
        ptr::copy(ptr::addr_of!((*descriptor).type_), ptr::addr_of_mut!((*par).codec_type), 1);
        let configuration = track.configuration();
        if !configuration.is_empty() {
            let size = configuration.len() + sys::AV_INPUT_BUFFER_PADDING_SIZE as usize;
            let extradata: *mut u8 = sys::av_mallocz(size).cast();
            if extradata.is_null() {
                return Err(out_of_memory("a codec's configuration"));
            }
            ptr::copy_nonoverlapping(configuration.as_ptr(), extradata, configuration.len());
            (*par).extradata = extradata;
            (*par).extradata_size = configuration.len() as c_int;
        }
        match &track.kind {
            TrackKind::Video(video) => set_video(stream, name, video)?,
            TrackKind::Audio(audio) => set_audio(stream, name, audio),
            TrackKind::Subtitle(_) => (*stream).time_base = sys::AVRational { num: 1, den: 1000 },
        }
        (*stream).disposition = disposition(&track.disposition);
        set_tag(&mut (*stream).metadata, c"language", track.language.as_deref())?;
        // MP4 shows a track's title as the name of its handler.
        set_tag(&mut (*stream).metadata, c"handler_name", track.title.as_deref())?;
        for (key, value) in &track.tags {
            set_tag(&mut (*stream).metadata, &c_text(key), Some(value))?;
        }
    }
    Ok(())
}

/// # Safety
/// `stream` is a new stream of an output.
unsafe fn set_video(stream: *mut sys::AVStream, codec: &str, video: &VideoTrackParams) -> Result<()> {
    let base = video.time_base.or(video.frame_duration.map(|d| d.base())).filter(|b| b.den() <= FINEST);
    let (num, den) = base.map_or(FALLBACK_BASE, |b| (b.num(), b.den()));
    // SAFETY: by this function's contract; plain fields.
    unsafe {
        let par = (*stream).codecpar;
        (*par).width = video.width as c_int;
        (*par).height = video.height as c_int;
        if let Some(sar) = video.sample_aspect_ratio.filter(|r| r.num() > 0) {
            let sar = sys::AVRational { num: sar.num(), den: sar.den() };
            (*par).sample_aspect_ratio = sar;
            (*stream).sample_aspect_ratio = sar;
        }
        let color = &video.color;
        set_raw!((*par).color_primaries, i32::from(color.primaries.0));
        set_raw!((*par).color_trc, i32::from(color.transfer.0));
        set_raw!((*par).color_space, i32::from(color.matrix.0));
        set_raw!((*par).color_range, color.range as i32);
        set_raw!((*par).chroma_location, color.chroma_location as i32);
        let order = match video.field_order {
            FieldOrder::Unknown => 0,
            FieldOrder::Progressive => 1,
            FieldOrder::TopFirst => 2,
            FieldOrder::BottomFirst => 3,
        };
        set_raw!((*par).field_order, order);
        if codec == "hevc" {
            // Parameter sets stand in the configuration: the name Apple's players want.
            (*par).codec_tag = u32::from_le_bytes(*b"hvc1");
        }
        (*stream).time_base = sys::AVRational { num, den };
        if let Some(d) = video.frame_duration.filter(|d| d.ticks() > 0) {
            let ticks = d.base().num().saturating_mul(i32::try_from(d.ticks()).unwrap_or(i32::MAX));
            (*stream).avg_frame_rate = sys::AVRational { num: d.base().den(), den: ticks };
        }
        use sys::AVPacketSideDataType as Kind;
        if video.rotation != 0 {
            let mut matrix = [0i32; 9];
            // Clockwise, as ours; only its counterpart that reads counts the other way.
            sys::av_display_rotation_set(matrix.as_mut_ptr(), f64::from(video.rotation));
            let bytes: Vec<u8> = matrix.iter().flat_map(|m| m.to_ne_bytes()).collect();
            add_side_data(stream, Kind::AV_PKT_DATA_DISPLAYMATRIX, &bytes)?;
        }
        if let Some(display) = &video.hdr.mastering_display {
            add_side_data(stream, Kind::AV_PKT_DATA_MASTERING_DISPLAY_METADATA, &mastering_bytes(display))?;
        }
        if let Some(light) = video.hdr.content_light {
            let bytes = [light.max_cll.to_ne_bytes(), light.max_fall.to_ne_bytes()].concat();
            add_side_data(stream, Kind::AV_PKT_DATA_CONTENT_LIGHT_LEVEL, &bytes)?;
        }
        if let Some(record) = &video.dolby_vision {
            add_side_data(stream, Kind::AV_PKT_DATA_DOVI_CONF, &dolby_vision_bytes(record))?;
        }
    }
    Ok(())
}

/// # Safety
/// `stream` is a new stream of an output.
unsafe fn set_audio(stream: *mut sys::AVStream, codec: &str, audio: &AudioTrackParams) {
    // Opus counts time at 48 kHz, whatever its source had.
    let rate = if codec == "opus" { 48_000 } else { audio.sample_rate.max(1) } as c_int;
    // SAFETY: by this function's contract; plain fields.
    unsafe {
        let par = (*stream).codecpar;
        (*par).sample_rate = rate;
        sys::av_channel_layout_default(&mut (*par).ch_layout, audio.channels as c_int);
        (*par).bits_per_raw_sample = c_int::from(audio.bit_depth.unwrap_or(0));
        // Without one the muxer complains; packets say themselves how long they are.
        (*par).frame_size = match codec {
            "aac" => 1024,
            "opus" => 960,
            "mp3" => 1152,
            "ac3" | "eac3" => 1536,
            _ => 0,
        };
        (*stream).time_base = sys::AVRational { num: 1, den: rate };
    }
}

/// `AVMasteringDisplayMetadata`: fractions of the primaries, the white point and luminance, then two flags.
fn mastering_bytes(display: &MasteringDisplay) -> Vec<u8> {
    let points = [display.red, display.green, display.blue, display.white].concat();
    let fractions = points.into_iter().chain([display.min_luminance, display.max_luminance]);
    let number = |n: i32| n.to_ne_bytes();
    let mut out: Vec<u8> = fractions.flat_map(|r: Rational| [number(r.num()), number(r.den())]).flatten().collect();
    out.extend([number(1), number(1)].concat());
    out
}

/// `AVDOVIDecoderConfigurationRecord`, a byte a field, from the bits of `dvvC`; zero bytes stand for fields that later
/// versions added.
fn dolby_vision_bytes(record: &[u8; 24]) -> Vec<u8> {
    let [major, minor, a, b, c, ..] = *record;
    let mut out = vec![major, minor, a >> 1, (a & 1) << 5 | b >> 3, b >> 2 & 1, b >> 1 & 1, b & 1, c >> 4];
    out.resize(16, 0);
    out
}

/// # Safety
/// `stream` is a new stream of an output.
unsafe fn add_side_data(stream: *mut sys::AVStream, kind: sys::AVPacketSideDataType, bytes: &[u8]) -> Result<()> {
    // SAFETY: by this function's contract; the answer is null or has room for all bytes.
    unsafe {
        #[cfg(ffmpeg_6_1)]
        let room = {
            let par = (*stream).codecpar;
            let entry = sys::av_packet_side_data_new(
                &mut (*par).coded_side_data,
                &mut (*par).nb_coded_side_data,
                kind,
                bytes.len(),
                0,
            );
            if entry.is_null() { ptr::null_mut() } else { (*entry).data }
        };
        #[cfg(not(ffmpeg_6_1))]
        let room = sys::av_stream_new_side_data(stream, kind, bytes.len());
        if room.is_null() {
            return Err(out_of_memory("side data"));
        }
        ptr::copy_nonoverlapping(bytes.as_ptr(), room, bytes.len());
    }
    Ok(())
}

fn disposition(d: &Disposition) -> c_int {
    let flags = [
        (d.default, sys::AV_DISPOSITION_DEFAULT),
        (d.forced, sys::AV_DISPOSITION_FORCED),
        (d.commentary, sys::AV_DISPOSITION_COMMENT),
        (d.original, sys::AV_DISPOSITION_ORIGINAL),
        (d.hearing_impaired, sys::AV_DISPOSITION_HEARING_IMPAIRED),
        (d.visual_impaired, sys::AV_DISPOSITION_VISUAL_IMPAIRED),
        (d.text_descriptions, sys::AV_DISPOSITION_DESCRIPTIONS),
    ];
    flags.into_iter().filter(|(set, _)| *set).fold(0, |all, (_, flag)| all | flag as c_int)
}

/// Sets a tag; nothing where there is no value.
///
/// # Safety
/// `metadata` is a dictionary of a valid context or stream, or null.
pub(super) unsafe fn set_tag(metadata: &mut *mut sys::AVDictionary, key: &CStr, value: Option<&str>) -> Result<()> {
    let Some(value) = value.filter(|v| !v.is_empty()) else { return Ok(()) };
    // SAFETY: by this function's contract; both strings are terminated and copied.
    let code = unsafe { sys::av_dict_set(metadata, key.as_ptr(), c_text(value).as_ptr(), 0) };
    if code < 0 { Err(out_of_memory("a tag")) } else { Ok(()) }
}

/// Adds the chapters.
///
/// # Safety
/// `context` is a valid output whose header was not yet written.
pub(super) unsafe fn add_chapters(context: *mut sys::AVFormatContext, chapters: &[Chapter]) -> Result<()> {
    for (index, chapter) in chapters.iter().enumerate() {
        // SAFETY: by this function's contract; the list is libavformat's own and takes the chapter, which it frees with the
        // context.
        unsafe {
            let new: *mut sys::AVChapter = sys::av_mallocz(size_of::<sys::AVChapter>()).cast();
            if new.is_null() {
                return Err(out_of_memory("a chapter"));
            }
            (*new).id = index as i64 + 1;
            (*new).time_base = sys::AVRational { num: 1, den: 1_000_000_000 };
            (*new).start = chapter.start.as_nanos();
            (*new).end = chapter.end.as_nanos();
            set_tag(&mut (*new).metadata, c"title", chapter.title.as_deref())?;
            let mut count = (*context).nb_chapters as c_int;
            let list = ptr::addr_of_mut!((*context).chapters).cast::<c_void>();
            if sys::av_dynarray_add_nofree(list, &mut count, new.cast()) < 0 {
                sys::av_free(new.cast());
                return Err(out_of_memory("a chapter"));
            }
            (*context).nb_chapters = count as u32;
        }
    }
    Ok(())
}

/// Tells the muxer of sound how much a decoder makes in vain at first; in samples of the track.
///
/// # Safety
/// `context` is a valid output whose header was not yet written, with a stream at `index`.
pub(super) unsafe fn tell_delay(context: *mut sys::AVFormatContext, index: usize, track: &TrackParams) -> u32 {
    let TrackKind::Audio(audio) = &track.kind else { return 0 };
    // SAFETY: by this function's contract; plain fields.
    unsafe {
        let par = (**(*context).streams.add(index)).codecpar;
        let base = Rational::positive(1, (*par).sample_rate).unwrap_or(Rational::MILLI);
        let delay = audio.codec_delay.map_or(0, |delay| delay.rescale(base, Rounding::Nearest).ticks());
        (*par).initial_padding = c_int::try_from(delay.max(0)).unwrap_or(0);
        if audio.bit_depth.is_some_and(|bits| bits > 16) && audio.codec.is("flac") {
            set_raw!((*par).format, sys::AVSampleFormat::AV_SAMPLE_FMT_S32 as i32);
        }
        (*par).initial_padding as u32
    }
}

/// A picture that stands for a file of sound.
#[derive(Clone, Copy, Debug)]
pub struct CoverPicture<'a> {
    /// FFmpeg's name of its codec, such as `png`.
    pub codec: &'a str,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Its file.
    pub data: &'a [u8],
}

/// Adds a stream for a cover.
///
/// # Safety
/// `context` is a valid output whose header was not yet written.
///
/// # Errors
/// `Encode` for a codec that FFmpeg does not know.
pub(super) unsafe fn add_cover(context: *mut sys::AVFormatContext, cover: &CoverPicture<'_>) -> Result<()> {
    // SAFETY: by this function's contract; a new stream has parameters of its own.
    unsafe {
        let descriptor = sys::avcodec_descriptor_get_by_name(c_text(cover.codec).as_ptr());
        if descriptor.is_null() {
            return Err(Error::new(ErrorKind::Encode, format!("FFmpeg knows no codec {}", cover.codec)));
        }
        let stream = sys::avformat_new_stream(context, ptr::null());
        if stream.is_null() {
            return Err(out_of_memory("a cover"));
        }
        let par = (*stream).codecpar;
        ptr::copy(ptr::addr_of!((*descriptor).id), ptr::addr_of_mut!((*par).codec_id), 1);
        ptr::copy(ptr::addr_of!((*descriptor).type_), ptr::addr_of_mut!((*par).codec_type), 1);
        (*par).width = cover.width as c_int;
        (*par).height = cover.height as c_int;
        (*stream).time_base = sys::AVRational { num: 1, den: 90_000 };
        (*stream).disposition = sys::AV_DISPOSITION_ATTACHED_PIC as c_int;
        set_tag(&mut (*stream).metadata, c"comment", Some("Cover (front)"))
    }
}

/// A terminated copy of `text`, which ends at its first zero byte.
pub(super) fn c_text(text: &str) -> CString {
    let text = text.split('\0').next().unwrap_or_default();
    CString::new(text).unwrap_or_default()
}
