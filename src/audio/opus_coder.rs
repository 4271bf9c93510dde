//! libopus as one of the encoders.
#![deny(unsafe_code)]

use super::coder::{CodedSound, SoundCoder};
use super::ffi::{FRAME, OpusEncoder};
use super::sound_plan::SoundPlan;
use crate::base::{Error, ErrorKind, Result};
use crate::media::{AudioTrackParams, PacketData};
use crate::syntax::opus::{self, OpusHead};

pub(super) struct OpusCoder {
    opus: OpusEncoder,
    channels: usize,
    source_rate: u32,
}

impl OpusCoder {
    pub(super) fn new(plan: &SoundPlan, source_rate: u32) -> Result<Self> {
        let (channels, layout) = (plan.layout.channels(), &plan.layout);
        let opus = OpusEncoder::new(channels, layout.mapping_family(), plan.bitrate.unwrap_or(layout.bitrate()))?;
        Ok(OpusCoder { opus, channels, source_rate })
    }
}

impl SoundCoder for OpusCoder {
    fn frame(&self) -> usize {
        FRAME
    }

    fn takes_less(&self) -> bool {
        false
    }

    fn delay(&self) -> usize {
        usize::from(self.opus.pre_skip())
    }

    fn encode(&mut self, pcm: &[f32], out: &mut Vec<CodedSound>) -> Result<()> {
        out.push(CodedSound { data: PacketData::new(self.opus.encode(pcm)?), samples: FRAME });
        Ok(())
    }

    fn finish(&mut self, _: &mut Vec<CodedSound>) -> Result<()> {
        Ok(())
    }

    fn track(&self) -> Result<AudioTrackParams> {
        let head = OpusHead {
            channels: self.channels as u8,
            pre_skip: self.opus.pre_skip(),
            input_rate: self.source_rate,
            output_gain: 0,
            mapping: self.opus.mapping().clone(),
        };
        opus::track(&head.to_bytes())
            .ok_or_else(|| Error::new(ErrorKind::Encode, "the Opus header cannot be read back"))
    }

    fn last_configuration(&self) -> Option<Vec<u8>> {
        None
    }
}
