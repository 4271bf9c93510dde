//! Captions written as text beside an output, where that is asked for.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::analyze::{Captions, captions, to_srt};
use crate::base::{CancelToken, Error, ErrorKind, Result, Span};
use crate::config::EncodeSettings;
use crate::event::{Event, Sink};
use crate::report::CaptionReport;
use crate::store::PartialOutput;

/// The names a file of captions may have, between the output's stem and `.srt`.
const CHANNELS: [&str; 2] = ["cc1", "cc3"];

/// The files of one output. Their names are taken before the encode, as the output's is.
pub(super) struct CaptionFiles {
    files: Vec<(&'static str, PathBuf, PartialOutput)>,
    found: Option<Captions>,
    failure: Option<String>,
}

impl CaptionFiles {
    /// Refuses what would lose something, by the rules for outputs; `None` where nobody asked for captions.
    pub(super) fn create(settings: &EncodeSettings) -> Result<Option<Self>> {
        if !settings.extract_captions {
            return Ok(None);
        }
        let mut files = Vec::new();
        for channel in CHANNELS {
            let path = settings.output.with_extension(format!("{channel}.srt"));
            let file = PartialOutput::create(&settings.input, &path, settings.overwrite)?;
            files.push((channel, path, file));
        }
        Ok(Some(CaptionFiles { files, found: None, failure: None }))
    }

    /// Decodes stream `stream` of the film for its captions. Only an interruption ends the run: a film does not fail over
    /// captions.
    pub(super) fn read(&mut self, input: &Path, stream: usize, sink: &dyn Sink, cancel: &CancelToken) -> Result<()> {
        sink.event(&Event::Stage { name: "captions" });
        match captions(input, stream, cancel) {
            Ok(found) => self.found = Some(found),
            Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
            Err(error) => self.failure = Some(error.to_string()),
        }
        Ok(())
    }

    /// What the user should know of them.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut out = Vec::new();
        if let Some(why) = &self.failure {
            out.push(format!("captions cannot be written: {why}"));
        }
        let Some(found) = &self.found else { return out };
        if found.digital > 0 {
            let pictures = found.digital;
            out.push(format!("CEA-708 captions of {pictures} pictures are not written: only the CEA-608 part is read"));
        }
        if let Some((count, why)) = &found.damaged {
            out.push(format!("{count} captions are damaged and left out; the first: {why}"));
        }
        if found.tracks.is_empty() {
            out.push("there are no CEA-608 captions to extract".to_owned());
        }
        out
    }

    /// Gives the files that hold captions their names, all times moved by `by`; the others vanish.
    pub(super) fn publish(self, by: Span) -> Result<Vec<CaptionReport>> {
        let tracks = self.found.map(|found| found.tracks).unwrap_or_default();
        let mut reports = Vec::new();
        for (channel, path, partial) in self.files {
            let Some(track) = tracks.iter().find(|track| track.channel == channel) else { continue };
            let failed = |e| Error::new(ErrorKind::Output, "cannot write the captions").caused_by(e).with_file(&path);
            partial.file()?.write_all(&to_srt(&track.cues, by)).map_err(failed)?;
            partial.sync()?;
            partial.publish()?;
            reports.push(CaptionReport { channel, cues: track.cues.len(), path });
        }
        Ok(reports)
    }
}
