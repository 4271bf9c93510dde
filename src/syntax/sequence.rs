//! The AV1 sequence header (AV1 specification §5.5), read as far as a container needs it.
//!
//! Owns the bit reader and the fields; everything is bounds-checked, a short header is an error.
#![deny(unsafe_code)]

use super::obu::{OBU_SEQUENCE_HEADER, bad, obus};
use crate::base::Result;

/// What the sequence header says of the whole stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceHeader {
    /// `seq_profile`: 0 Main, 1 High, 2 Professional.
    pub profile: u8,
    /// `seq_level_idx[0]`, 0 to 31.
    pub level: u8,
    /// `seq_tier[0]`.
    pub tier: bool,
    /// `max_frame_width_minus_1 + 1`.
    pub width: u32,
    /// `max_frame_height_minus_1 + 1`.
    pub height: u32,
    /// More than 8 bits a sample.
    pub high_bitdepth: bool,
    /// 12 bits a sample.
    pub twelve_bit: bool,
    /// Luma only.
    pub monochrome: bool,
    /// Chroma is halved horizontally.
    pub subsampling_x: bool,
    /// Chroma is halved vertically.
    pub subsampling_y: bool,
    /// `chroma_sample_position`: 0 unknown, 1 vertical (left), 2 colocated (top left).
    pub chroma_sample_position: u8,
    /// `color_primaries`, `transfer_characteristics`, `matrix_coefficients` (H.273); 2 where not given.
    pub color: [u8; 3],
    /// `color_range`: full where set.
    pub full_range: bool,
    /// `film_grain_params_present`.
    pub film_grain: bool,
}

impl SequenceHeader {
    /// The first sequence header of a temporal unit.
    ///
    /// # Errors
    /// Kind `Encode` where there is none or it cannot be read.
    pub fn find(unit: &[u8]) -> Result<Self> {
        for obu in obus(unit) {
            let obu = obu?;
            if obu.kind == OBU_SEQUENCE_HEADER {
                return Self::parse(obu.payload);
            }
        }
        Err(bad("no sequence header in the access unit".to_owned()))
    }

    /// Reads the payload of a sequence header OBU.
    ///
    /// # Errors
    /// Kind `Encode` where it ends early or names a profile that does not exist.
    pub fn parse(payload: &[u8]) -> Result<Self> {
        read(&mut SequenceBits { data: payload, at: 0 }).ok_or_else(|| bad("broken sequence header".to_owned()))
    }

    /// Bits a sample: 8, 10 or 12.
    pub fn bit_depth(&self) -> u8 {
        match (self.high_bitdepth, self.twelve_bit) {
            (true, true) => 12,
            (true, false) => 10,
            _ => 8,
        }
    }
}

/// Most significant bit first; `None` past the end.
struct SequenceBits<'a> {
    data: &'a [u8],
    at: usize,
}

impl SequenceBits<'_> {
    fn flag(&mut self) -> Option<bool> {
        let byte = *self.data.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit == 1)
    }

    /// `f(n)` for n up to 32.
    fn bits(&mut self, n: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..n {
            value = value << 1 | u32::from(self.flag()?);
        }
        Some(value)
    }

    fn skip(&mut self, n: u32) -> Option<()> {
        (0..n).try_for_each(|_| self.flag().map(|_| ()))
    }

    /// `uvlc()` (§4.10.3); only its length matters here.
    fn skip_uvlc(&mut self) -> Option<()> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
        }
        if zeros < 32 { self.skip(zeros) } else { Some(()) }
    }
}

/// `sequence_header_obu()` up to `film_grain_params_present`.
fn read(b: &mut SequenceBits<'_>) -> Option<SequenceHeader> {
    let profile = b.bits(3)? as u8;
    if profile > 2 {
        return None;
    }
    b.skip(1)?; // still_picture
    let reduced = b.flag()?;
    let (level, tier) = if reduced { (b.bits(5)? as u8, false) } else { operating_points(b)? };
    let width_bits = b.bits(4)? + 1;
    let height_bits = b.bits(4)? + 1;
    let width = b.bits(width_bits)? + 1;
    let height = b.bits(height_bits)? + 1;
    if !reduced && b.flag()? {
        b.skip(4 + 3)?; // frame id lengths
    }
    b.skip(3)?; // 128×128 superblocks, filter intra, intra edge filter
    if !reduced {
        tools(b)?;
    }
    b.skip(3)?; // superres, cdef, restoration
    let mut header = color_config(b, profile)?;
    header.film_grain = b.flag()?;
    Some(SequenceHeader { profile, level, tier, width, height, ..header })
}

/// Timing, decoder model and operating points; gives level and tier of the first point.
fn operating_points(b: &mut SequenceBits<'_>) -> Option<(u8, bool)> {
    let mut buffer_delay_bits = None;
    if b.flag()? {
        // timing_info()
        b.skip(32 + 32)?;
        if b.flag()? {
            b.skip_uvlc()?;
        }
        if b.flag()? {
            // decoder_model_info()
            buffer_delay_bits = Some(b.bits(5)? + 1);
            b.skip(32 + 5 + 5)?;
        }
    }
    let display_delay = b.flag()?;
    let points = b.bits(5)? + 1;
    let mut first = (0, false);
    for point in 0..points {
        b.skip(12)?; // operating_point_idc
        let level = b.bits(5)? as u8;
        let tier = level > 7 && b.flag()?;
        if let Some(n) = buffer_delay_bits
            && b.flag()?
        {
            b.skip(2 * n + 1)?; // operating_parameters_info()
        }
        if display_delay && b.flag()? {
            b.skip(4)?;
        }
        if point == 0 {
            first = (level, tier);
        }
    }
    Some(first)
}

/// The coding tools between the frame size and superres.
fn tools(b: &mut SequenceBits<'_>) -> Option<()> {
    b.skip(4)?; // inter-intra, masked, warped motion, dual filter
    let order_hint = b.flag()?;
    if order_hint {
        b.skip(2)?; // joint compound, reference motion vectors
    }
    // seq_choose_screen_content_tools set means "select for each frame", which allows integer vectors too.
    let screen_content = b.flag()? || b.flag()?;
    if screen_content && !b.flag()? {
        b.skip(1)?; // seq_force_integer_mv
    }
    if order_hint {
        b.skip(3)?;
    }
    Some(())
}

/// `color_config()` (§5.5.2).
fn color_config(b: &mut SequenceBits<'_>, profile: u8) -> Option<SequenceHeader> {
    let high_bitdepth = b.flag()?;
    let twelve_bit = profile == 2 && high_bitdepth && b.flag()?;
    let monochrome = profile != 1 && b.flag()?;
    let color = if b.flag()? { [b.bits(8)? as u8, b.bits(8)? as u8, b.bits(8)? as u8] } else { [2, 2, 2] };
    let mut header = SequenceHeader {
        profile,
        level: 0,
        tier: false,
        width: 0,
        height: 0,
        high_bitdepth,
        twelve_bit,
        monochrome,
        subsampling_x: true,
        subsampling_y: true,
        chroma_sample_position: 0,
        color,
        full_range: false,
        film_grain: false,
    };
    if monochrome {
        header.full_range = b.flag()?;
        return Some(header); // no separate_uv_delta_q either
    }
    // sRGB primaries and transfer with the identity matrix: 4:4:4, full range by definition.
    if color == [1, 13, 0] {
        header.full_range = true;
        (header.subsampling_x, header.subsampling_y) = (false, false);
    } else {
        header.full_range = b.flag()?;
        (header.subsampling_x, header.subsampling_y) = match profile {
            0 => (true, true),
            1 => (false, false),
            _ if twelve_bit => {
                let x = b.flag()?;
                (x, x && b.flag()?)
            }
            _ => (true, false),
        };
        if header.subsampling_x && header.subsampling_y {
            header.chroma_sample_position = b.bits(2)? as u8;
        }
    }
    b.skip(1)?; // separate_uv_delta_q
    Some(header)
}
