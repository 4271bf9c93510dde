//! HDR10+ as libavcodec parsed it, back in the bits it came in.
//!
//! libavutil writes them itself from 6.1 on (`av_dynamic_hdr_plus_to_t35`); before, it only has the parsed structure.

use std::ffi::c_int;

use ffmpeg_next::ffi as sys;
use hdr10plus::metadata::{
    ActualMasteringDisplay, ActualTargetedSystemDisplay, BezierCurve, DistributionMaxRgb, Hdr10PlusMetadata,
    Hdr10PlusMetadataEncOpts,
};

/// `AVHDRPlusPercentile` of libavutil/hdr_dynamic_metadata.h, which ffmpeg-sys-next does not bind.
#[derive(Clone, Copy)]
#[repr(C)]
struct RawPercentile {
    percentage: u8,
    percentile: sys::AVRational,
}

/// `AVHDRPlusColorTransformParams`.
#[derive(Clone, Copy)]
#[repr(C)]
struct RawWindow {
    window: [sys::AVRational; 4],
    center_of_ellipse: [u16; 2],
    rotation_angle: u8,
    semi_axes: [u16; 3],
    overlap_process_option: c_int,
    maxscl: [sys::AVRational; 3],
    average_maxrgb: sys::AVRational,
    num_distribution_maxrgb_percentiles: u8,
    distribution_maxrgb: [RawPercentile; 15],
    fraction_bright_pixels: sys::AVRational,
    tone_mapping_flag: u8,
    knee_point: [sys::AVRational; 2],
    num_bezier_curve_anchors: u8,
    bezier_curve_anchors: [sys::AVRational; 15],
    color_saturation_mapping_flag: u8,
    color_saturation_weight: sys::AVRational,
}

/// A matrix of peak luminances with its size.
#[derive(Clone, Copy)]
#[repr(C)]
struct RawPeaks {
    flag: u8,
    rows: u8,
    columns: u8,
    luminance: [[sys::AVRational; 25]; 25],
}

/// `AVDynamicHDRPlus`.
#[derive(Clone, Copy)]
#[repr(C)]
struct RawDynamicHdrPlus {
    country_code: u8,
    application_version: u8,
    num_windows: u8,
    windows: [RawWindow; 3],
    targeted_system_display_maximum_luminance: sys::AVRational,
    targeted_system_display: RawPeaks,
    mastering_display: RawPeaks,
}

/// The ITU-T T.35 message (SMPTE ST 2094-40, CTA-861-H annex S) that `bytes`, side data of this kind, was parsed from.
///
/// `None` for what HDR10+ does not have: more than one processing window, or numbers that do not fit their fields.
pub(super) fn message(bytes: &[u8]) -> Option<Vec<u8>> {
    if bytes.len() < size_of::<RawDynamicHdrPlus>() {
        return None;
    }
    // SAFETY: side data of this type holds this structure, which FFmpeg only appends to; the length was checked, any bit
    // pattern is a value of its fields, and the copy needs no alignment.
    let raw = unsafe { std::ptr::read_unaligned(bytes.as_ptr().cast::<RawDynamicHdrPlus>()) };
    if raw.num_windows != 1 {
        return None;
    }
    let options = Hdr10PlusMetadataEncOpts { validate: false, with_country_code: true };
    metadata(&raw)?.encode_with_opts(&options).ok()
}

/// Every fraction has the denominator of its field, so its numerator is the coded number.
fn metadata(raw: &RawDynamicHdrPlus) -> Option<Hdr10PlusMetadata> {
    let window = &raw.windows[0];
    let wide = |r: sys::AVRational| u32::try_from(r.num).ok();
    let narrow = |r: sys::AVRational| u16::try_from(r.num).ok();
    let percentiles = window.distribution_maxrgb.get(..usize::from(window.num_distribution_maxrgb_percentiles))?;
    let distribution = percentiles
        .iter()
        .map(|p| Some(DistributionMaxRgb { percentage: p.percentage, percentile: wide(p.percentile)? }));
    let anchors = window.bezier_curve_anchors.get(..usize::from(window.num_bezier_curve_anchors))?;
    let curve = BezierCurve {
        knee_point_x: narrow(window.knee_point[0])?,
        knee_point_y: narrow(window.knee_point[1])?,
        num_bezier_curve_anchors: window.num_bezier_curve_anchors,
        bezier_curve_anchors: anchors.iter().map(|a| narrow(*a)).collect::<Option<_>>()?,
    };
    let (targeted, mastering) = (&raw.targeted_system_display, &raw.mastering_display);
    Some(Hdr10PlusMetadata {
        itu_t_t35_country_code: 0xB5,
        itu_t_t35_terminal_provider_code: 0x003C,
        itu_t_t35_terminal_provider_oriented_code: 1,
        application_identifier: 4,
        application_version: raw.application_version,
        num_windows: 1,
        targeted_system_display_maximum_luminance: wide(raw.targeted_system_display_maximum_luminance)?,
        targeted_system_display_actual_peak_luminance_flag: targeted.flag != 0,
        actual_targeted_system_display: match targeted.flag {
            0 => None,
            _ => Some(ActualTargetedSystemDisplay {
                num_rows_targeted_system_display_actual_peak_luminance: targeted.rows,
                num_cols_targeted_system_display_actual_peak_luminance: targeted.columns,
                targeted_system_display_actual_peak_luminance: peaks(targeted)?,
            }),
        },
        maxscl: [wide(window.maxscl[0])?, wide(window.maxscl[1])?, wide(window.maxscl[2])?],
        average_maxrgb: wide(window.average_maxrgb)?,
        num_distribution_maxrgb_percentiles: window.num_distribution_maxrgb_percentiles,
        distribution_maxrgb: distribution.collect::<Option<_>>()?,
        fraction_bright_pixels: narrow(window.fraction_bright_pixels)?,
        mastering_display_actual_peak_luminance_flag: mastering.flag != 0,
        actual_mastering_display: match mastering.flag {
            0 => None,
            _ => Some(ActualMasteringDisplay {
                num_rows_mastering_display_actual_peak_luminance: mastering.rows,
                num_cols_mastering_display_actual_peak_luminanc: mastering.columns,
                mastering_display_actual_peak_luminance: peaks(mastering)?,
            }),
        },
        tone_mapping_flag: window.tone_mapping_flag != 0,
        bezier_curve: (window.tone_mapping_flag != 0).then_some(curve),
        color_saturation_mapping_flag: window.color_saturation_mapping_flag != 0,
        color_saturation_weight: u8::try_from(window.color_saturation_weight.num).ok()?,
        ..Hdr10PlusMetadata::default()
    })
}

fn peaks(raw: &RawPeaks) -> Option<Vec<Vec<u8>>> {
    let rows = raw.luminance.get(..usize::from(raw.rows))?;
    let row = |row: &[sys::AVRational; 25]| {
        row.get(..usize::from(raw.columns))?.iter().map(|l| u8::try_from(l.num).ok()).collect::<Option<Vec<u8>>>()
    };
    rows.iter().map(row).collect()
}
