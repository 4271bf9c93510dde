//! RAII over libavformat, libavcodec, libavfilter, libswresample and libswscale: return codes become errors,
//! pointers become owners.
//!
//! Owns every contact with FFmpeg's libraries and nothing of what to do with them: which streams to take,
//! what a damaged packet means, which layout to mix to are decided by the rooms above. All `unsafe` of this
//! room is under `ffi/`. Supports FFmpeg 5.1 and later.
//!
//! Size: the surface of a C library, wrapped once: input, decoders, encoders, filters, conversions, output.
#![deny(unsafe_code)]

mod deinterlace;
mod detail;
mod ffi;
mod fields;
mod planar;
mod sequence;
mod tonemap;
mod weave;

pub use deinterlace::Deinterlacer;
pub use detail::{DetailMeter, PictureDetail};
pub use ffi::decoder::{Decoder, DecoderOptions, Received};
pub use ffi::encoder::{CodecEncoder, CodecSettings, has_video_encoder};
pub use ffi::frame::{AudioFrame, VideoFrame};
pub use ffi::hardware::Hardware;
pub use ffi::input::Input;
#[cfg(test)]
pub(crate) use ffi::input::openings;
pub use ffi::output::Output;
pub use ffi::output_stream::CoverPicture;
pub use ffi::packet::InputPacket;
pub use ffi::parameters::CodecParameters;
pub use ffi::resample::{ChannelLayout, Mix, Mixer, Resampler};
pub use ffi::rgb::{RgbConverter, RgbPicture};
pub use ffi::scale::Scaler;
pub use ffi::sound_encoder::{SampleKind, SoundCodecEncoder, SoundCodecSettings, VorbisLengths, has_sound_encoder};
pub use ffi::subtitle::{SubtitleConverter, SubtitleCue, has_decoder};
pub use ffi::{codec_is_text_subtitle, quiet_logs, versions};
pub use fields::{FieldMeter, FieldVerdict};
pub use sequence::PictureSequence;
pub use tonemap::ToneMapper;
