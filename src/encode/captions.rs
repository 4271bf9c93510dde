//! Captions written as text beside an output, where that is asked for.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::analyze::{Captions, SERVICES, captions, to_srt};
use crate::base::{CancelToken, Error, ErrorKind, Result, Span};
use crate::config::EncodeSettings;
use crate::event::{Event, Sink};
use crate::report::CaptionReport;
use crate::store::PartialOutput;

/// The names a file of captions may have, between the output's stem and `.srt`.
const FIELDS: [&str; 2] = ["cc1", "cc3"];

/// The files of one output. Their names are taken before the encode, as the output's is.
pub(super) struct CaptionFiles {
    files: Vec<(&'static str, PathBuf, PartialOutput)>,
    found: Option<Captions>,
    failure: Option<String>,
}

/// Where captions of an encode with these settings go; nowhere where nobody asked for them.
pub(super) fn caption_paths(settings: &EncodeSettings) -> Vec<(&'static str, PathBuf)> {
    let channels = FIELDS.iter().chain(&SERVICES).filter(|_| settings.extract_captions);
    channels.map(|c| (*c, settings.output.with_extension(format!("{c}.srt")))).collect()
}

impl CaptionFiles {
    /// Refuses what would lose something, by the rules for outputs; `None` where nobody asked for captions.
    pub(super) fn create(settings: &EncodeSettings) -> Result<Option<Self>> {
        if !settings.extract_captions {
            return Ok(None);
        }
        let mut files = Vec::new();
        for (channel, path) in caption_paths(settings) {
            let file = PartialOutput::create(&settings.input, &path, settings.overwrite)?;
            files.push((channel, path, file));
        }
        Ok(Some(CaptionFiles { files, found: None, failure: None }))
    }

    /// Decodes the film for its captions. Only an interruption ends the run: a film does not fail over captions.
    pub(super) fn read(
        &mut self,
        (source, stream): (&Path, usize),
        sink: &dyn Sink,
        cancel: &CancelToken,
    ) -> Result<()> {
        sink.event(&Event::Stage { name: "captions" });
        match captions(source, stream, cancel) {
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
        if found.further > 0 {
            out.push(format!(
                "CEA-708 captions of services beyond the sixth, in {} packets, are not written",
                found.further
            ));
        }
        if let Some((count, why)) = &found.damaged {
            out.push(format!("{count} captions are damaged and left out; the first: {why}"));
        }
        if found.tracks.is_empty() {
            out.push("there are no captions to extract".to_owned());
        }
        out
    }

    /// Gives the files that hold captions their names; the others vanish. Cues come `by` later than in the film.
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
