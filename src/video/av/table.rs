//! What is to be known of each of libavcodec's encoders. A further encoder is a row here.
#![deny(unsafe_code)]

use super::x265_keys::X265_KEYS;
use crate::av::Hardware;
use crate::base::Result;
use crate::media::Crf;
use crate::plan::CrfScale;
use crate::syntax::{av1, hvcc, nal};
use crate::video::facts::{EncoderMemory, Limits, ProbeTraits};

/// One of libavcodec's encoders.
#[derive(Debug)]
pub(super) struct EncoderRow {
    /// Its name, there and here.
    pub(super) name: &'static str,
    /// What its packets become.
    pub(super) form: StoredForm,
    /// The option that takes the quality, and what it is told of a CRF.
    pub(super) quality: &'static str,
    pub(super) told: fn(Crf) -> String,
    /// Quarters of the highest number of its quality that is of use; the lowest is 1.
    pub(super) worst: u16,
    /// The least step of the quality, in quarters.
    pub(super) step: u16,
    /// Quarters of the default quality up to 1080p and above.
    pub(super) defaults: [u16; 2],
    /// The values of `preset`, the slowest first.
    pub(super) presets: &'static [&'static str],
    pub(super) limits: Limits,
    pub(super) memory: EncoderMemory,
    pub(super) probe: ProbeTraits,
    /// What a search has to know of its quality.
    pub(super) search: CrfScale,
    /// What of hardware it needs; `None` of software.
    pub(super) hardware: Option<HardwareRow>,
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

/// An encoder in hardware.
#[derive(Clone, Copy, Debug)]
pub(super) struct HardwareRow {
    /// The depths it takes where the hardware is new enough; software is asked.
    pub(super) depths: &'static [u8],
    /// Where pictures have to be brought up to.
    pub(super) upload: Option<Hardware>,
}

/// How a codec's packets and configuration are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StoredForm {
    /// H.264: start codes become lengths, parameter sets a configuration record.
    H264,
    /// H.265: the same.
    Hevc,
    /// AV1: temporal units without their delimiter, the sequence header in the keyframes.
    Av1,
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
            StoredForm::Av1 => "av1",
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
            StoredForm::Av1 => Ok(extradata.to_vec()),
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
            StoredForm::Av1 => Ok(Some(0)),
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
            StoredForm::Av1 => Ok(av1::block_data(packet)?.into_owned()),
        }
    }
}

/// All rows.
pub(super) static ROWS: [EncoderRow; 13] = [
    LIBX264,
    LIBX265,
    nvenc("h264_nvenc", StoredForm::H264),
    nvenc("hevc_nvenc", StoredForm::Hevc),
    nvenc("av1_nvenc", StoredForm::Av1),
    qsv("h264_qsv", StoredForm::H264),
    qsv("hevc_qsv", StoredForm::Hevc),
    qsv("av1_qsv", StoredForm::Av1),
    vaapi("h264_vaapi", StoredForm::H264),
    vaapi("hevc_vaapi", StoredForm::Hevc),
    vaapi("av1_vaapi", StoredForm::Av1),
    videotoolbox("h264_videotoolbox", StoredForm::H264),
    videotoolbox("hevc_videotoolbox", StoredForm::Hevc),
];

/// What all in hardware have in common. None of it was seen on hardware: options are those that FFmpeg 5.1 to 8 document.
const fn in_hardware(name: &'static str, form: StoredForm) -> EncoderRow {
    let depths: &[u8] = match form {
        StoredForm::H264 => &[8],
        StoredForm::Hevc | StoredForm::Av1 => &[8, 10],
    };
    EncoderRow {
        name,
        form,
        quality: "",
        told: whole,
        worst: 51 * 4,
        step: 4,
        defaults: [26 * 4, 28 * 4],
        presets: &[],
        limits: Limits { min: 160, max_width: 8192, max_height: 8192, even: true },
        // In the device; here are the frames on their way.
        memory: EncoderMemory { a_sample: 48, level_a_sample: 0 },
        // A faster preset saves next to nothing.
        probe: ProbeTraits { preset: 0, pays_up_to: 0 },
        search: X26_SCALE,
        hardware: Some(HardwareRow { depths, upload: None }),
        always: &[],
        reserved: &[],
        lists: &[],
        list: "",
        always_listed: &[],
        joined_listed: &[],
        keys: None,
        threads: 1,
    }
}

/// NVIDIA's: constant quality within an average that is not bounded.
const fn nvenc(name: &'static str, form: StoredForm) -> EncoderRow {
    let worst = if matches!(form, StoredForm::Av1) { 63 * 4 } else { 51 * 4 };
    EncoderRow {
        quality: "cq",
        worst,
        presets: &["p7", "p6", "p5", "p4", "p3", "p2", "p1"],
        always: &[("rc", "vbr"), ("b", "0"), ("forced-idr", "1")],
        reserved: &["rc", "cq", "gpu"],
        ..in_hardware(name, form)
    }
}

/// Intel's Quick Sync: intelligent constant quality.
const fn qsv(name: &'static str, form: StoredForm) -> EncoderRow {
    EncoderRow {
        quality: "global_quality",
        presets: &["veryslow", "slower", "slow", "medium", "fast", "faster", "veryfast"],
        always: &[("forced_idr", "1")],
        reserved: &["global_quality", "forced_idr"],
        ..in_hardware(name, form)
    }
}

/// Linux' VAAPI: one quantiser, which all drivers have, and no pictures out of order, of which drivers tell too little.
const fn vaapi(name: &'static str, form: StoredForm) -> EncoderRow {
    let depths: &[u8] = match form {
        StoredForm::H264 => &[8],
        StoredForm::Hevc | StoredForm::Av1 => &[8, 10],
    };
    EncoderRow {
        quality: "global_quality",
        always: &[("rc_mode", "CQP"), ("bf", "0")],
        reserved: &["global_quality", "rc_mode", "bf"],
        hardware: Some(HardwareRow { depths, upload: Some(Hardware::Vaapi) }),
        ..in_hardware(name, form)
    }
}

/// Apple's VideoToolbox, whose quality goes from 1 to 100, the best: constant on Apple's own processors alone.
const fn videotoolbox(name: &'static str, form: StoredForm) -> EncoderRow {
    EncoderRow {
        quality: "global_quality",
        told: hundredths,
        always: &[("flags", "+qscale")],
        reserved: &["global_quality"],
        ..in_hardware(name, form)
    }
}

/// As it is.
fn same(crf: Crf) -> String {
    crf.to_string()
}

/// As a whole number.
fn whole(crf: Crf) -> String {
    format!("{:.0}", crf.as_f64())
}

/// CRF 1 to 51 as a quality of 100 down to 1, in libavcodec's lambda units (`FF_QP2LAMBDA`, 118).
fn hundredths(crf: Crf) -> String {
    let quality = (100.0 - (crf.as_f64() - 1.0) * 99.0 / 50.0).clamp(1.0, 100.0);
    format!("{:.0}", quality * 118.0)
}

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
    told: same,
    worst: 51 * 4,
    step: 1,
    defaults: [23 * 4, 23 * 4],
    presets: PRESETS,
    limits: Limits { min: 16, max_width: 16_384, max_height: 16_384, even: true },
    // Measured with build 164 at 1080p, `slower`: 240 and 16 at 8 bits, of which 10 bits take the double.
    memory: EncoderMemory { a_sample: 480, level_a_sample: 32 },
    // Measured so, in CPU time: `veryfast` takes a sixth of `slower`, two fifths of `medium`.
    probe: ProbeTraits { preset: 7, pays_up_to: 2 },
    search: X26_SCALE,
    hardware: None,
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
    told: same,
    worst: 51 * 4,
    step: 1,
    defaults: [28 * 4, 28 * 4],
    presets: PRESETS,
    limits: Limits { min: 32, max_width: 16_384, max_height: 16_384, even: true },
    memory: EncoderMemory { a_sample: 480, level_a_sample: 32 },
    probe: ProbeTraits { preset: 8, pays_up_to: 4 },
    search: X26_SCALE,
    hardware: None,
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
