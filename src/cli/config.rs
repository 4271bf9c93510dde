//! `drapto config`.

use std::fmt::Write;
use std::io::ErrorKind as IoErrorKind;

use drapto::config::{FileSettings, Quality, TEMPLATE};
use drapto::{EncodeSettings, Error, ErrorKind, Result};

use super::args::ConfigCommand;
use super::print;

pub fn run(command: &ConfigCommand) -> Result<()> {
    match command {
        ConfigCommand::Show { config } => {
            let file = config.as_deref().map(FileSettings::read).transpose()?.unwrap_or_default();
            print(&show(&file)?)
        }
        ConfigCommand::Check { file } => {
            let mut settings = EncodeSettings::new("in", "out");
            FileSettings::read(file)?.apply(&mut settings);
            settings.check().map_err(|e| e.with_file(file))?;
            print("✓ the settings are sound\n")
        }
        ConfigCommand::Init { file } => {
            let written = std::fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(file)
                .and_then(|mut f| std::io::Write::write_all(&mut f, TEMPLATE.as_bytes()));
            written.map_err(|e| match e.kind() {
                IoErrorKind::AlreadyExists => Error::new(ErrorKind::Usage, "the file exists").with_file(file),
                _ => Error::new(ErrorKind::Output, "cannot write the settings").caused_by(e).with_file(file),
            })
        }
    }
}

/// Each setting, its value and where that comes from.
fn show(file: &FileSettings) -> Result<String> {
    let mut settings = EncodeSettings::new("in", "out");
    file.apply(&mut settings);
    settings.check()?;
    let mut out = String::new();
    let mut line = |name: &str, value: String, from_file: bool| {
        let source = if from_file { "file" } else { "default" };
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{name:<16}{value:<32}{source}");
    };
    match &settings.quality {
        Quality::Crf(crf) => {
            line("crf", crf.map_or("25 up to 1080p, 29 above".to_owned(), |c| c.to_string()), file.crf.is_some());
        }
        Quality::Target(t) => {
            line("target_vmaf", t.vmaf.to_string(), file.target_vmaf.is_some());
            line("vmaf_tolerance", t.tolerance.to_string(), file.vmaf_tolerance.is_some());
            line("per", t.per.name().to_owned(), file.per.is_some());
            line("crf_min", t.crf_min.to_string(), file.crf_min.is_some());
            line("crf_max", t.crf_max.to_string(), file.crf_max.is_some());
            line("chunk_size", t.chunk_seconds.to_string(), file.chunk_size.is_some());
            line("vmaf_stride", t.stride(settings.preset).to_string(), file.vmaf_stride.is_some());
            let model = t.model.clone().unwrap_or_else(|| "by size".to_owned());
            line("vmaf_model", model, file.vmaf_model.is_some());
        }
    }
    let automatic = |value: Option<String>| value.unwrap_or_else(|| "automatic".to_owned());
    line("workers", automatic(settings.workers.map(|n| n.to_string())), file.workers.is_some());
    let memory = settings.max_memory.map(|bytes| (bytes >> 20).to_string());
    line("max_memory_mib", automatic(memory), file.max_memory_mib.is_some());
    let temp = settings.temp_dir.as_ref().map(|dir| dir.display().to_string());
    line("temp_dir", temp.unwrap_or_else(|| "the output's folder".to_owned()), file.temp_dir.is_some());
    line("preset", settings.preset.to_string(), file.preset.is_some());
    let picture = &settings.picture;
    let lower = |value: String| value.to_lowercase();
    line("crop", picture.crop.to_string(), file.crop.is_some());
    let scale = picture.scale.map_or("off".to_owned(), |s| s.to_string());
    line("scale", scale, file.scale.is_some());
    line("bit_depth", picture.bit_depth.to_string(), file.bit_depth.is_some());
    line("deinterlace", lower(format!("{:?}", picture.deinterlace)), file.deinterlace.is_some());
    line("dolby_vision", lower(format!("{:?}", picture.dolby_vision)), file.dolby_vision.is_some());
    line("film_grain", picture.film_grain.to_string(), file.film_grain.is_some());
    line("hwaccel", settings.hwaccel.to_string(), file.hwaccel.is_some());
    line("reencode", settings.reencode.to_string(), file.reencode.is_some());
    line("audio", format!("{:?}", settings.audio).to_lowercase(), file.audio.is_some());
    line("overwrite", settings.overwrite.to_string(), file.overwrite.is_some());
    line("accept_damage", settings.accept_damage.to_string(), file.accept_damage.is_some());
    for (name, value) in &settings.svt {
        line(&format!("svt.{name}"), value.clone(), true);
    }
    Ok(out)
}
