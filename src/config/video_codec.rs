//! What the picture is encoded to.

use serde::{Deserialize, Serialize};

/// A codec of the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VideoCodec {
    /// AV1, by SVT-AV1.
    #[default]
    Av1,
    /// H.264, by libx264.
    H264,
    /// H.265, by libx265.
    Hevc,
}

impl VideoCodec {
    /// All of them.
    pub const ALL: [VideoCodec; 3] = [VideoCodec::Av1, VideoCodec::H264, VideoCodec::Hevc];

    /// FFmpeg's name of the codec.
    pub fn name(self) -> &'static str {
        match self {
            VideoCodec::Av1 => "av1",
            VideoCodec::H264 => "h264",
            VideoCodec::Hevc => "hevc",
        }
    }

    /// The encoder of it.
    pub const fn encoder(self) -> &'static str {
        match self {
            VideoCodec::Av1 => "svt-av1",
            VideoCodec::H264 => "libx264",
            VideoCodec::Hevc => "libx265",
        }
    }
}
