//! What a machine offers and what a film needs, in numbers.

use crate::base::{Result, machine_memory};
use crate::config::{EncodeSettings, Target};
use crate::media::VideoInfo;
use crate::plan::{Layout, Machine, Needs, layout};
use crate::stages::spec::factory;

/// The most a run takes unless it is told otherwise.
const MOST: u64 = 8 << 30;

/// What the process needs beside frames, encoders and meters: code, demuxers, decoders, audio.
const BASE: u64 = 200 << 20;

/// Bytes of libvmaf's buffers and of dav1d's pictures a luma sample.
const METER_A_SAMPLE: u64 = 120;

/// Frames on their way through one try beside the chunk's own: the encoder's look-ahead, what waits for the score
/// stage, and what that has not finished of the try before.
const IN_FLIGHT: u64 = 160;

/// Bytes a run is given: as many as were asked for, or what the machine bears.
pub(crate) fn memory_of(settings: &EncodeSettings) -> u64 {
    settings.max_memory.unwrap_or_else(|| MOST.min(machine_memory().map_or(MOST, |m| m / 10 * 8)))
}

/// How the run is laid out, and from what.
pub(crate) struct Room {
    pub(crate) layout: Layout,
    /// Bytes the run was given.
    pub(crate) memory: u64,
}

impl Room {
    /// For pictures like `video`, each of `frame` bytes while it is held.
    pub(crate) fn of(settings: &EncodeSettings, target: &Target, video: &VideoInfo, frame: u64) -> Result<Self> {
        let encoder = factory(settings)?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let memory = memory_of(settings);
        let samples = u64::from(video.width) * u64::from(video.height);
        let rate = video.frame_rate.map_or(25.0, |r| r.as_f64()).clamp(1.0, 240.0);
        let needs = Needs {
            encoder: samples * encoder.traits().memory.a_sample,
            encoder_level: samples * encoder.traits().memory.level_a_sample,
            meter: samples * METER_A_SAMPLE,
            chunk: ((target.chunk_seconds + 1.0) * rate).ceil() as u64 * frame,
            in_flight: IN_FLIGHT * frame,
        };
        let machine = Machine { cores, memory: memory.saturating_sub(BASE) };
        let at_once = if encoder.many_at_once() { None } else { Some(1) };
        let mut layout = layout(machine, &needs, settings.workers.map(|n| n as usize), at_once);
        if target.per.is_title() {
            // Most chunks wait until the whole film was read: no memory is enough to hold them all.
            layout.held = None;
        }
        Ok(Room { layout, memory })
    }
}
