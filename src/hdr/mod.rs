//! Dolby Vision: what an RPU is, and what it becomes beside AV1.
//!
//! Owns the parsing of RPUs, their conversion to profile 10 (AV1) and the configuration record. Refuses streams,
//! containers and I/O: bytes of one picture in, bytes of one picture out. RPUs are untrusted: what cannot be parsed is
//! an error, never a panic.
//!
//! Sources: Dolby Vision Profiles and Levels 1.4; Dolby Vision Bitstreams within the ISO Base Media File Format 2.5
//! (the record); ETSI GS CCM 001 (RPU syntax), by the crate `dolby_vision`, as is the wrapping in ITU-T T.35.
#![deny(unsafe_code)]

mod record;
mod t35;

use std::sync::Arc;

use dolby_vision::rpu::ConversionMode;
use dolby_vision::rpu::dovi_rpu::DoviRpu;
use dolby_vision::rpu::extension_metadata::blocks::ExtMetadataBlock;
use dolby_vision::rpu::rpu_data_nlq::DoviELType;

use crate::base::Result;
use crate::media::{DolbyVision, EnhancementLayer, Flip, RpuConversion, RpuWindow, Transfer};
use crate::syntax::nal::without_emulation_prevention;

pub use record::{RECORD_BYTES, level, record};
use t35::damaged;

fn parse(bytes: &[u8]) -> Result<DoviRpu> {
    let rpu = match bytes.first() {
        Some(&t35::COUNTRY) => t35::unwrap(bytes)?,
        _ => without_emulation_prevention(
            DoviRpu::validated_trimmed_data(bytes).map_err(|e| damaged(&format!("{e:#}")))?,
        ),
    };
    // The crate takes memory for counts it reads, and checks the sum after that.
    if !is_intact(&rpu) {
        return Err(damaged("its checksum is wrong"));
    }
    DoviRpu::parse_rpu(&rpu).map_err(|e| damaged(&format!("{e:#}")))
}

/// Whether an RPU's CRC-32 (MPEG-2: polynomial 0x04C11DB7, from all ones, not reflected) over all between its prefix and
/// itself is right.
fn is_intact(rpu: &[u8]) -> bool {
    let end = rpu.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
    let Some((body, &[a, b, c, d, 0x80])) = rpu.get(1..end).and_then(|r| r.split_last_chunk::<5>()) else {
        return false;
    };
    let crc = body.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte) << 24, |crc, _| crc << 1 ^ if crc >> 31 == 1 { 0x04C1_1DB7 } else { 0 })
    });
    crc == u32::from_be_bytes([a, b, c, d])
}

/// What a stream is by one of its RPUs, and by what its container says, if anything.
///
/// An RPU alone does not tell profile 8 from 9, nor what the base layer is to others: that is taken from `container`,
/// else from the base layer's `transfer` function.
///
/// # Errors
/// `Unsupported` for an RPU that cannot be parsed.
pub fn describe(rpu: &[u8], container: Option<DolbyVision>, transfer: Transfer) -> Result<DolbyVision> {
    let rpu = parse(rpu)?;
    let by_rpu = rpu.dovi_profile;
    let said = container.filter(|c| c.profile == by_rpu || (by_rpu == 8 && matches!(c.profile, 9 | 10)));
    let compatibility = said.and_then(|c| c.compatibility).or(match (by_rpu, transfer) {
        (5, _) => Some(0),
        (7, _) => Some(6),
        (_, Transfer::PQ) => Some(1),
        (_, Transfer::HLG) => Some(4),
        _ => Some(2),
    });
    let mut found = DolbyVision::new(said.map_or(by_rpu, |c| c.profile), said.and_then(|c| c.level), compatibility);
    if found.enhancement.is_some() {
        found.enhancement = Some(match rpu.el_type {
            Some(DoviELType::MEL) => EnhancementLayer::Mel,
            Some(DoviELType::FEL) => EnhancementLayer::Fel,
            None => EnhancementLayer::Unknown,
        });
    }
    Ok(found)
}

/// The ITU-T T.35 message (country code first) for the picture that `rpu` belongs to, in a stream of this conversion.
///
/// # Errors
/// `Unsupported` for an RPU that cannot be parsed, converted or written.
pub fn message(conversion: &RpuConversion, rpu: &[u8]) -> Result<Arc<[u8]>> {
    let mut rpu = parse(rpu)?;
    let failed = |e| damaged(&format!("{e:#}"));
    if conversion.to_single_layer {
        rpu.convert_with_mode(ConversionMode::To81).map_err(failed)?;
    }
    if (conversion.window.is_some() || conversion.flip.is_some())
        && let Some((left, right, top, bottom)) = active_area(conversion, &rpu)
    {
        rpu.set_active_area_offsets(left, right, top, bottom).map_err(failed)?;
    }
    Ok(t35::wrap(&rpu.write_rpu().map_err(failed)?).into())
}

/// The active area (level 5) as the encoded picture has it, where the RPU has one: left, right, top, bottom.
fn active_area(conversion: &RpuConversion, rpu: &DoviRpu) -> Option<(u16, u16, u16, u16)> {
    let Some(ExtMetadataBlock::Level5(area)) = rpu.vdr_dm_data.as_ref()?.get_block(5) else { return None };
    let (left, right, top, bottom) = match conversion.window {
        Some(window) => within(&window, area.get_offsets()),
        None => area.get_offsets(),
    };
    Some(match conversion.flip {
        None => (left, right, top, bottom),
        Some(Flip::Horizontal) => (right, left, top, bottom),
        Some(Flip::Vertical) => (left, right, bottom, top),
    })
}

/// Offsets as the part of the picture that is encoded has them.
fn within(window: &RpuWindow, (left, right, top, bottom): (u16, u16, u16, u16)) -> (u16, u16, u16, u16) {
    let off = |offset: u16, cut: u32, scale: f64| {
        let rest = u32::from(offset).saturating_sub(cut);
        (f64::from(rest) * scale).round().clamp(0.0, 8191.0) as u16
    };
    let (width, height) = window.source;
    let (x, y) = (window.crop.x, window.crop.y);
    let cut_right = width.saturating_sub(x + window.crop.width);
    let cut_bottom = height.saturating_sub(y + window.crop.height);
    let (sx, sy) = window.scale;
    (off(left, x, sx), off(right, cut_right, sx), off(top, y, sy), off(bottom, cut_bottom, sy))
}

#[cfg(test)]
mod tests;
