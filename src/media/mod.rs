//! The nouns every room speaks: packets, frames, the frame pool, what a stream is, fields, colour and HDR.
//!
//! Owns the types and their invariants; refuses I/O, FFI, threads and decisions.
#![deny(unsafe_code)]

mod boxes;
mod color;
mod crf;
mod dolby_vision;
mod elements;
mod fields;
mod frame;
mod orientation;
mod packet;
mod pool;
mod rect;
mod shown;
mod sound;
mod stream;
mod tone;
mod track;
mod wanted;

pub use boxes::{ChapterTrack, MovieBoxes, TrackBoxes};
pub use color::{
    ChromaLocation, Color, ColorRange, ContentLight, HdrStatic, MasteringDisplay, Matrix, Primaries, Transfer,
};
pub use crf::Crf;
pub use dolby_vision::{DolbyVision, EnhancementLayer, RpuConversion, RpuWindow};
pub use elements::{
    ChapterAtom, ChapterDisplay, Edition, PixelCrop, SegmentElements, SimpleTag, TagEntry, TagTargets, TrackElements,
};
pub use fields::{Combing, FieldCounts, FieldFlags, FieldLook, Parity, RepeatedField, Selection};
pub(crate) use frame::Carried;
pub use frame::{Dynamic, Frame, PixelFormat, Planes, Subsampling};
pub use orientation::{Flip, Orientation};
pub use packet::{Packet, PacketData, Trim};
pub use pool::{FramePool, PoolBuffer, PoolStats};
pub use rect::Rect;
pub use shown::Shown;
pub use sound::{Samples, Sound};
pub use stream::{
    Attachment, AudioInfo, Chapter, Disposition, FieldOrder, MediaInfo, StreamInfo, StreamKind, Tag, VideoInfo,
};
pub use tone::{MatrixChange, ToneCurve, ToneMapping};
pub use track::{
    AudioTrackParams, FileParams, SubtitleTrackParams, TrackCodec, TrackId, TrackKind, TrackParams, VideoTrackParams,
};
pub use wanted::{
    BitDepth, Crop, Deinterlace, DolbyVisionMode, Hwaccel, PictureSettings, SampleSettings, SampleTier, Scale,
};
