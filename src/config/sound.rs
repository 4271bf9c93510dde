//! What audio tracks are encoded to.

use serde::{Deserialize, Serialize};

/// A codec for sound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SoundCodec {
    /// Opus (RFC 6716), by libopus.
    #[default]
    Opus,
    /// AAC, low complexity (ISO/IEC 14496-3).
    Aac,
    /// FLAC (RFC 9639), without loss: 16 bits a sample, 24 where the source has more.
    Flac,
    /// Vorbis I.
    Vorbis,
    /// AC-3 (ETSI TS 102 366).
    Ac3,
    /// Enhanced AC-3 (the same, annex E).
    Eac3,
    /// MPEG-1 and MPEG-2 layer III.
    Mp3,
    /// Samples as they are, 16 bits, 24 where the source has more; for files of sound alone.
    Pcm,
}

impl SoundCodec {
    /// The words of the setting; PCM is for files of sound alone.
    pub(super) const WORDS: &[&str] = &["opus", "aac", "flac", "vorbis", "ac3", "eac3", "mp3"];

    /// All of them.
    pub const ALL: [SoundCodec; 8] = [
        SoundCodec::Opus,
        SoundCodec::Aac,
        SoundCodec::Flac,
        SoundCodec::Vorbis,
        SoundCodec::Ac3,
        SoundCodec::Eac3,
        SoundCodec::Mp3,
        SoundCodec::Pcm,
    ];

    /// Its name for people.
    pub fn title(self) -> &'static str {
        match self {
            SoundCodec::Opus => "Opus",
            SoundCodec::Aac => "AAC",
            SoundCodec::Flac => "FLAC",
            SoundCodec::Vorbis => "Vorbis",
            SoundCodec::Ac3 => "AC-3",
            SoundCodec::Eac3 => "E-AC-3",
            SoundCodec::Mp3 => "MP3",
            SoundCodec::Pcm => "PCM",
        }
    }

    /// Whether nothing is lost by it, so that there is no bit rate to choose.
    pub fn is_lossless(self) -> bool {
        matches!(self, SoundCodec::Flac | SoundCodec::Pcm)
    }
}

/// To which layout audio tracks with more channels are mixed down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Downmix {
    /// To none.
    #[default]
    Off,
    /// Left and right.
    Stereo,
    /// One channel.
    Mono,
    /// Five channels and the LFE.
    #[serde(rename = "5.1")]
    Surround,
}

impl Downmix {
    /// The words of the setting.
    pub(super) const WORDS: &[&str] = &["off", "stereo", "mono", "5.1"];

    /// FFmpeg's name of the layout; `None` where nothing is mixed down.
    pub fn layout(self) -> Option<&'static str> {
        match self {
            Downmix::Off => None,
            Downmix::Stereo => Some("stereo"),
            Downmix::Mono => Some("mono"),
            Downmix::Surround => Some("5.1"),
        }
    }
}
