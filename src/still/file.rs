//! The file of a still: under a temporary name, synced, decoded again, then renamed.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::made::MadeStill;
use super::request::{StillForm, StillFormat, StillRequest};
use super::{coded, gif_file};
use crate::base::{Error, ErrorKind, Result};
use crate::config::path_text::lossy;
use crate::store::PartialOutput;

/// What a still came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct StillReport {
    /// The file.
    #[serde(serialize_with = "lossy")]
    pub path: PathBuf,
    /// `poster`, `sheet` or `gif`.
    pub kind: &'static str,
    /// `JPEG`, `PNG`, `WebP` or `GIF`.
    pub format: &'static str,
    /// In samples, as it is shown.
    pub width: u32,
    /// In samples, as it is shown.
    pub height: u32,
    /// Pictures that follow each other in it; 1 for what does not move.
    pub pictures: usize,
    /// How long it moves, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_s: Option<f64>,
    /// When the pictures are shown in the film, in seconds.
    pub at_s: Vec<f64>,
    /// Its size.
    pub bytes: u64,
    /// Whether the film's pictures are HDR and were made darker for screens.
    pub tone_mapped: bool,
    /// What else there is to be known.
    pub notes: Vec<String>,
}

/// The file of a still that is being made.
pub(crate) struct StillFile {
    request: StillRequest,
    format: StillFormat,
    file: PartialOutput,
}

impl StillFile {
    /// The files of all stills; all that is wrong with what is asked for is told before one is made.
    ///
    /// # Errors
    /// `Usage`, and `Output` where a file cannot be made.
    pub(crate) fn create_all(input: &Path, requests: &[StillRequest], overwrite: bool) -> Result<Vec<Self>> {
        let formats = requests.iter().map(StillRequest::check).collect::<Result<Vec<_>>>()?;
        let create = |(request, format): (&StillRequest, StillFormat)| {
            let file = PartialOutput::create(input, &request.path, overwrite)?;
            Ok(StillFile { request: request.clone(), format, file })
        };
        requests.iter().zip(formats).map(create).collect()
    }

    fn write(&self, still: MadeStill) -> Result<StillReport> {
        let path = self.request.path.clone();
        let bytes = match &self.request.kind {
            StillForm::Preview(options) => gif_file::encode(&still.pictures, options.colors, options.repeat)?,
            _ => coded::encode(&still.pictures[0].0, self.format, still.quality)?,
        };
        let cannot = |e: std::io::Error| Error::new(ErrorKind::Output, "cannot write the output").caused_by(e);
        self.file.file()?.write_all(&bytes).map_err(cannot)?;
        self.file.sync()?;
        let there = std::fs::read(self.file.path()).map_err(cannot)?;
        let duration_s = self.verify(&there, &still)?;
        let mut notes = Vec::new();
        if still.toned {
            notes.push("the film is HDR: its light was mapped to a screen's by Hable's curve".to_owned());
        }
        let picture = &still.pictures[0].0;
        Ok(StillReport {
            path,
            kind: self.request.word(),
            format: self.format.name(),
            width: picture.width,
            height: picture.height,
            pictures: still.pictures.len(),
            duration_s,
            at_s: still.at,
            bytes: there.len() as u64,
            tone_mapped: still.toned,
            notes,
        })
    }

    /// Decodes what is in the file; its length where it moves.
    fn verify(&self, bytes: &[u8], still: &MadeStill) -> Result<Option<f64>> {
        let failed = |what: String| Err(Error::new(ErrorKind::Verification, what));
        let picture = &still.pictures[0].0;
        if self.format == StillFormat::Gif {
            let length: u64 = still.pictures.iter().map(|(_, delay)| u64::from(*delay)).sum();
            let expected = (picture.width, picture.height, still.pictures.len(), length);
            let found = gif_file::decode(bytes)?;
            if found != expected {
                return failed(format!("the GIF decodes to {found:?}, not {expected:?}"));
            }
            return Ok(Some(length as f64 / 100.0));
        }
        let back = coded::decode(bytes, self.format)?;
        if (back.width, back.height, back.bytes.len()) != (picture.width, picture.height, picture.bytes.len()) {
            let (w, h) = (picture.width, picture.height);
            return failed(format!("the picture decodes to {}x{}, not {w}x{h}", back.width, back.height));
        }
        /// Mean difference in code values: the worst quality of JPEG loses less.
        const MOST: u64 = 40;
        let off: u64 = back.bytes.iter().zip(&picture.bytes).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        let (off, most) =
            (off / back.bytes.len().max(1) as u64, if self.format == StillFormat::Png { 0 } else { MOST });
        if off > most {
            return failed(format!("the picture decodes to another: {off} steps off in the mean"));
        }
        Ok(None)
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// `Output`.
    pub(crate) fn publish(self) -> Result<()> {
        self.file.publish()
    }
}

/// Writes and verifies all of them; none has its name yet.
///
/// # Errors
/// `Output`, `Encode` and `Verification`, with the file.
pub(crate) fn made(files: &[StillFile], stills: Vec<MadeStill>) -> Result<Vec<StillReport>> {
    let all = files.iter().zip(stills);
    all.map(|(file, still)| file.write(still).map_err(|e| e.with_file(&file.request.path))).collect()
}
