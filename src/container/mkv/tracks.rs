//! Track entries: what the header says of each track (RFC 9559 §5.1.4).
//!
//! Owns the translation from our description to elements. Writes only what is known, and states defaults
//! where the specification's default would be wrong (language, default flag).
#![deny(unsafe_code)]

use std::collections::HashSet;

use super::codec::TrackCoding;
use super::ebml::{Master, content_uid, id};
use crate::base::{Error, ErrorKind, Rational, Result, lowest_terms};
use crate::container::language::language;
use crate::media::{
    AudioTrackParams, ChromaLocation, Color, ColorRange, FieldOrder, HdrStatic, MasteringDisplay, TrackKind,
    TrackParams, VideoTrackParams,
};

/// Hands out UIDs made from content and keeps them apart.
#[derive(Debug, Default)]
pub(super) struct Uids(HashSet<u64>);

impl Uids {
    /// A UID for this content; where two hashes meet, the next free number.
    pub(super) fn unique(&mut self, parts: &[&[u8]]) -> u64 {
        let mut uid = content_uid(parts);
        while !self.0.insert(uid) {
            uid = (uid % (u64::MAX >> 1)) + 1;
        }
        uid
    }
}

/// Each track's coding, in order.
///
/// # Errors
/// Kind `Encode` for a codec that Matroska cannot hold as it is described.
pub(super) fn codings(tracks: &[TrackParams]) -> Result<Vec<TrackCoding>> {
    tracks.iter().map(TrackCoding::of).collect()
}

/// The UIDs of `tracks`, in order.
pub(super) fn track_uids(tracks: &[TrackParams], codings: &[TrackCoding]) -> Vec<u64> {
    let mut uids = Uids::default();
    let uid = |(index, (t, coding)): (usize, (&TrackParams, &TrackCoding))| {
        let language = t.language.as_deref().unwrap_or_default();
        let title = t.title.as_deref().unwrap_or_default();
        let index = (index as u64).to_be_bytes();
        uids.unique(&[b"track", &index, coding.id.as_bytes(), &coding.private, language.as_bytes(), title.as_bytes()])
    };
    tracks.iter().zip(codings).enumerate().map(uid).collect()
}

/// The content of the Tracks element.
///
/// # Errors
/// Kind `Encode` for a picture without size or a track without codec: the caller's mistake, named by track.
pub(super) fn tracks_element(tracks: &[TrackParams], codings: &[TrackCoding], uids: &[u64]) -> Result<Master> {
    let mut out = Master::new();
    for (index, ((track, coding), uid)) in tracks.iter().zip(codings).zip(uids).enumerate() {
        out.master(id::TRACK_ENTRY, &track_entry(track, coding, index as u64 + 1, *uid)?);
    }
    Ok(out)
}

fn track_entry(track: &TrackParams, coding: &TrackCoding, number: u64, uid: u64) -> Result<Master> {
    if coding.id.is_empty() {
        return Err(Error::new(ErrorKind::Encode, format!("track {number} has no codec id")));
    }
    let mut e = Master::new();
    let kind = match track.kind {
        TrackKind::Video(_) => 1,
        TrackKind::Audio(_) => 2,
        TrackKind::Subtitle(_) => 17,
    };
    e.uint(id::TRACK_NUMBER, number).uint(id::TRACK_UID, uid).uint(id::TRACK_TYPE, kind).uint(id::FLAG_LACING, 0);
    if track.disposition.disabled {
        e.uint(id::FLAG_ENABLED, 0);
    }
    flags(&mut e, track);
    if let Some(title) = track.title.as_deref().filter(|t| !t.is_empty()) {
        e.text(id::NAME, title);
    }
    let lang = language(track.language.as_deref());
    e.text(id::LANGUAGE, &lang.iso639_2);
    if let Some(bcp47) = &lang.bcp47 {
        e.text(id::LANGUAGE_BCP47, bcp47);
    }
    e.text(id::CODEC_ID, &coding.id);
    if !coding.private.is_empty() {
        e.bytes(id::CODEC_PRIVATE, &coding.private);
    }
    if let Some(duration) = track.frame_duration_ns() {
        e.uint(id::DEFAULT_DURATION, duration);
    }
    match &track.kind {
        TrackKind::Video(video) => {
            e.master(id::VIDEO, &video_element(video, number)?);
            if let Some(record) = &video.dolby_vision {
                e.master(id::BLOCK_ADDITION_MAPPING, &dolby_vision(record));
            }
        }
        TrackKind::Audio(audio) => audio_elements(&mut e, audio, coding.bit_depth),
        TrackKind::Subtitle(subtitle) => {
            if subtitle.block_additions {
                e.uint(id::MAX_BLOCK_ADDITION_ID, 1);
            }
        }
    }
    Ok(e)
}

/// What a player needs to know of Dolby Vision before the first picture (Matroska Codec Specifications, "Block Addition
/// Mappings"): no block has additions for it, the RPUs are in the stream.
fn dolby_vision(record: &[u8]) -> Master {
    let mut mapping = Master::new();
    mapping
        .text(id::BLOCK_ADD_ID_NAME, "Dolby Vision configuration")
        .uint(id::BLOCK_ADD_ID_TYPE, u64::from(DVVC))
        .bytes(id::BLOCK_ADD_ID_EXTRA_DATA, record);
    mapping
}

/// The four characters `dvvC`: the record of profiles 8 to 10.
pub(super) const DVVC: u32 = u32::from_be_bytes(*b"dvvC");

/// FlagDefault is true where absent, so it is always written; the newer flags mean "unknown" where absent
/// and are written where set.
fn flags(e: &mut Master, track: &TrackParams) {
    let d = &track.disposition;
    e.uint(id::FLAG_DEFAULT, u64::from(d.default)).uint(id::FLAG_FORCED, u64::from(d.forced));
    for (element, set) in [
        (id::FLAG_HEARING_IMPAIRED, d.hearing_impaired),
        (id::FLAG_VISUAL_IMPAIRED, d.visual_impaired),
        (id::FLAG_TEXT_DESCRIPTIONS, d.text_descriptions),
        (id::FLAG_ORIGINAL, d.original),
        (id::FLAG_COMMENTARY, d.commentary),
    ] {
        if set {
            e.uint(element, 1);
        }
    }
}

fn audio_elements(e: &mut Master, audio: &AudioTrackParams, bit_depth: Option<u8>) {
    for (element, span) in [(id::CODEC_DELAY, audio.codec_delay), (id::SEEK_PRE_ROLL, audio.seek_pre_roll)] {
        if let Some(ns) = span.and_then(|s| u64::try_from(s.as_nanos()).ok()).filter(|ns| *ns > 0) {
            e.uint(element, ns);
        }
    }
    let mut a = Master::new();
    a.float(id::SAMPLING_FREQUENCY, f64::from(audio.sample_rate)).uint(id::CHANNELS, u64::from(audio.channels.max(1)));
    if let Some(bits) = bit_depth.filter(|b| *b > 0) {
        a.uint(id::BIT_DEPTH, u64::from(bits));
    }
    e.master(id::AUDIO, &a);
}

fn video_element(video: &VideoTrackParams, number: u64) -> Result<Master> {
    if video.width == 0 || video.height == 0 {
        let message = format!("track {number} has an empty picture ({}x{})", video.width, video.height);
        return Err(Error::new(ErrorKind::Encode, message));
    }
    let mut v = Master::new();
    // FieldOrder 1 and 6 are the values FFmpeg, mkvmerge and the specification agree on.
    match video.field_order {
        FieldOrder::Unknown => {}
        FieldOrder::Progressive => {
            v.uint(id::FLAG_INTERLACED, 2);
        }
        FieldOrder::TopFirst => {
            v.uint(id::FLAG_INTERLACED, 1).uint(id::FIELD_ORDER, 1);
        }
        FieldOrder::BottomFirst => {
            v.uint(id::FLAG_INTERLACED, 1).uint(id::FIELD_ORDER, 6);
        }
    }
    if video.stereo_mode != 0 {
        v.uint(id::STEREO_MODE, u64::from(video.stereo_mode));
    }
    v.uint(id::PIXEL_WIDTH, u64::from(video.width)).uint(id::PIXEL_HEIGHT, u64::from(video.height));
    if let Some(sar) = video.sample_aspect_ratio.filter(|r| r.num() > 0) {
        let display = display_size(video.width, video.height, sar);
        v.uint(id::DISPLAY_WIDTH, display.width).uint(id::DISPLAY_HEIGHT, display.height);
        if display.unit != 0 {
            v.uint(id::DISPLAY_UNIT, display.unit);
        }
    }
    v.master_if_any(id::COLOUR, &colour(&video.color, &video.hdr, video.bits_per_channel));
    v.master_if_any(id::PROJECTION, &projection(video.rotation));
    Ok(v)
}

/// The size a picture is shown in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DisplaySize {
    pub(super) width: u64,
    pub(super) height: u64,
    /// 0: pixels; 3: the two numbers are an aspect ratio.
    pub(super) unit: u64,
}

/// The exact display size of `width`×`height` samples of shape `sar`.
///
/// In pixels where stretching one side gives a whole number (the width first, as is the custom), else as
/// the reduced aspect ratio: a rounded size would change the shape.
pub(super) fn display_size(width: u32, height: u32, sar: Rational) -> DisplaySize {
    let (w, h) = (u64::from(width), u64::from(height));
    let (num, den) = (u64::from(sar.num().unsigned_abs()), u64::from(sar.den().unsigned_abs()));
    if w * num % den == 0 {
        return DisplaySize { width: w * num / den, height: h, unit: 0 };
    }
    if h * den % num == 0 {
        return DisplaySize { width: w, height: h * den / num, unit: 0 };
    }
    let (width, height) = lowest_terms(w * num, h * den);
    DisplaySize { width, height, unit: 3 }
}

/// The Colour element's content; empty where nothing is specified.
fn colour(color: &Color, hdr: &HdrStatic, bits: Option<u8>) -> Master {
    let mut c = Master::new();
    if color.matrix.is_specified() {
        c.uint(id::MATRIX_COEFFICIENTS, u64::from(color.matrix.0));
    }
    if let Some(bits) = bits {
        c.uint(id::BITS_PER_CHANNEL, u64::from(bits));
    }
    // The element knows left or half, top or half: positions on the bottom row cannot be said.
    let siting = match color.chroma_location {
        ChromaLocation::Left => Some((1, 2)),
        ChromaLocation::Center => Some((2, 2)),
        ChromaLocation::TopLeft => Some((1, 1)),
        ChromaLocation::Top => Some((2, 1)),
        ChromaLocation::Unspecified | ChromaLocation::BottomLeft | ChromaLocation::Bottom => None,
    };
    if let Some((horizontal, vertical)) = siting {
        c.uint(id::CHROMA_SITING_HORZ, horizontal).uint(id::CHROMA_SITING_VERT, vertical);
    }
    match color.range {
        ColorRange::Unspecified => {}
        ColorRange::Limited => {
            c.uint(id::RANGE, 1);
        }
        ColorRange::Full => {
            c.uint(id::RANGE, 2);
        }
    }
    if color.transfer.is_specified() {
        c.uint(id::TRANSFER_CHARACTERISTICS, u64::from(color.transfer.0));
    }
    if color.primaries.is_specified() {
        c.uint(id::PRIMARIES, u64::from(color.primaries.0));
    }
    if let Some(light) = hdr.content_light {
        c.uint(id::MAX_CLL, u64::from(light.max_cll)).uint(id::MAX_FALL, u64::from(light.max_fall));
    }
    if let Some(display) = &hdr.mastering_display {
        c.master(id::MASTERING_METADATA, &mastering(display));
    }
    c
}

fn mastering(display: &MasteringDisplay) -> Master {
    let mut m = Master::new();
    for (element, value) in [
        (id::PRIMARY_R_CHROMATICITY_X, display.red[0]),
        (id::PRIMARY_R_CHROMATICITY_Y, display.red[1]),
        (id::PRIMARY_G_CHROMATICITY_X, display.green[0]),
        (id::PRIMARY_G_CHROMATICITY_Y, display.green[1]),
        (id::PRIMARY_B_CHROMATICITY_X, display.blue[0]),
        (id::PRIMARY_B_CHROMATICITY_Y, display.blue[1]),
        (id::WHITE_POINT_CHROMATICITY_X, display.white[0]),
        (id::WHITE_POINT_CHROMATICITY_Y, display.white[1]),
        (id::LUMINANCE_MAX, display.max_luminance),
        (id::LUMINANCE_MIN, display.min_luminance),
    ] {
        m.float(element, value.as_f64());
    }
    m
}

/// The Projection element's content for a clockwise rotation; empty for none.
///
/// ProjectionPoseRoll turns the picture counter-clockwise (RFC 9559 §18.2, and the working group's answer
/// in matroska-specification issue 822), between −180 and 180: 90° clockwise is a roll of −90.
fn projection(clockwise: i32) -> Master {
    let mut p = Master::new();
    let turn = i64::from(clockwise).rem_euclid(360);
    if turn != 0 {
        let roll = if turn > 180 { 360 - turn } else { -turn };
        p.uint(id::PROJECTION_TYPE, 0)
            .float(id::PROJECTION_POSE_YAW, 0.0)
            .float(id::PROJECTION_POSE_PITCH, 0.0)
            .float(id::PROJECTION_POSE_ROLL, roll as f64);
    }
    p
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sar(num: i32, den: i32) -> Rational {
        Rational::positive(num, den).unwrap()
    }

    #[test]
    fn display_sizes_are_pixels_where_they_can_be() {
        let of = |w, h, n, d| {
            let s = display_size(w, h, sar(n, d));
            (s.width, s.height, s.unit)
        };
        assert_eq!(of(1920, 1080, 1, 1), (1920, 1080, 0));
        assert_eq!(of(720, 576, 64, 45), (1024, 576, 0));
        assert_eq!(of(720, 480, 32, 27), (720, 405, 0));
        assert_eq!(of(800, 332, 399, 400), (798, 332, 0));
        assert_eq!(of(721, 577, 64, 45), (46144, 25965, 3));
    }

    proptest! {
        #[test]
        fn the_shape_of_the_picture_is_kept_exactly(w in 1u32..9000, h in 1u32..9000, n in 1i32..4000, d in 1i32..4000) {
            let s = display_size(w, h, sar(n, d));
            prop_assert_eq!(
                u128::from(s.width) * u128::from(h) * d as u128,
                u128::from(s.height) * u128::from(w) * n as u128
            );
        }
    }
}
