//! What a run has to say of itself, as one JSON object.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use crate::config::EncodeSettings;
use crate::config::path_text::lossy;
use crate::flow::StageReport;
use crate::media::{Color, HdrStatic, PoolStats};
use crate::plan::{Loudness, Piece, TryRecord};
use crate::search::SampleReport;
use crate::source::DecodeStats;
use crate::stages::streams::StreamDecision;
use crate::still::StillReport;
use crate::verify::Verification;

/// The report of one encode. Field names are part of the command-line contract.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The source.
    pub input: FileReport,
    /// The result.
    pub output: FileReport,
    /// How much smaller the result is, in percent of the source's bytes; negative if it grew.
    pub reduction_percent: f64,
    /// The picture.
    pub video: VideoReport,
    /// What became of each source stream.
    pub streams: Vec<StreamReport>,
    /// Captions that were taken out of the picture and written beside the output; absent where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub captions: Vec<CaptionReport>,
    /// How loud audio tracks were and are, where that was asked for; absent where it was not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub loudness: Vec<LoudnessReport>,
    /// How quality was chosen and, where it was measured, what it is.
    pub quality: QualityReport,
    /// What samples of the film came to, where its rate factor follows from them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<SampleReport>,
    /// The parts that were encoded on their own.
    pub chunks: Vec<ChunkReport>,
    /// What each stage did.
    pub stages: Vec<StageReport>,
    /// What decoding the source met with.
    pub decode: DecodeStats,
    /// Frame buffers allocated against used again.
    pub frame_pool: PoolStats,
    /// The most memory the process had, in bytes.
    pub peak_memory_bytes: Option<u64>,
    /// Seconds from start to verified output.
    pub wall_s: f64,
    /// Processor seconds of the whole process during the run, all threads.
    pub cpu_s: Option<f64>,
    /// Processor cores the process may use.
    pub cores: usize,
    /// How much of them it used, 0 to 1.
    pub utilisation: Option<f64>,
    /// Frames a second over the encode without verification.
    pub encode_fps: f64,
    /// The checks of the written file.
    pub verification: Verification,
    /// Things the user should know.
    pub warnings: Vec<String>,
    /// The settings the run was made with.
    pub settings: EncodeSettings,
    /// Versions of drapto and the libraries in it.
    pub versions: BTreeMap<String, String>,
    /// Posters, contact sheets and previews that were made with it; absent where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stills: Vec<StillReport>,
    /// The reports of the other outputs of the same request, in its order; absent where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Report>,
}

/// A file.
#[derive(Clone, Debug, Serialize)]
pub struct FileReport {
    /// Where it is.
    #[serde(serialize_with = "lossy")]
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Length of the film in seconds.
    pub duration_s: f64,
    /// Pictures.
    pub frames: u64,
}

/// A file of captions.
#[derive(Clone, Debug, Serialize)]
pub struct CaptionReport {
    /// `cc1` for captions of the first field, `cc3` for those of the second.
    pub channel: &'static str,
    /// Captions in it.
    pub cues: usize,
    /// Where it is.
    pub path: PathBuf,
}

/// The encoded picture.
#[derive(Clone, Debug, Serialize)]
pub struct VideoReport {
    /// Width in luma samples.
    pub width: u32,
    /// Height in luma samples.
    pub height: u32,
    /// Bits a sample of the output.
    pub bit_depth: u8,
    /// Width of the source in luma samples.
    pub source_width: u32,
    /// Height of the source in luma samples.
    pub source_height: u32,
    /// What the source's pictures are made of: `progressive`, `interlaced-top-first`, `interlaced-bottom-first`,
    /// `hard-telecine`, `soft-telecine`.
    pub fields: &'static str,
    /// Whether they were deinterlaced, at the same frame rate.
    pub deinterlaced: bool,
    /// The part of the source that was encoded, as `width:height:x:y` ; `None` for all of it.
    pub crop: Option<String>,
    /// The source's frame rate in words.
    pub frame_rate: Option<String>,
    /// Sample aspect ratio in words.
    pub sample_aspect_ratio: Option<String>,
    /// Rotation a player applies, clockwise degrees.
    pub rotation: i32,
    /// Colour as it was written: as the source says, unless it was tone mapped or scaled from SD to HD or back.
    pub color: Color,
    /// What the picture's size implies where the source is silent; never written into the file.
    pub implied_color: Option<String>,
    /// `SDR`, `HDR10`, `HDR10+`, `HLG`, or `PQ` for PQ without static metadata.
    pub hdr_kind: &'static str,
    /// How HDR was made SDR, where it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tonemap: Option<ToneReport>,
    /// Static HDR metadata.
    pub hdr: HdrStatic,
    /// Dolby Vision of the source and of the output, where the source has it.
    pub dolby_vision: Option<DolbyVisionReport>,
    /// Pictures whose HDR10+ metadata was carried.
    pub hdr10_plus_frames: u64,
    /// The source's codec.
    pub source_codec: String,
    /// The decoder used.
    pub decoder: String,
    /// The output's codec.
    pub codec: &'static str,
}

/// Tone mapping.
#[derive(Clone, Debug, Serialize)]
pub struct ToneReport {
    /// What the source is: `HDR10`, `HLG` and so on.
    pub source: &'static str,
    /// The curve.
    pub curve: &'static str,
    /// The brightest light that was expected, in cd/m².
    pub peak: f64,
}

/// Dolby Vision.
#[derive(Clone, Debug, Serialize)]
pub struct DolbyVisionReport {
    /// Profile of the source, with what its base layer is to others: `8.1`, `7.6 FEL`.
    pub source: String,
    /// The source's layers in words.
    pub layers: &'static str,
    /// Profile of the output, `10.0`, `10.1`, `10.2` or `10.4`; `None` where it was not carried.
    pub output: Option<String>,
    /// Level of the output.
    pub level: Option<u8>,
    /// Pictures whose metadata was carried.
    pub frames: u64,
}

/// One source stream.
#[derive(Clone, Debug, Serialize)]
pub struct StreamReport {
    /// What was decided.
    #[serde(flatten)]
    pub decision: StreamDecision,
    /// For encoded audio: what happened to its time.
    pub audio: Option<crate::audio::AudioStats>,
}

/// How loud an audio track was and is.
#[derive(Clone, Debug, Serialize)]
pub struct LoudnessReport {
    /// The source's stream.
    pub stream: usize,
    /// The integrated loudness that was asked for, in LUFS.
    pub target_lufs: f64,
    /// What this track was to come to: of tracks that are levelled together each keeps its distance from the others.
    pub aim_lufs: f64,
    /// The highest true peak that was asked for, in dB of full scale.
    pub ceiling_dbtp: f64,
    /// How loud it was.
    pub before: Loudness,
    /// How loud the track in the file is.
    pub after: Option<Loudness>,
    /// Decibels that were added.
    pub gain_db: f64,
    /// Whether a limiter held its peaks.
    pub limited: bool,
    /// Times that the track was encoded to find that out.
    pub trials: u32,
    /// Why it is not as it was asked for, where it is not.
    pub note: Option<String>,
}

impl LoudnessReport {
    /// `-18.2 → -23.0 LUFS, true peak -4.1 dBTP, limited`
    pub fn words(&self) -> String {
        let after = self.after.unwrap_or_default();
        let (Some(before), Some(now)) = (self.before.integrated_lufs, after.integrated_lufs) else {
            return "silent".to_owned();
        };
        let peak = after.true_peak_dbtp.map_or(String::new(), |peak| format!(", true peak {peak:.1} dBTP"));
        let limited = if self.limited { ", limited" } else { "" };
        format!("{before:.1} → {now:.1} LUFS{peak}{limited}")
    }
}

/// Quality.
#[derive(Clone, Debug, Serialize)]
pub struct QualityReport {
    /// `crf`: a fixed rate factor; `chunk`: a target for every chunk; `title`: one for the film, at one rate factor.
    pub mode: &'static str,
    /// The rate factor; of several the mean over frames.
    pub crf: f64,
    /// The target, in modes that have one.
    pub target: Option<f64>,
    /// How far a chunk may be from it.
    pub tolerance: Option<f64>,
    /// The score of the chunk with the lowest one.
    pub worst_chunk: Option<f64>,
    /// Frames that were encoded for each frame that was kept, by this run or by earlier ones: the price of the search.
    pub encodes_a_chunk: Option<f64>,
    /// Encodes of chunks and of their ends that this run made, fast ones that only tell where to begin included.
    pub encodes_made: Option<u64>,
    /// Those it did not make because what they come to was remembered from an earlier run.
    pub encodes_remembered: Option<u64>,
    /// Why the scores compare only among themselves, where they do.
    pub relative: Option<&'static str>,
    /// Arithmetic mean of the scores, where they were measured.
    pub mean: Option<f64>,
    /// Harmonic mean.
    pub harmonic_mean: Option<f64>,
    /// 5th percentile.
    pub p5: Option<f64>,
    /// Lowest frame.
    pub min: Option<f64>,
    /// Every how many-th frame is scored; in chunks that are rough every one, see [`ChunkReport::stride`].
    pub stride: Option<u32>,
    /// The VMAF model.
    pub model: Option<String>,
}

/// A part that was encoded on its own.
#[derive(Clone, Debug, Serialize)]
pub struct ChunkReport {
    /// Position among the chunks.
    pub index: usize,
    /// Time of its first frame in seconds.
    pub start_pts: f64,
    /// Frames in it.
    pub frames: u64,
    /// The rate factor of the bytes that were kept.
    pub crf: f64,
    /// Encodes it took.
    pub attempts: u32,
    /// Bytes of its packets.
    pub bytes: u64,
    /// Its score, where it was measured.
    pub vmaf: Option<f64>,
    /// The best score it can have, where that was measured.
    pub ceiling: Option<f64>,
    /// The pieces of its bytes, where it is of several: its end was encoded again alone. `crf` is their mean over its frames.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pieces: Vec<Piece>,
    /// Why it is not at the target, where it is not.
    pub note: Option<String>,
    /// Every encode that was begun for it, with what came of it.
    pub tries: Vec<TryRecord>,
    /// Every how many-th of its frames was scored, where it was.
    pub stride: Option<u32>,
    /// The scores of those frames.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<f64>,
}
