//! Settings files.

use std::path::Path;

use serde::Deserialize;

use super::{
    AudioMode, BitDepth, Crop, Deinterlace, DolbyVisionMode, EncodeSettings, Hwaccel, Per, PictureSettings, Quality,
    Scale, Target,
};
use crate::base::{Error, ErrorKind, Result};

/// A settings file with every key, commented out at its default.
pub const TEMPLATE: &str = "\
# drapto settings. Flags on the command line go before this file.

# VMAF that every chunk has to meet, and how far it may be from it on either side.
# target_vmaf = 93.0
# vmaf_tolerance = 0.5

# \"chunk\" meets the target in every chunk, each at a CRF of its own, \"title\" over the whole film at one CRF.
# per = \"chunk\"

# The CRFs the search may use.
# crf_min = 8.0
# crf_max = 55.0

# The longest chunk in seconds, 1 to 300.
# chunk_size = 15.0

# Score every how many-th frame; take an odd number. Without it: 3 above preset 4, else 1.
# vmaf_stride = 3

# VMAF model by libvmaf's name. Without it: vmaf_v0.6.1, above 2560x1440 vmaf_4k_v0.6.1.
# vmaf_model = \"vmaf_v0.6.1\"

# Constant rate factor, 1 to 63, instead of a target.
# crf = 25

# SVT-AV1 preset, 0 (slowest) to 13 (fastest).
# preset = 6

# \"auto\" leaves black bars out, \"off\" encodes the whole picture, \"W:H:X:Y\" that part of it.
# crop = \"auto\"

# Scale to a height (the width follows), or to WIDTHxHEIGHT. Without it: not at all.
# scale = \"720\"

# Bits a sample of the output: \"8\", \"10\", or \"source\".
# bit_depth = \"10\"

# \"auto\" deinterlaces what is interlaced, at the same frame rate; \"off\" leaves it.
# deinterlace = \"auto\"

# Dolby Vision: \"auto\" carries it where AV1 can, \"strip\" leaves it out, \"require\" fails without it.
# dolby_vision = \"auto\"

# Strength of synthesised film grain, 0 (none) to 50.
# film_grain = 0

# Decode in hardware: \"auto\" where some opens and decodes the first picture, \"off\", or a device by FFmpeg's name.
# hwaccel = \"auto\"

# Encode films again that are AV1 already.
# reencode = false

# \"opus\" encodes audio tracks, \"copy\" keeps them where Matroska can carry the codec.
# audio = \"opus\"

# Encoders at once when there is a target. Without it: by cores, memory and picture size.
# workers = 1

# The most memory for frames, encoders and meters, in MiB. Without it: 8 GiB or 80 % of the machine.
# max_memory_mib = 8192

# Where finished chunks are kept until the film is whole. Without it: beside the output.
# temp_dir = \"/var/tmp\"

# Replace an output that exists.
# overwrite = false

# Encode a source of which more than 1 % of the pictures are lost.
# accept_damage = false

# Further SVT-AV1 parameters by the encoder's own names (a table: keep it last).
# [svt]
# film-grain = \"8\"
";

/// What a settings file says; `None` where it says nothing.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct FileSettings {
    pub target_vmaf: Option<f64>,
    pub vmaf_tolerance: Option<f64>,
    pub per: Option<Per>,
    pub crf_min: Option<f32>,
    pub crf_max: Option<f32>,
    pub chunk_size: Option<f64>,
    pub vmaf_stride: Option<u32>,
    pub vmaf_model: Option<String>,
    pub crf: Option<f32>,
    pub workers: Option<u32>,
    pub max_memory_mib: Option<u64>,
    pub temp_dir: Option<std::path::PathBuf>,
    pub preset: Option<u8>,
    #[serde(default)]
    pub svt: std::collections::BTreeMap<String, String>,
    pub crop: Option<Crop>,
    pub scale: Option<Scale>,
    pub bit_depth: Option<BitDepth>,
    pub deinterlace: Option<Deinterlace>,
    pub dolby_vision: Option<DolbyVisionMode>,
    pub film_grain: Option<u8>,
    pub hwaccel: Option<Hwaccel>,
    pub reencode: Option<bool>,
    pub audio: Option<AudioMode>,
    pub overwrite: Option<bool>,
    pub accept_damage: Option<bool>,
}

impl FileSettings {
    /// Reads a settings file; a wrong one is a `Usage` error that names line and key.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .map_err(|e| Error::new(ErrorKind::Usage, "cannot read the settings").caused_by(e).with_file(path))?;
        Self::parse(&text).map_err(|e| e.with_file(path))
    }

    /// Parses the text of a settings file.
    pub fn parse(text: &str) -> Result<Self> {
        toml::from_str(text).map_err(|e| Error::new(ErrorKind::Usage, e.to_string().trim_end().to_owned()))
    }

    /// Puts what the file says into `settings`.
    pub fn apply(&self, settings: &mut EncodeSettings) {
        if let Some(crf) = self.crf {
            settings.quality = Quality::Crf(Some(crf));
        } else if let Quality::Target(target) = &mut settings.quality {
            self.aim(target);
        }
        settings.workers = self.workers.or(settings.workers);
        settings.max_memory = self.max_memory_mib.map(|mib| mib << 20).or(settings.max_memory);
        settings.temp_dir = self.temp_dir.clone().or(settings.temp_dir.take());
        settings.preset = self.preset.unwrap_or(settings.preset);
        settings.svt.extend(self.svt.clone());
        self.treat(&mut settings.picture);
        settings.hwaccel = self.hwaccel.clone().unwrap_or(settings.hwaccel.clone());
        settings.reencode = self.reencode.unwrap_or(settings.reencode);
        settings.audio = self.audio.unwrap_or(settings.audio);
        settings.overwrite = self.overwrite.unwrap_or(settings.overwrite);
        settings.accept_damage = self.accept_damage.unwrap_or(settings.accept_damage);
    }

    /// Puts what the file says of the picture into `picture`.
    fn treat(&self, picture: &mut PictureSettings) {
        picture.crop = self.crop.unwrap_or(picture.crop);
        picture.scale = self.scale.or(picture.scale);
        picture.bit_depth = self.bit_depth.unwrap_or(picture.bit_depth);
        picture.deinterlace = self.deinterlace.unwrap_or(picture.deinterlace);
        picture.dolby_vision = self.dolby_vision.unwrap_or(picture.dolby_vision);
        picture.film_grain = self.film_grain.unwrap_or(picture.film_grain);
    }

    /// Puts what the file says of a target into `target`.
    pub fn aim(&self, target: &mut Target) {
        target.vmaf = self.target_vmaf.unwrap_or(target.vmaf);
        target.tolerance = self.vmaf_tolerance.unwrap_or(target.tolerance);
        target.per = self.per.unwrap_or(target.per);
        target.crf_min = self.crf_min.unwrap_or(target.crf_min);
        target.crf_max = self.crf_max.unwrap_or(target.crf_max);
        target.chunk_seconds = self.chunk_size.unwrap_or(target.chunk_seconds);
        target.stride = self.vmaf_stride.or(target.stride);
        target.model = self.vmaf_model.clone().or(target.model.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_says_nothing_until_it_is_edited_and_then_every_key_is_known() {
        assert_eq!(FileSettings::parse(TEMPLATE).unwrap(), FileSettings::default());
        let edited: Vec<&str> = TEMPLATE
            .lines()
            .filter_map(|l| l.strip_prefix("# "))
            .filter(|l| l.contains(" = ") || l.starts_with('['))
            .collect();
        let settings = FileSettings::parse(&edited.join("\n")).unwrap();
        assert_eq!(settings.crf, Some(25.0));
        assert_eq!(settings.svt.get("film-grain").map(String::as_str), Some("8"));
        assert_eq!(settings.accept_damage, Some(false));
    }

    #[test]
    fn an_unknown_key_is_a_usage_error_that_names_it() {
        let error = FileSettings::parse("speed = 3").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains("speed"), "{error}");
    }
}
