//! The encoder's two phases: taking frames, and giving out the rest.
#![deny(unsafe_code)]

use std::ffi::CString;
use std::thread;
use std::time::Duration;

use svt_av1_sys as sys;

use crate::base::{CancelToken, Error, ErrorKind, Result};
use crate::media::{Frame, PacketData};
use crate::video::frames;
use crate::video::spec::nominal_rate;

use super::config::EncoderConfig;
use super::ffi::{Code, Handle, OpenError, Settings, SvtPicture, Unit};
use super::fixed;

/// A coded frame: one temporal unit with one shown frame.
#[derive(Clone, Debug)]
pub struct EncodedPacket {
    /// The [`Frame::index`] of the frame this shows.
    pub frame_index: u64,
    /// The temporal unit, beginning with its temporal delimiter; a keyframe's holds the sequence header.
    pub data: PacketData,
    /// Whether decoding can start here.
    pub keyframe: bool,
}

impl EncodedPacket {
    /// The sequence header OBU of a keyframe, header and size included, for a container's codec configuration.
    ///
    /// Only the stream has the right one: what `svt_av1_enc_stream_header` gives before the first frame has
    /// other tool flags (seen in 2.3.0), and a decoder must not be told two things.
    pub fn sequence_header(&self) -> Option<&[u8]> {
        sequence_header(&self.data)
    }
}

/// The first sequence header OBU of a temporal unit in the low-overhead format (AV1 5.3.1, 5.3.2, 5.3.3).
fn sequence_header(mut unit: &[u8]) -> Option<&[u8]> {
    const SEQUENCE_HEADER: u8 = 1;
    while let Some(&header) = unit.first() {
        let extension = usize::from(header >> 2 & 1);
        let mut at = 1 + extension;
        let mut size = 0u64;
        if header & 0b10 != 0 {
            for shift in (0..56).step_by(7) {
                let byte = *unit.get(at)?;
                at += 1;
                size |= u64::from(byte & 0x7f) << shift;
                if byte & 0x80 == 0 {
                    break;
                }
            }
        } else {
            size = unit.len().checked_sub(at)? as u64;
        }
        let end = at.checked_add(usize::try_from(size).ok()?)?;
        let obu = unit.get(..end)?;
        if header >> 3 & 0xf == SEQUENCE_HEADER {
            return Some(obu);
        }
        unit = &unit[end..];
    }
    None
}

/// An encoder that takes frames.
///
/// Law: frames come in display order, their indices without gaps (the first may be any). `send` copies what
/// it needs and waits while the encoder is full, so the caller must `receive` until `None` after each
/// `send`: packets nobody takes fill the encoder for good. Packets come out in display order, one for each
/// frame. Any one thread at a time may hold it. Dropping it abandons the stream; the library cannot drop
/// pictures it was given, so that waits until those (at most its look-ahead) are encoded.
pub struct SvtSession {
    inner: Inner,
    force_keyframes: bool,
}

/// An encoder that was given its last frame.
pub struct Draining {
    inner: Inner,
}

impl SvtSession {
    /// Opens an encoder, or fails if one is open and the library cannot have two.
    #[cfg(test)]
    pub fn new(config: &EncoderConfig) -> Result<Self> {
        Self::open(config, || Err(busy()))
    }

    /// Opens an encoder; where the library can have only one (see [`many_encoders`](super::many_encoders)), waits for that
    /// to be dropped. A thread that holds it itself would wait for ever.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for a picture size the library does not take; [`ErrorKind::Usage`] for
    /// settings and parameters it does not take, naming them; [`ErrorKind::Encode`] if it cannot start;
    /// [`ErrorKind::Interrupted`] once `cancel` is set.
    pub fn open_when_free(config: &EncoderConfig, cancel: &CancelToken) -> Result<Self> {
        Self::open(config, || {
            cancel.check()?;
            thread::sleep(Duration::from_millis(20));
            Ok(())
        })
    }

    fn open(config: &EncoderConfig, mut when_busy: impl FnMut() -> Result<()>) -> Result<Self> {
        config.check()?;
        let (parameters, own) = config.to_parameters();
        let settings = Settings {
            width: config.width,
            height: config.height,
            bit_depth: config.bit_depth,
            rate: nominal_rate(config.frame_rate),
            code_points: fixed::code_points(&config.color),
            full_range: fixed::is_full_range(&config.color),
            chroma_position: fixed::chroma_sample_position(config.color.chroma_location),
            mdcv: config.hdr.mastering_display.as_ref().map(fixed::mdcv),
            cll: config.hdr.content_light.as_ref().map(fixed::cll),
            force_keyframes: config.force_keyframes,
            parameters: parameters.iter().map(c_strings).collect::<Result<_>>()?,
        };
        let handle = loop {
            match Handle::open(&settings) {
                Ok(handle) => break handle,
                Err(OpenError::Busy) => when_busy()?,
                Err(error) => return Err(open_error(error, config, &parameters, own)),
            }
        };
        let inner = Inner {
            handle,
            size: (config.width, config.height),
            depth: config.bit_depth,
            first: None,
            sent: 0,
            received: 0,
            packed: Vec::new(),
        };
        Ok(SvtSession { inner, force_keyframes: config.force_keyframes })
    }

    /// Gives the encoder a frame.
    ///
    /// # Errors
    /// [`ErrorKind::Encode`] if the frame is not 4:2:0 of the configured size and depth or not the next by
    /// index, or if the library fails.
    pub fn send(&mut self, frame: &Frame) -> Result<()> {
        self.inner.send(frame, false)
    }

    /// Gives the encoder a frame that must become a keyframe.
    ///
    /// # Errors
    /// As [`send`](Self::send), and [`ErrorKind::Usage`] unless [`EncoderConfig::force_keyframes`] was set.
    pub fn send_keyframe(&mut self, frame: &Frame) -> Result<()> {
        if !self.force_keyframes {
            return Err(Error::new(ErrorKind::Usage, "the encoder was not opened to take forced keyframes"));
        }
        self.inner.send(frame, true)
    }

    /// The next packet, or `None` if there is none yet. Does not wait.
    pub fn receive(&mut self) -> Result<Option<EncodedPacket>> {
        self.inner.next_packet()
    }

    /// Says that no more frames follow.
    pub fn finish(mut self) -> Result<Draining> {
        self.inner.handle.end().map_err(|code| call_error("svt_av1_enc_send_picture", code))?;
        Ok(Draining { inner: self.inner })
    }
}

impl Draining {
    /// The next packet; waits for it. `None` after the last.
    ///
    /// # Errors
    /// [`ErrorKind::Encode`] if the library fails or ends with fewer packets than frames.
    pub fn next_packet(&mut self) -> Result<Option<EncodedPacket>> {
        let packet = self.inner.next_packet()?;
        if packet.is_none() && self.inner.received != self.inner.sent {
            let Inner { sent, received, .. } = self.inner;
            return Err(failed(format!("SVT-AV1 was given {sent} frames and gave back {received} packets")));
        }
        Ok(packet)
    }
}

/// What both phases hold.
struct Inner {
    handle: Handle,
    size: (u32, u32),
    depth: u8,
    /// The index of the first frame: the library counts from 0.
    first: Option<u64>,
    sent: u64,
    received: u64,
    /// Room for planes whose rows must lie close together.
    packed: Vec<u8>,
}

/// Up to 2.2 at the latest the library copies whole strides of 8-bit pictures, not widths: it would read
/// beyond the last row and, with strides above its own, write beyond its buffer. It is given packed rows.
const COPIES_WHOLE_STRIDES: bool =
    sys::SVT_AV1_VERSION_MAJOR < 2 || (sys::SVT_AV1_VERSION_MAJOR == 2 && sys::SVT_AV1_VERSION_MINOR < 3);

impl Inner {
    fn send(&mut self, frame: &Frame, keyframe: bool) -> Result<()> {
        frames::expect(frame, self.size, self.depth, self.first.map(|first| first + self.sent))?;
        let sizes = [0, 1, 2].map(|i| frame.plane_size(i));
        let sample_bytes = if self.depth > 8 { 2 } else { 1 };
        let mut planes = [0, 1, 2].map(|i| frame.planes.plane(i));
        let mut strides = [0, 1, 2].map(|i| frame.planes.stride(i));
        if COPIES_WHOLE_STRIDES && self.depth == 8 && (0..3).any(|i| strides[i] != sizes[i].0) {
            let ends = pack(&mut self.packed, planes, strides, sizes)
                .ok_or_else(|| failed("the frame's planes are shorter than their rows").at(frame.pts))?;
            planes = [&self.packed[..ends[0]], &self.packed[ends[0]..ends[1]], &self.packed[ends[1]..]];
            strides = sizes.map(|(width, _)| width);
        }
        let picture = SvtPicture::new(planes, strides, sizes, sample_bytes)
            .ok_or_else(|| failed("the frame's planes are shorter than their rows, or not aligned").at(frame.pts))?;
        let pts = i64::try_from(self.sent).map_err(|_| failed("more frames than can be counted"))?;
        self.handle
            .send(&picture, pts, keyframe)
            .map_err(|code| call_error("svt_av1_enc_send_picture", code).at(frame.pts))?;
        self.first.get_or_insert(frame.index);
        self.sent += 1;
        Ok(())
    }

    fn next_packet(&mut self) -> Result<Option<EncodedPacket>> {
        loop {
            let unit = self.handle.unit().map_err(|code| call_error("svt_av1_enc_get_packet", code))?;
            let Some(Unit { pts, keyframe, last, data }) = unit else { return Ok(None) };
            // Newer versions end with a unit of its own that is empty, older ones mark the last frame.
            if data.is_empty() && last {
                continue;
            }
            let first = self.first.unwrap_or(0);
            if u64::try_from(pts).ok() != Some(self.received) {
                return Err(failed(format!("SVT-AV1 gave packet {pts} where {} was due", self.received)));
            }
            let frame_index = first + self.received;
            self.received += 1;
            return Ok(Some(EncodedPacket { frame_index, data: PacketData::new(data), keyframe }));
        }
    }
}

/// Copies the planes one behind the other without gaps between rows; where the first two end.
fn pack(into: &mut Vec<u8>, planes: [&[u8]; 3], strides: [usize; 3], sizes: [(usize, usize); 3]) -> Option<[usize; 2]> {
    into.clear();
    let mut ends = [0; 3];
    for i in 0..3 {
        let (width, height) = sizes[i];
        for row in 0..height {
            let start = row.checked_mul(strides[i])?;
            into.extend_from_slice(planes[i].get(start..start.checked_add(width)?)?);
        }
        ends[i] = into.len();
    }
    Some([ends[0], ends[1]])
}

fn c_strings((name, value): &(String, String)) -> Result<(CString, CString)> {
    let c = |text: &String| {
        CString::new(text.as_str()).map_err(|_| {
            Error::new(ErrorKind::Usage, format!("SVT-AV1 parameter {name:?}={value:?} holds a NUL character"))
        })
    };
    Ok((c(name)?, c(value)?))
}

fn busy() -> Error {
    let version = sys::HEADER_VERSION;
    failed(format!("an encoder is open already, and SVT-AV1 {version} cannot run two in one process (4.2 can)"))
}

fn open_error(error: OpenError, config: &EncoderConfig, parameters: &[(String, String)], own: usize) -> Error {
    let list = |parameters: &[(String, String)]| {
        parameters.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", ")
    };
    let version = sys::HEADER_VERSION;
    match error {
        OpenError::Busy => busy(),
        OpenError::Parameter(index) => {
            let (name, value) = &parameters[index.min(parameters.len() - 1)];
            let message = format!(
                "SVT-AV1 {version} does not know the parameter {name}={value} (unknown name, or a value it does not take)"
            );
            Error::new(if index < own { ErrorKind::Encode } else { ErrorKind::Usage }, message)
        }
        OpenError::Rejected if !config.parameters.is_empty() => Error::new(
            ErrorKind::Usage,
            format!(
                "SVT-AV1 {version} refuses these parameters for {}x{} at preset {}: {}",
                config.width,
                config.height,
                config.preset,
                list(&config.parameters)
            ),
        ),
        OpenError::Rejected => Error::new(
            ErrorKind::Unsupported,
            format!("SVT-AV1 {version} refuses {}x{} with {}", config.width, config.height, list(parameters)),
        ),
        OpenError::Call(call, code) => call_error(call, code),
    }
}

fn call_error(call: &'static str, code: Code) -> Error {
    let meaning = match code {
        sys::EB_ErrorInsufficientResources => "out of memory",
        sys::EB_ErrorBadParameter => "bad parameter",
        sys::EB_ErrorInvalidComponent => "invalid encoder",
        sys::EB_ErrorMax => "the encoder failed",
        _ => "error",
    };
    failed(format!("{call}: {meaning} ({code:#010x})"))
}

fn failed(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Encode, message)
}
