//! Settings of one encode.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::batch::BatchSettings;
use super::path_text::{as_text, lossy, lossy_if_any};
use super::{
    Downmix, Hwaccel, LoudnessGoal, LoudnessSettings, PictureSettings, SampleSettings, SoundCodec, VideoCodec,
};
use crate::base::{Error, ErrorKind, Rational, Result};
use crate::media::Crf;

/// What becomes of audio tracks that are not in the codec that is asked for already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AudioMode {
    /// Encoded, to Opus unless another codec is asked for.
    #[default]
    Opus,
    /// Copied where Matroska can carry the codec, else encoded.
    Copy,
}

/// How far a program stands back behind others for disks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ionice {
    /// As it was begun.
    #[default]
    None,
    /// Behind its equals.
    BestEffort,
    /// Only while no other wants them.
    Idle,
}

/// What a target holds for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Per {
    /// For every chunk, each at a CRF of its own.
    #[default]
    Chunk,
    /// For the whole title, with the fewest bytes: each chunk at a CRF where a byte does as much as in any other.
    Title,
    /// For the whole title, at one CRF.
    TitleCrf,
    /// For samples of the title, which is encoded at the CRF that they need.
    Samples,
}

impl Per {
    /// As it is written in settings and reports.
    pub fn name(self) -> &'static str {
        match self {
            Per::Chunk => "chunk",
            Per::Title => "title",
            Per::TitleCrf => "title-crf",
            Per::Samples => "samples",
        }
    }

    /// Whether what is asked for is asked of the whole title.
    pub fn is_title(self) -> bool {
        matches!(self, Per::Title | Per::TitleCrf)
    }
}

/// How good the picture is to be.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    /// A VMAF score, measured on the final bytes.
    Target(Target),
    /// A constant rate factor, 1 to 63; `None` takes the default for the picture's size.
    Crf(Option<Crf>),
}

impl Quality {
    /// Whether the film is encoded once from its start to its end, at one CRF.
    pub fn is_one_pass(&self) -> bool {
        match self {
            Quality::Crf(_) => true,
            Quality::Target(target) => target.per == Per::Samples,
        }
    }
}

/// CRFs by the size of the picture that is encoded; `None` takes the encoder's own for that size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CrfBySize {
    /// Up to 1024×576, which holds DVDs.
    pub sd: Option<Crf>,
    /// Above that, up to 1920×1088 or as many pixels.
    pub hd: Option<Crf>,
    /// Above that.
    pub uhd: Option<Crf>,
}

impl CrfBySize {
    /// The one for a picture of this size in luma samples, upright or lying; by area and by the longer side, so that a film
    /// without its black bars is what it was with them.
    pub fn of(&self, width: u32, height: u32) -> Option<Crf> {
        let (area, longer) = (u64::from(width) * u64::from(height), width.max(height));
        let within = |w: u32, h: u32, longest: u32| area <= u64::from(w) * u64::from(h) && longer <= longest;
        match () {
            () if within(1024, 576, 1200) => self.sd,
            () if within(1920, 1088, 2560) => self.hd,
            () => self.uhd,
        }
    }
}

/// A target and how it is searched for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Target {
    /// VMAF to aim at, 1 to 99.
    pub vmaf: f64,
    /// What that holds for.
    pub per: Per,
    /// How far a chunk, or the title, may be from it on either side.
    pub tolerance: f64,
    /// Where it holds for the title, each chunk at a CRF of its own: the VMAF below which no chunk may fall. `None` takes 3
    /// less than the target.
    pub floor: Option<f64>,
    /// The lowest CRF tried.
    pub crf_min: f64,
    /// The highest CRF tried.
    pub crf_max: f64,
    /// The longest chunk in seconds.
    pub chunk_seconds: f64,
    /// Every how many-th frame is scored; `None` takes 3 above preset 4 and 1 up to it.
    pub stride: Option<u32>,
    /// The VMAF model by libvmaf's name; `None` chooses by the picture's size.
    pub model: Option<String>,
}

impl Default for Target {
    fn default() -> Self {
        Target {
            vmaf: 93.0,
            per: Per::default(),
            tolerance: 0.5,
            floor: None,
            crf_min: 8.0,
            crf_max: 55.0,
            chunk_seconds: 15.0,
            stride: None,
            model: None,
        }
    }
}

/// How much less than the title's target a chunk may have.
const BELOW_TARGET: f64 = 3.0;

impl Target {
    /// The VMAF below which no chunk may fall where the target is the title's and chunks have CRFs of their own.
    pub fn floor(&self) -> Option<f64> {
        (self.per == Per::Title).then(|| self.floor.unwrap_or((self.vmaf - BELOW_TARGET).max(0.0)))
    }

    /// Every how many-th frame is scored at `preset`: sampling pays where encoding is cheap.
    pub fn stride(&self, preset: u8) -> u32 {
        self.stride.unwrap_or(if preset > 4 { 3 } else { 1 })
    }

    /// The lowest and highest CRF within the range that an encoder can use whose CRFs go in steps of `step` quarters.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] where there is none.
    pub fn crf_range(&self, step: u16) -> Result<(Crf, Crf)> {
        let step = f64::from(step.max(1)) / 4.0;
        let (low, high) = ((self.crf_min / step).ceil() * step, (self.crf_max / step).floor() * step);
        if low <= high {
            return Ok((Crf::from_f64(low)?, Crf::from_f64(high)?));
        }
        let (min, max) = (self.crf_min, self.crf_max);
        let message = format!(
            "no CRF from crf_min {min} to crf_max {max} can be encoded: they go in steps of {step}, the nearest are \
             {high} and {low}"
        );
        Err(Error::new(ErrorKind::Usage, message))
    }

    /// Whether every value is within its limits.
    pub(crate) fn check(&self) -> Result<()> {
        within("the target VMAF", self.vmaf, 1.0, 99.0)?;
        within("the VMAF tolerance", self.tolerance, 0.1, 5.0)?;
        self.check_floor()?;
        within("the lowest CRF", self.crf_min, 1.0, 63.0)?;
        self.check_range()?;
        within("the chunk size in seconds", self.chunk_seconds, 1.0, 300.0)?;
        match self.stride {
            Some(0) => Err(Error::new(ErrorKind::Usage, "a VMAF stride of 0 scores nothing")),
            _ => Ok(()),
        }
    }

    /// Whether there may be a floor, and is not above the target.
    fn check_floor(&self) -> Result<()> {
        let Some(floor) = self.floor else { return Ok(()) };
        within("the lowest VMAF of a chunk", floor, 0.0, self.vmaf)?;
        if self.per == Per::Title {
            return Ok(());
        }
        let per = self.per.name();
        let message = format!("a floor is for a target of the title (--per title), not with --per {per}");
        Err(Error::new(ErrorKind::Usage, message))
    }

    /// Whether the range of CRFs has its ends in order.
    fn check_range(&self) -> Result<()> {
        within("the highest CRF", self.crf_max, self.crf_min, 63.0)
    }
}

fn within(name: &str, value: f64, low: f64, high: f64) -> Result<()> {
    match (low..=high).contains(&value) {
        true => Ok(()),
        false => Err(Error::new(ErrorKind::Usage, format!("{name} {value} is not within {low} to {high}"))),
    }
}

/// The fastest preset at which film grain can be asked for: above it SVT-AV1 has hardly the time to find out how strong it
/// is, and the encode keeps the grain as well as adding it.
const GRAIN_PRESET: u8 = 8;

fn check_grain(settings: &EncodeSettings) -> Result<()> {
    let (grain, preset) = (settings.picture.film_grain, settings.preset);
    if grain == 0 || preset <= GRAIN_PRESET {
        return Ok(());
    }
    let message = format!("film grain {grain} needs a preset of 0 to {GRAIN_PRESET}, not {preset}");
    Err(Error::new(ErrorKind::Usage, message))
}

fn check_replacement(settings: &EncodeSettings) -> Result<()> {
    let batch = &settings.batch;
    if !batch.replace_source || batch.directory.is_none() {
        return Ok(());
    }
    let message = "an output that takes its source's place goes into no other folder";
    Err(Error::new(ErrorKind::Usage, message))
}

/// A check of settings that each are sound.
type TogetherCheck = fn(&EncodeSettings) -> Result<()>;

/// Which settings cannot be together whatever else is set, by name.
pub(super) const TOGETHER: [(&[&str], TogetherCheck); 7] = [
    (&["video.film_grain", "video.preset"], check_grain),
    (&["quality.crf_min", "quality.crf_max"], |s| of_target(s, Target::check_range)),
    (&["batch.replace_source", "batch.directory"], check_replacement),
    (&["audio.loudness", "audio.mode"], check_loudness),
    (&["audio.downmix", "audio.mode"], check_downmix),
    (&["audio.bitrate", "audio.codec"], check_bitrate),
    (&["quality.floor", "quality.per", "quality.target_vmaf"], |s| of_target(s, Target::check_floor)),
];

fn check_loudness(settings: &EncodeSettings) -> Result<()> {
    if settings.audio == AudioMode::Copy && settings.loudness.goal != LoudnessGoal::Off {
        let message = "tracks that are copied stay as loud as they are; the loudness needs audio opus";
        return Err(Error::new(ErrorKind::Usage, message));
    }
    Ok(())
}

fn check_downmix(settings: &EncodeSettings) -> Result<()> {
    if settings.audio == AudioMode::Copy && settings.downmix != Downmix::Off {
        let message = "tracks that are copied keep their channels; a downmix needs audio opus";
        return Err(Error::new(ErrorKind::Usage, message));
    }
    Ok(())
}

fn check_bitrate(settings: &EncodeSettings) -> Result<()> {
    if settings.audio_bitrate.is_some() && settings.audio_codec.is_lossless() {
        let message = format!("{} loses nothing and has no bit rate to choose", settings.audio_codec.title());
        return Err(Error::new(ErrorKind::Usage, message));
    }
    Ok(())
}

fn of_target(settings: &EncodeSettings, check: fn(&Target) -> Result<()>) -> Result<()> {
    match &settings.quality {
        Quality::Target(target) => check(target),
        Quality::Crf(_) => Ok(()),
    }
}

/// Settings of one encode. `EncodeSettings::new(input, output)` gives the defaults; fields are public.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EncodeSettings {
    /// The film to read.
    #[serde(serialize_with = "lossy")]
    pub input: PathBuf,
    /// Where it is read, if that is another place: in a file that stands for what cannot be sought in.
    #[serde(skip)]
    pub(crate) read_from: Option<PathBuf>,
    /// Cores of the machine that are this encode's, where others run beside it; `None` for all.
    #[serde(skip)]
    pub(crate) cores: Option<u32>,
    /// Whether the input is the pattern of numbered pictures' names, as `shot%03d.png`.
    pub sequence: bool,
    /// How many of those are shown in a second.
    #[serde(serialize_with = "as_text")]
    pub frame_rate: Rational,
    /// The file to write: WebM, MP4 or MPEG-TS where its name ends so, else Matroska.
    #[serde(serialize_with = "lossy")]
    pub output: PathBuf,
    /// How good the picture is to be.
    pub quality: Quality,
    /// Where that is a CRF that is not named: those by the picture's size.
    pub crf_by_size: CrfBySize,
    /// Whether pictures are scored against their source at a fixed CRF, too, by VMAF.
    pub measure: bool,
    /// Speed, from 0 (slowest) to 13 (fastest) of SVT-AV1, to 9 of libx264 and libx265 (`placebo` to `ultrafast`).
    pub preset: u8,
    /// What is done to the picture before it is encoded.
    pub picture: PictureSettings,
    /// Whether the source is decoded in hardware.
    pub hwaccel: Hwaccel,
    /// Whether a film that is AV1 already is encoded again, instead of being left alone.
    pub reencode: bool,
    /// The codec that was asked for by name; `None` where it is the encoder's.
    pub(crate) codec: Option<VideoCodec>,
    /// The video encoder by name: `svt-av1`, `libx264`, `libx265`.
    pub encoder: String,
    /// Further SVT-AV1 parameters by the encoder's own names, applied last.
    pub svt: Vec<(String, String)>,
    /// What becomes of audio tracks.
    pub audio: AudioMode,
    /// What they are encoded to.
    pub audio_codec: SoundCodec,
    /// Bits a second of each track that is encoded, in thousands; `None` takes what its layout needs.
    pub audio_bitrate: Option<u32>,
    /// To which layout tracks with more channels are mixed down.
    pub downmix: Downmix,
    /// How loud they are made.
    pub loudness: LoudnessSettings,
    /// Whether an existing output may be replaced.
    pub overwrite: bool,
    /// Whether the file does not say how its video track was made.
    pub no_provenance: bool,
    /// Whether a source of which more than 1 % of the pictures are lost is encoded all the same.
    pub accept_damage: bool,
    /// Encoders at once when there is a target; `None` chooses by cores, memory and picture size.
    pub workers: Option<u32>,
    /// The most memory for frames, encoders and meters together when there is a target, in bytes; `None` takes
    /// the lesser of 8 GiB and 80 % of the machine.
    pub max_memory: Option<u64>,
    /// How much of the machine's cores the run may take, in percent, 1 to 100.
    pub max_cpu: u8,
    /// The most bytes a second that are read from the source; `None` for no limit.
    pub max_disk_io: Option<u64>,
    /// Where what is finished is kept until the film is whole; `None` takes the output's folder.
    #[serde(serialize_with = "lossy_if_any")]
    pub temp_dir: Option<PathBuf>,
    /// Whether that stays after a run that succeeded.
    pub keep_temp: bool,
    /// Whether the output begins where the source's own clock begins, not at zero.
    pub keep_start: bool,
    /// Whether closed captions inside the picture are written beside the output.
    pub extract_captions: bool,
    /// How a film is sampled where its CRF follows from samples.
    pub samples: SampleSettings,
    /// How far the program of this run stands back for the processor, 0 to 19. The library leaves its process as it is: this is
    /// for programs.
    #[serde(skip)]
    pub nice: u8,
    /// As [`nice`](Self::nice), for disks.
    #[serde(skip)]
    pub ionice: Ionice,
    /// Whether nothing is remembered from one run to the next.
    #[serde(skip)]
    pub no_cache: bool,
    /// The database of what is remembered; `None` remembers nothing.
    #[serde(skip)]
    pub cache_file: Option<PathBuf>,
    /// What is asked of a run over folders; an encode of one film takes no notice of it.
    #[serde(skip)]
    pub batch: BatchSettings,
    /// How long the pipeline may stand still before the watchdog stops it.
    #[serde(skip)]
    pub stall_timeout: Duration,
}

impl EncodeSettings {
    /// The default encoder.
    pub const ENCODER: &str = VideoCodec::Av1.encoder();

    /// The default preset.
    pub const PRESET: u8 = 6;

    /// The default preset of libx264 and libx265, which they call `medium`.
    pub const MEDIUM: u8 = 4;

    /// Default settings for encoding `input` to `output`.
    pub fn new(input: impl Into<PathBuf>, output: impl Into<PathBuf>) -> Self {
        EncodeSettings {
            input: input.into(),
            output: output.into(),
            read_from: None,
            cores: None,
            sequence: false,
            frame_rate: Rational::positive(25, 1).unwrap_or(Rational::ONE),
            quality: Quality::Target(Target::default()),
            crf_by_size: CrfBySize::default(),
            measure: false,
            preset: Self::PRESET,
            picture: PictureSettings::default(),
            hwaccel: Hwaccel::default(),
            reencode: false,
            codec: None,
            encoder: Self::ENCODER.to_owned(),
            svt: Vec::new(),
            audio: AudioMode::default(),
            audio_codec: SoundCodec::default(),
            audio_bitrate: None,
            downmix: Downmix::default(),
            loudness: LoudnessSettings::default(),
            overwrite: false,
            no_provenance: false,
            accept_damage: false,
            workers: None,
            max_memory: None,
            max_cpu: 100,
            max_disk_io: None,
            temp_dir: None,
            keep_temp: false,
            keep_start: false,
            extract_captions: false,
            samples: SampleSettings::default(),
            nice: 0,
            ionice: Ionice::default(),
            no_cache: false,
            cache_file: None,
            batch: BatchSettings::default(),
            stall_timeout: Duration::from_secs(120),
        }
    }

    /// Whether the output is a transport stream by its name: those hold no Opus.
    pub(super) fn is_broadcast(&self) -> bool {
        self.output.extension().is_some_and(|end| end.eq_ignore_ascii_case("ts"))
    }

    /// The file in which the input is read.
    pub(crate) fn source(&self) -> &Path {
        self.read_from.as_deref().unwrap_or(&self.input)
    }

    /// The database of what is remembered from run to run; `None` where nothing is.
    pub fn cache(&self) -> Option<&Path> {
        self.cache_file.as_deref().filter(|_| !self.no_cache)
    }

    /// Asks for a CRF where there was a target.
    pub(super) fn fix(&mut self) {
        if matches!(self.quality, Quality::Target(_)) {
            self.quality = Quality::Crf(None);
        }
    }

    /// Checks the ranges; an error is of kind `Usage` and names the setting.
    pub fn check(&self) -> Result<()> {
        if self.preset > 13 {
            return Err(Error::new(ErrorKind::Usage, format!("preset {} is not within 0 to 13", self.preset)));
        }
        check_grain(self)?;
        if !(1..=100).contains(&self.max_cpu) {
            let message = format!("{} % of the processor is not within 1 to 100", self.max_cpu);
            return Err(Error::new(ErrorKind::Usage, message));
        }
        match &self.quality {
            // In range by its type.
            Quality::Crf(_) => {}
            Quality::Target(target) => target.check()?,
        }
        self.picture.check()?;
        if self.workers == Some(0) {
            return Err(Error::new(ErrorKind::Usage, "0 workers encode nothing"));
        }
        if self.stall_timeout.is_zero() {
            return Err(Error::new(ErrorKind::Usage, "a stall timeout of 0 s would stop every run"));
        }
        Ok(())
    }

    /// Checks the CRFs against what the encoder knows: its CRFs go in steps of `step` quarters.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] that names the CRF and the nearest there are.
    pub fn check_crf(&self, step: u16) -> Result<()> {
        match &self.quality {
            Quality::Crf(Some(crf)) if !crf.quarters().is_multiple_of(step.max(1)) => {
                let step = f64::from(step) / 4.0;
                let low = (crf.as_f64() / step).floor() * step;
                let message = format!(
                    "CRF {crf} cannot be encoded: the encoder takes steps of {step}; {low} and {} are the nearest",
                    low + step
                );
                Err(Error::new(ErrorKind::Usage, message))
            }
            Quality::Crf(_) => Ok(()),
            Quality::Target(target) => target.crf_range(step).map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_out_of_range_is_named() {
        let mut settings = EncodeSettings::new("a", "b");
        settings.check().unwrap();
        settings.preset = 14;
        assert!(settings.check().unwrap_err().to_string().contains("preset 14"));
        settings.preset = 6;
        assert_eq!(settings.set("quality.crf", "NaN").unwrap_err().kind(), ErrorKind::Usage);
        for (target, part) in [
            (Target { vmaf: f64::NAN, ..Target::default() }, "target VMAF"),
            (Target { crf_max: 7.0, ..Target::default() }, "highest CRF"),
            (Target { chunk_seconds: 0.5, ..Target::default() }, "chunk size"),
            (Target { stride: Some(0), ..Target::default() }, "stride"),
        ] {
            settings.quality = Quality::Target(target);
            let error = settings.check().unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
        }
    }

    #[test]
    fn a_crf_that_cannot_be_encoded_is_refused_with_the_nearest() {
        let mut settings = EncodeSettings::new("a", "b");
        let error = settings.set("crf", "25.1").unwrap_err().to_string();
        assert!(error.contains("CRF 25.1 ") && error.contains("25 and 25.25"), "{error}");
        settings.set("crf", "25.25").unwrap();
        settings.check_crf(1).unwrap();
        let error = settings.check_crf(4).unwrap_err().to_string();
        assert!(error.contains("CRF 25.25 ") && error.contains("25 and 26"), "{error}");
    }

    #[test]
    fn a_range_is_searched_only_where_it_holds_a_crf_of_the_encoder() {
        let target = Target { crf_min: 20.5, crf_max: 20.5, ..Target::default() };
        let (min, max) = target.crf_range(1).unwrap();
        assert_eq!((min.as_f64(), max.as_f64()), (20.5, 20.5));
        let error = target.crf_range(4).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains("20.5") && error.to_string().contains("20 and 21"), "{error}");
        let (min, max) = Target { crf_min: 20.3, crf_max: 22.9, ..target }.crf_range(4).unwrap();
        assert_eq!((min.as_f64(), max.as_f64()), (21.0, 22.0));
    }

    #[test]
    fn the_default_stride_is_odd_and_follows_the_preset() {
        let target = Target::default();
        assert_eq!((target.stride(4), target.stride(5), target.stride(13)), (1, 3, 3));
        assert_eq!(Target { stride: Some(5), ..target }.stride(4), 5);
    }
}
