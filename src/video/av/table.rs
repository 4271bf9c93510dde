//! What is to be known of each of libavcodec's encoders. A further encoder is a row here.
#![deny(unsafe_code)]

use crate::video::facts::{EncoderMemory, Limits, ProbeTraits};

/// One of libavcodec's encoders.
#[derive(Debug)]
pub(super) struct EncoderRow {
    /// Its name, there and here.
    pub(super) name: &'static str,
    /// What its packets become.
    pub(super) form: StoredForm,
    /// The option that takes the quality.
    pub(super) quality: &'static str,
    /// Quarters of the highest number of its quality that is of use; the lowest is 1.
    pub(super) worst: u16,
    /// Quarters of the default quality up to 1080p and above.
    pub(super) defaults: [u16; 2],
    /// The values of `preset`, the slowest first.
    pub(super) presets: &'static [&'static str],
    pub(super) limits: Limits,
    pub(super) memory: EncoderMemory,
    pub(super) probe: ProbeTraits,
    /// Options that are set always.
    pub(super) always: &'static [(&'static str, &'static str)],
    /// Options, and keys of `lists`, that are decided by the frames or by fields of a spec, or that change the protocol
    /// between caller and library.
    pub(super) reserved: &'static [&'static str],
    /// Options that take a list `key=value:key=value`, and the one of them that refuses unknown keys.
    pub(super) lists: &'static [&'static str],
    pub(super) strict_list: &'static str,
    /// Threads where a spec leaves the level of parallelism open: a number that is the same on every machine, because
    /// the bytes depend on it.
    pub(super) threads: u32,
}

/// How a codec's packets and configuration are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StoredForm {
    /// H.264: start codes become lengths, parameter sets a configuration record.
    H264,
}

impl StoredForm {
    /// FFmpeg's name of the codec.
    pub(super) fn codec(self) -> &'static str {
        match self {
            StoredForm::H264 => "h264",
        }
    }
}

/// All rows.
pub(super) static ROWS: [EncoderRow; 1] = [LIBX264];

const LIBX264: EncoderRow = EncoderRow {
    name: "libx264",
    form: StoredForm::H264,
    quality: "crf",
    worst: 51 * 4,
    defaults: [23 * 4, 23 * 4],
    presets: &[
        "placebo",
        "veryslow",
        "slower",
        "slow",
        "medium",
        "fast",
        "faster",
        "veryfast",
        "superfast",
        "ultrafast",
    ],
    limits: Limits { min: 16, max_width: 16_384, max_height: 16_384, even: true },
    // Measured with build 164 at 1080p, `slower`: 240 and 16 at 8 bits, of which 10 bits take the double.
    memory: EncoderMemory { a_sample: 480, level_a_sample: 32 },
    // Measured so, in CPU time: `veryfast` takes a sixth of `slower`, two fifths of `medium`.
    probe: ProbeTraits { preset: 7, pays_up_to: 2 },
    // A keyframe that was asked for must be one from which decoding can start.
    always: &[("forced-idr", "1")],
    reserved: &[
        "preset",
        "crf",
        "qp",
        "b",
        "bitrate",
        "g",
        "threads",
        "flags",
        "flags2",
        "forced-idr",
        "pixel_format",
        "pix_fmt",
        "video_size",
        "time_base",
        "pass",
        "passlogfile",
        "stats",
        "qpfile",
        "annexb",
        "repeat-headers",
        "global-header",
        "fps",
        "force-cfr",
        "interlaced",
        "tff",
        "bff",
        "pulldown",
        "nal-hrd",
        "output-csp",
        "input-depth",
        "output-depth",
        "frames",
        "seek",
    ],
    lists: &["x264-params", "x264opts"],
    strict_list: "x264opts",
    threads: 4,
};
