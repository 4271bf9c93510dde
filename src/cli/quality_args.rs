//! What may be typed for `drapto analyze` and `drapto compare`.

use std::path::{Path, PathBuf};

use clap::Args;
use drapto::quality::{AssessOptions, ComparedFile, QualityMetric, Thresholds};
use drapto::{Error, ErrorKind, Result};

use super::places::input;

/// How many of the worst pictures a page shows.
const WORST: usize = 6;

/// How pictures are measured against a reference.
#[derive(Args, Debug)]
pub struct MeasureArgs {
    /// The metrics, with commas between: vmaf, psnr, ssim, ms_ssim, ciede2000, psnr_hvs, ssimulacra2, cambi, or all.
    #[arg(long, value_name = "NAMES", default_value = "vmaf,psnr,ssim")]
    pub metrics: String,
    /// VMAF's model, by libvmaf's name [default: vmaf_v0.6.1, above 2560x1440 vmaf_4k_v0.6.1].
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Measure every N-th picture; N has to be odd.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub stride: u32,
}

impl MeasureArgs {
    /// What is asked of the library.
    pub fn options(&self) -> Result<AssessOptions> {
        let metrics = QualityMetric::parse_list(&self.metrics)?;
        Ok(AssessOptions { metrics, model: self.model.clone(), stride: self.stride, ..AssessOptions::default() })
    }
}

#[derive(Args, Debug)]
pub struct AnalyzeArgs {
    /// The file, or its reference and the file.
    #[arg(required = true, num_args = 1..=2, value_names = ["REFERENCE", "FILE"])]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub measure: MeasureArgs,
    /// A file in TOML of what is warned of and what fails [default: what is unusual in a finished film].
    #[arg(long, value_name = "FILE.toml")]
    pub thresholds: Option<PathBuf>,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
    /// Write the analysis as JSON, with the values of all pictures, to this file.
    #[arg(long, value_name = "FILE.json")]
    pub report: Option<PathBuf>,
    /// Write a page with plots over time, and the worst pictures beside the reference's, to this file.
    #[arg(long, value_name = "FILE.html")]
    pub report_html: Option<PathBuf>,
    /// Write the verdict as JUnit XML to this file.
    #[arg(long, value_name = "FILE.xml")]
    pub junit: Option<PathBuf>,
}

impl AnalyzeArgs {
    /// The reference, if there is one, and the file.
    pub fn reference_and_file(&self) -> (Option<&Path>, &Path) {
        match self.files.as_slice() {
            [reference, file, ..] => (Some(input(reference)), input(file)),
            [file] => (None, input(file)),
            [] => (None, Path::new("")),
        }
    }

    /// What is asked of the library.
    pub fn options(&self) -> Result<AssessOptions> {
        let thresholds = self.thresholds.as_deref().map(Thresholds::read).transpose()?.unwrap_or_default();
        let worst = if self.report_html.is_some() { WORST } else { 0 };
        Ok(AssessOptions { thresholds, worst, ..self.measure.options()? })
    }
}

#[derive(Args, Debug)]
pub struct CompareArgs {
    /// The source of all files.
    pub reference: PathBuf,
    /// The files. Those of one curve have its name before them, as x264=a.mkv: four or more make a curve, and curves are
    /// held against the first by BD-rate.
    #[arg(required = true, value_name = "[CURVE=]FILE")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub measure: MeasureArgs,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

impl CompareArgs {
    /// The files, each with its curve.
    pub fn compared(&self) -> Result<Vec<ComparedFile>> {
        self.files.iter().map(|given| compared(given)).collect()
    }
}

/// `x264=a.mkv`, unless there is a file of that whole name.
fn compared(given: &Path) -> Result<ComparedFile> {
    if given.exists() {
        return Ok(ComparedFile { file: given.to_path_buf(), curve: None });
    }
    match given.to_str().and_then(|text| text.split_once('=')) {
        Some(("", _) | (_, "")) => {
            let message = format!("{} names no curve or no file; write CURVE=FILE", given.display());
            Err(Error::new(ErrorKind::Usage, message))
        }
        Some((curve, file)) => Ok(ComparedFile { file: file.into(), curve: Some(curve.to_owned()) }),
        None => Ok(ComparedFile { file: given.to_path_buf(), curve: None }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_stands_before_its_file_unless_a_file_is_called_so() {
        let folder = tempfile::tempdir().unwrap();
        let odd = folder.path().join("a=b.mkv");
        std::fs::write(&odd, b"x").unwrap();
        assert_eq!(compared(&odd).unwrap(), ComparedFile { file: odd.clone(), curve: None });
        let named = compared(Path::new("x264=/nowhere/a=b.mkv")).unwrap();
        assert_eq!(named, ComparedFile { file: "/nowhere/a=b.mkv".into(), curve: Some("x264".to_owned()) });
        assert_eq!(compared(Path::new("a.mkv")).unwrap().curve, None);
        assert_eq!(compared(Path::new("=a.mkv")).unwrap_err().kind(), ErrorKind::Usage);
    }
}
