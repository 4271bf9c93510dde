//! Files of a job whose sound is the same: what becomes of each stream is decided, measured and encoded once for them.

use super::deciding::decisions;
use super::loudness::{LevelledTracks, Levelling};
use crate::base::{CancelToken, Result};
use crate::config::EncodeSettings;
use crate::container::Format;
use crate::event::Sink;
use crate::media::MediaInfo;
use crate::plan::LateStream;
use crate::stages::streams::StreamDecision;

/// The groups of a job's outputs, in the order of their first.
pub(super) struct SoundGroups<'a> {
    /// By output.
    of: Vec<usize>,
    groups: Vec<GroupWish<'a>>,
}

struct GroupWish<'a> {
    /// Of the first of them.
    settings: &'a EncodeSettings,
    /// Of all of them.
    formats: Vec<Format>,
}

/// What becomes of the streams in the files of a group.
pub(super) struct SoundGroup {
    /// As Matroska holds them.
    pub(super) decisions: Vec<StreamDecision>,
    pub(super) levelled: LevelledTracks,
}

/// Whether the same becomes of each stream of sound.
fn alike(a: &EncodeSettings, b: &EncodeSettings) -> bool {
    (a.audio, a.audio_codec, a.audio_bitrate, a.downmix) == (b.audio, b.audio_codec, b.audio_bitrate, b.downmix)
        && a.loudness == b.loudness
}

impl<'a> SoundGroups<'a> {
    pub(super) fn new(outputs: &'a [EncodeSettings]) -> Self {
        let (mut of, mut groups) = (Vec::new(), Vec::<GroupWish<'a>>::new());
        for settings in outputs {
            let group = groups.iter().position(|group| alike(group.settings, settings)).unwrap_or_else(|| {
                groups.push(GroupWish { settings, formats: Vec::new() });
                groups.len() - 1
            });
            groups[group].formats.push(Format::of_name(&settings.output));
            of.push(group);
        }
        SoundGroups { of, groups }
    }

    /// The group of an output.
    pub(super) fn of(&self, output: usize) -> usize {
        self.of.get(output).copied().unwrap_or(0)
    }

    /// What becomes of each stream, by group.
    ///
    /// # Errors
    /// `Usage` and `Unsupported` for what cannot be made of it, `Skipped` for a film that is left alone.
    pub(super) fn decisions(&self, info: &MediaInfo) -> Result<Vec<Vec<StreamDecision>>> {
        self.groups.iter().map(|group| decisions(group.settings, &group.formats, info)).collect()
    }

    /// The same, with what is done to their loudness.
    ///
    /// # Errors
    /// As [`decisions`](Self::decisions), and those of reading the sound.
    pub(super) fn levelled(
        &self,
        info: &MediaInfo,
        late: &[LateStream],
        sink: &dyn Sink,
        cancel: &CancelToken,
    ) -> Result<Vec<SoundGroup>> {
        let mut out = Vec::new();
        for (group, decisions) in self.groups.iter().zip(self.decisions(info)?) {
            let levelling = Levelling { settings: group.settings, info, late, decisions: &decisions, sink, cancel };
            let levelled = levelling.level()?;
            out.push(SoundGroup { decisions, levelled });
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SoundCodec;

    #[test]
    fn outputs_of_one_sound_are_one_group() {
        let output = |name: &str, codec| EncodeSettings { audio_codec: codec, ..EncodeSettings::new("film.mkv", name) };
        let outputs =
            [output("a.mp4", SoundCodec::Aac), output("b.webm", SoundCodec::Opus), output("c.mkv", SoundCodec::Aac)];
        let groups = SoundGroups::new(&outputs);
        assert_eq!((0..3).map(|n| groups.of(n)).collect::<Vec<_>>(), [0, 1, 0]);
        assert_eq!(groups.groups[0].formats, [Format::Mp4, Format::Matroska]);
    }
}
