//! What is asked of a run over folders of films.

use std::path::PathBuf;

/// Settings of a batch; an encode of one film takes no notice of them.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchSettings {
    /// Films at once, which share the cores and the memory of the run.
    pub jobs: u32,
    /// The folder that outputs go into, mirroring the one they come from; `None` leaves them beside their films.
    pub directory: Option<PathBuf>,
    /// What a film's name gets before its `.mkv`, where it stays beside its source.
    pub suffix: String,
    /// How much smaller an output has to be than its source, in percent; one that is not is thrown away.
    pub min_reduction: Option<f64>,
    /// Whether a film is left alone of which chunks miss their target at any CRF.
    pub skip_unreachable: bool,
    /// What a film's name gets before its ending when a rule left it alone after an encode.
    pub rename_skipped: Option<String>,
    /// Whether the verified output takes the place of its source.
    pub replace_source: bool,
    /// Whether the source is deleted once its output is verified.
    pub delete_source: bool,
    /// The shortest film that is encoded, in seconds.
    pub min_duration: Option<f64>,
    /// The smallest file that is encoded, in bytes.
    pub min_size: Option<u64>,
    /// The lowest bit rate of a film that is encoded, in kb/s, above 1080p.
    pub min_bitrate_2160p: Option<u32>,
    /// As [`min_bitrate_2160p`](Self::min_bitrate_2160p), above 720p.
    pub min_bitrate_1080p: Option<u32>,
    /// As [`min_bitrate_2160p`](Self::min_bitrate_2160p), of all others.
    pub min_bitrate_720p: Option<u32>,
    /// Whether files are films by what is in them, whatever they are called.
    pub by_content: bool,
    /// The command that is run with the path of the batch's report at its end.
    pub notify: Option<String>,
}

impl Default for BatchSettings {
    fn default() -> Self {
        BatchSettings {
            jobs: 1,
            directory: None,
            suffix: Self::SUFFIX.to_owned(),
            min_reduction: None,
            skip_unreachable: false,
            rename_skipped: None,
            replace_source: false,
            delete_source: false,
            min_duration: None,
            min_size: None,
            min_bitrate_2160p: None,
            min_bitrate_1080p: None,
            min_bitrate_720p: None,
            by_content: false,
            notify: None,
        }
    }
}

impl BatchSettings {
    /// The suffix of outputs that stand beside their source.
    pub const SUFFIX: &str = ".av1";
}
