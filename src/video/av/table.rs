//! What is to be known of each of libavcodec's encoders. A further encoder is a row here.
#![deny(unsafe_code)]

use super::x265_keys::X265_KEYS;
use crate::base::Result;
use crate::plan::CrfScale;
use crate::syntax::{hvcc, nal};
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
    /// What a search has to know of its quality.
    pub(super) search: CrfScale,
    /// Options that are set always.
    pub(super) always: &'static [(&'static str, &'static str)],
    /// Further ones like those of [`RESERVED`], options and keys of `lists`.
    pub(super) reserved: &'static [&'static str],
    /// Options that take a list `key=value:key=value`, and the one of them that our own entries go into.
    pub(super) lists: &'static [&'static str],
    pub(super) list: &'static str,
    /// Entries of that list that are set always.
    pub(super) always_listed: &'static [(&'static str, &'static str)],
    /// Entries of that list for streams that are to be joined: what makes their headers the same at every quality.
    pub(super) joined_listed: &'static [(&'static str, &'static str)],
    /// The keys the list knows, where the encoder only warns of others and goes on; `None` where it refuses them.
    pub(super) keys: Option<&'static [&'static str]>,
    /// Threads where a spec leaves the level of parallelism open: a number that is the same on every machine, because
    /// the bytes depend on it.
    pub(super) threads: u32,
}

/// How a codec's packets and configuration are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StoredForm {
    /// H.264: start codes become lengths, parameter sets a configuration record.
    H264,
    /// H.265: the same.
    Hevc,
}

impl EncoderRow {
    /// Whether it is for our own settings to say.
    pub(super) fn is_reserved(&self, name: &str) -> bool {
        RESERVED.contains(&name) || self.reserved.contains(&name)
    }
}

impl StoredForm {
    /// FFmpeg's name of the codec.
    pub(super) fn codec(self) -> &'static str {
        match self {
            StoredForm::H264 => "h264",
            StoredForm::Hevc => "hevc",
        }
    }

    /// What a container's configuration is, from what the library gives as the codec's.
    ///
    /// # Errors
    /// `Encode` where the parameter sets are missing or broken.
    pub(super) fn configuration(self, extradata: &[u8]) -> Result<Vec<u8>> {
        match self {
            StoredForm::H264 => nal::avcc(extradata),
            StoredForm::Hevc => hvcc::hvcc(extradata),
        }
    }

    /// How many pictures may be decoded before one that is shown earlier, where the library does not say so itself.
    ///
    /// # Errors
    /// As [`configuration`](Self::configuration).
    pub(super) fn reorder(self, extradata: &[u8]) -> Result<Option<u32>> {
        match self {
            StoredForm::H264 => Ok(None),
            StoredForm::Hevc => hvcc::reorder(extradata).map(Some),
        }
    }

    /// A packet of the library as containers store it.
    ///
    /// # Errors
    /// `Encode` for a packet without a picture.
    pub(super) fn stored(self, packet: &[u8]) -> Result<Vec<u8>> {
        match self {
            StoredForm::H264 => nal::h264_to_lengths(packet),
            StoredForm::Hevc => nal::hevc_to_lengths(packet),
        }
    }
}

/// All rows.
pub(super) static ROWS: [EncoderRow; 2] = [LIBX264, LIBX265];

/// The presets of x264, which x265 took over.
const PRESETS: &[&str] =
    &["placebo", "veryslow", "slower", "slow", "medium", "fast", "faster", "veryfast", "superfast", "ultrafast"];

/// What no user can set, of any of them: what the frames or fields of a spec decide, and what changes the protocol between caller
/// and library.
const RESERVED: &[&str] = &[
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
    "fps",
    "output-depth",
    "frames",
    "seek",
];

/// Over the 13 chunks of three films at VMAF 93 by preset 6 the slope was 0.06 to 0.28 a CRF with either, 0.19 in the middle
/// with x264 and 0.15 with x265, and the CRF 21.5 to 34.5, 27 in the middle.
const X26_SCALE: CrfScale =
    CrfScale { first: 26.5, probe: 26.5, steepness: 4.0, probe_offset: 0.3, samples: [24.0, 29.0] };

const LIBX264: EncoderRow = EncoderRow {
    name: "libx264",
    form: StoredForm::H264,
    quality: "crf",
    worst: 51 * 4,
    defaults: [23 * 4, 23 * 4],
    presets: PRESETS,
    limits: Limits { min: 16, max_width: 16_384, max_height: 16_384, even: true },
    // Measured with build 164 at 1080p, `slower`: 240 and 16 at 8 bits, of which 10 bits take the double.
    memory: EncoderMemory { a_sample: 480, level_a_sample: 32 },
    // Measured so, in CPU time: `veryfast` takes a sixth of `slower`, two fifths of `medium`.
    probe: ProbeTraits { preset: 7, pays_up_to: 2 },
    search: X26_SCALE,
    // A keyframe that was asked for must be one from which decoding can start.
    always: &[("forced-idr", "1")],
    reserved: &[
        "global-header",
        "force-cfr",
        "interlaced",
        "tff",
        "bff",
        "pulldown",
        "nal-hrd",
        "output-csp",
        "input-depth",
    ],
    lists: &["x264-params", "x264opts"],
    list: "x264opts",
    always_listed: &[],
    joined_listed: &[("stitchable", "1")],
    keys: None,
    threads: 4,
};

const LIBX265: EncoderRow = EncoderRow {
    name: "libx265",
    form: StoredForm::Hevc,
    quality: "crf",
    worst: 51 * 4,
    defaults: [28 * 4, 28 * 4],
    presets: PRESETS,
    limits: Limits { min: 32, max_width: 16_384, max_height: 16_384, even: true },
    memory: EncoderMemory { a_sample: 480, level_a_sample: 32 },
    probe: ProbeTraits { preset: 8, pays_up_to: 4 },
    search: X26_SCALE,
    always: &[("forced-idr", "1")],
    // It prints by itself. Pictures that lean over a keyframe would be lost to whoever starts there.
    always_listed: &[("log-level", "none"), ("open-gop", "0"), ("info", "0")],
    joined_listed: &[],
    reserved: &[
        "keyint",
        "frame-threads",
        "open-gop",
        "log-level",
        "info",
        "interlace",
        "field",
        "hrd",
        "input-csp",
        "lossless",
        "csv",
        "csv-log-level",
        "recon",
        "analysis-save",
        "analysis-load",
        "dolby-vision-profile",
        "dolby-vision-rpu",
        "dhdr10-info",
        "nalu-file",
        "zonefile",
        "lambda-file",
        "master-display",
        "max-cll",
    ],
    lists: &["x265-params"],
    list: "x265-params",
    keys: Some(X265_KEYS),
    // Frames at once: with more than one libx265 3.5 now and then gave other bytes on a machine that was busy. The rows of a frame
    // go to all cores whatever this says.
    threads: 1,
};
