//! The fast encode of a chunk that tells about its right CRF.

use super::super::picture::encoder_config;
use super::chunk::Chunk;
use crate::base::Result;
use crate::config::EncodeSettings;
use crate::media::{Crf, VideoInfo};
use crate::meter::{SessionConfig, Stride};
use crate::video::EncoderConfig;

/// The preset of probes: the fastest that still costs less than the ones above it (11 to 13 cost the same in SVT-AV1
/// 2.3.0, a tenth of preset 6).
const PRESET: u8 = 11;

/// Up to this preset an encode costs so much more than a probe that the probe pays.
const SLOWEST_ENCODES: u8 = 7;

/// Every how many-th frame of a probe is scored: a multiple of the default stride, so that its scores are of frames
/// that the tries score, too.
const STRIDE: u32 = 9;

/// Whether chunks that are encoded at this preset are probed first.
pub(super) fn pays(preset: u8) -> bool {
    preset <= SLOWEST_ENCODES
}

/// What encodes and scores the probe of `chunk` at `crf`: in the source's own depth where that is 8, which is faster.
pub(super) fn probe(
    settings: &EncodeSettings,
    video: &VideoInfo,
    chunk: &Chunk,
    crf: Crf,
    session: SessionConfig,
) -> Result<(EncoderConfig, SessionConfig)> {
    let mut config = encoder_config(settings, video, &chunk.shown)?;
    let depth = if chunk.eight_bit { 8 } else { config.bit_depth };
    config.preset = PRESET;
    config.crf = crf;
    config.bit_depth = depth;
    // The user's parameters are for the preset they were given with.
    config.parameters = Vec::new();
    Ok((config, SessionConfig { depth, stride: Stride::new(STRIDE)?, ..session }))
}
