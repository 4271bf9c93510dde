//! What every encoder is to those who feed it.
#![deny(unsafe_code)]

use std::fmt;

use crate::base::{CancelToken, Result};
use crate::media::{Frame, PacketData};

use super::facts::EncoderTraits;
use super::spec::{EncodeSpec, VideoParams};

/// Whether a frame must become a keyframe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyRequest {
    /// The encoder decides.
    #[default]
    Auto,
    /// It must, and no later frame may lean on one before it.
    Force,
}

/// One coded picture.
///
/// Law: an encoder gives these in decode order, one for each frame that was sent, and names that frame: nothing may
/// be concluded from the order. Its times are those of its frame; [`DecodeTimes`](super::DecodeTimes) makes the
/// decoding times.
#[derive(Clone, Debug)]
pub struct Coded {
    /// The [`Frame::index`] of the frame this shows.
    pub frame_index: u64,
    /// Position in decode order, from 0 without gaps.
    pub decode_index: u64,
    /// The bytes as Matroska and MP4 store them: for AV1 a temporal unit in the low-overhead format (a keyframe's
    /// holds the sequence header), for H.264 NAL units behind lengths of four bytes.
    pub data: PacketData,
    /// Whether decoding can start here.
    pub keyframe: bool,
}

/// An open encoder.
///
/// Law: frames come in display order, their indices without gaps (the first may be any). `send` copies the frame or
/// keeps a reference to it, and may wait while the encoder is full, so the caller must `receive` until `None` after
/// each `send`. Any one thread at a time may hold it. Dropping it abandons the stream; that may wait until the
/// frames within (at most its look-ahead) are encoded.
pub trait VideoEncoder: Send {
    /// Gives the encoder a frame.
    ///
    /// # Errors
    /// `Encode` if the frame is not 4:2:0 of the size and depth that were named at opening or not the next by index,
    /// after [`finish`](Self::finish), or if the library fails; `Usage` for [`KeyRequest::Force`] unless
    /// [`EncodeSpec::forced_keyframes`] was set.
    fn send(&mut self, frame: &Frame, key: KeyRequest) -> Result<()>;

    /// The next coded picture. Before [`finish`](Self::finish) it does not wait, and `None` means "none yet";
    /// afterwards it waits, and `None` is the end and stays it.
    ///
    /// # Errors
    /// `Encode` if the library fails, names a frame it was not given, or ends with fewer pictures than frames.
    fn receive(&mut self) -> Result<Option<Coded>>;

    /// Says that no more frames follow. Again, it does nothing.
    fn finish(&mut self) -> Result<()>;

    /// How many pictures may be decoded before one that is shown earlier: 0 where nothing is reordered. Known from
    /// the opening on.
    fn reorder_delay(&self) -> u32;

    /// What a container's codec configuration is made of, once it is known: for H.264 an
    /// `AVCDecoderConfigurationRecord`, from the opening on; for AV1 the sequence header OBU, from the first
    /// keyframe on.
    fn codec_config(&self) -> Option<Vec<u8>>;
}

/// A kind of encoder, by which encoders are opened.
pub trait EncoderFactory: Send + Sync + fmt::Debug {
    /// What it is and can do. Costs nothing.
    fn traits(&self) -> EncoderTraits;

    /// Whether a process can have several open at a time. SVT-AV1 may load a copy of its library to find out, which
    /// is why it stands apart from [`traits`](Self::traits).
    fn many_at_once(&self) -> bool;

    /// What it is called in reports, with its version, such as `SVT-AV1 v2.3.0`.
    fn version(&self) -> String;

    /// What the encoder is told for `spec` and pictures like `video`, in its own words and in order, later ones of a name in
    /// the place of earlier ones. Left out is what comes from the pictures themselves (size, depth, colour, HDR metadata)
    /// and the level of parallelism.
    ///
    /// # Errors
    /// `Usage` for parameters it does not take, as far as that is known without opening it.
    fn parameters(&self, spec: &EncodeSpec, video: &VideoParams) -> Result<Vec<(String, String)>>;

    /// What happened that a user should know, in sentences; each is told once.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// Opens an encoder. Where there can be one only, it waits for that to be dropped; a thread that holds it itself
    /// would wait for ever.
    ///
    /// # Errors
    /// `Unsupported` for a picture it does not take, `Usage` for settings and parameters it does not take, naming
    /// them, `Encode` if the library cannot start, and `Interrupted` once `cancel` is set.
    fn open(&self, spec: &EncodeSpec, video: &VideoParams, cancel: &CancelToken) -> Result<Box<dyn VideoEncoder>>;
}
