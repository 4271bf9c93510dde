//! SVT-AV1 behind the room's trait.
#![deny(unsafe_code)]

use crate::base::{CancelToken, Error, ErrorKind, Result};
use crate::media::{Crf, Frame};
use crate::plan::CrfScale;
use crate::video::facts::{EncoderMemory, EncoderTraits, ProbeTraits, QualityScale};
use crate::video::spec::{EncodeSpec, VideoParams};
use crate::video::traits::{Coded, EncoderFactory, KeyRequest, VideoEncoder};

use super::config::{CRF_STEP, EncoderConfig, MAX_PRESET, limits};
use super::encoder::{Draining, EncodedPacket, SvtSession};
use super::version::{library_version, many_encoders};

/// The SVT-AV1 that is linked.
pub(in crate::video) static SVT_AV1: SvtFactory = SvtFactory;

#[derive(Debug)]
pub(in crate::video) struct SvtFactory;

impl SvtFactory {
    pub(in crate::video) fn name(&self) -> &'static str {
        "svt-av1"
    }
}

impl EncoderFactory for SvtFactory {
    fn traits(&self) -> EncoderTraits {
        // Both are on the scale.
        let whole = |crf| Crf::whole(crf).unwrap_or(Crf::MAX);
        EncoderTraits {
            name: self.name(),
            codec: "av1",
            limits: limits(),
            depths: &[8, 10],
            scale: QualityScale {
                min: Crf::MIN,
                max: Crf::MAX,
                step: CRF_STEP,
                lower_is_better: true,
                default_hd: whole(25),
                default_uhd: whole(29),
            },
            fastest_preset: MAX_PRESET,
            // Measured at 180p, 720p and 1080p with 2.3.0, preset 6, 10 bit.
            memory: EncoderMemory { a_sample: 400, level_a_sample: 220 },
            // The fastest that still costs less than the ones above it: 11 to 13 cost the same in 2.3.0, a tenth of
            // preset 6. At preset 8 a run with it took 0.74 to 0.84 of the time of one without (three films), at 9 0.76 (one).
            probe: ProbeTraits { preset: 11, pays_up_to: 9 },
            search: CrfScale::SVT_AV1,
            reorders: false,
            hardware: false,
            film_grain: true,
            same_bytes_in_parallel: true,
        }
    }

    fn many_at_once(&self) -> bool {
        many_encoders()
    }

    fn version(&self) -> String {
        format!("SVT-AV1 {}", library_version())
    }

    fn parameters(&self, spec: &EncodeSpec, video: &VideoParams) -> Result<Vec<(String, String)>> {
        let spec = EncodeSpec { parallelism: 0, ..spec.clone() };
        Ok(EncoderConfig::of(&spec, video).to_parameters().0)
    }

    fn open(&self, spec: &EncodeSpec, video: &VideoParams, cancel: &CancelToken) -> Result<Box<dyn VideoEncoder>> {
        cancel.check()?;
        let traits = self.traits();
        spec.check(&traits)?;
        video.check(&traits)?;
        let encoder = SvtSession::open_when_free(&EncoderConfig::of(spec, video), cancel)?;
        Ok(Box::new(SvtEncoder { phase: Phase::Feeding(encoder), coded: 0, sequence_header: None }))
    }
}

/// Both phases of an encoder as one object.
struct SvtEncoder {
    phase: Phase,
    /// Packets given out.
    coded: u64,
    sequence_header: Option<Vec<u8>>,
}

enum Phase {
    Feeding(SvtSession),
    Draining(Draining),
    /// It could not be told that no more frames follow.
    Failed,
}

impl SvtEncoder {
    fn coded(&mut self, packet: EncodedPacket) -> Coded {
        if self.sequence_header.is_none() {
            self.sequence_header = packet.sequence_header().map(<[u8]>::to_vec);
        }
        let decode_index = self.coded;
        self.coded += 1;
        let EncodedPacket { frame_index, data, keyframe } = packet;
        Coded { frame_index, decode_index, data, keyframe }
    }
}

impl VideoEncoder for SvtEncoder {
    fn send(&mut self, frame: &Frame, key: KeyRequest) -> Result<()> {
        match (&mut self.phase, key) {
            (Phase::Feeding(encoder), KeyRequest::Auto) => encoder.send(frame),
            (Phase::Feeding(encoder), KeyRequest::Force) => encoder.send_keyframe(frame),
            _ => Err(Error::new(ErrorKind::Encode, "a frame came after the last").at(frame.pts)),
        }
    }

    fn receive(&mut self) -> Result<Option<Coded>> {
        let packet = match &mut self.phase {
            Phase::Feeding(encoder) => encoder.receive()?,
            Phase::Draining(encoder) => encoder.next_packet()?,
            Phase::Failed => return Err(Error::new(ErrorKind::Encode, "the encoder could not be ended")),
        };
        Ok(packet.map(|packet| self.coded(packet)))
    }

    fn finish(&mut self) -> Result<()> {
        self.phase = match std::mem::replace(&mut self.phase, Phase::Failed) {
            Phase::Feeding(encoder) => Phase::Draining(encoder.finish()?),
            other => other,
        };
        Ok(())
    }

    fn reorder_delay(&self) -> u32 {
        // AV1 shows pictures that were decoded earlier by a header of a few bytes, which is in the packet of its own
        // time: packets are in display order.
        0
    }

    fn codec_config(&self) -> Option<Vec<u8>> {
        self.sequence_header.clone()
    }
}
