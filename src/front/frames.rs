//! An encoder for frames of the caller's own: pictures in, packets out, without a file or a job.
#![deny(unsafe_code)]

use std::collections::VecDeque;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::picture::Picture;
use crate::base::{CancelToken, Error, ErrorKind, Rational, Result, Timestamp};
use crate::config::{EncodeSettings, Quality, setting};
use crate::media::{Color, ColorRange, Crf, Frame, HdrStatic, Matrix, PacketData, Primaries, Transfer};
use crate::stages::pairing::{FrameNote, Kept, Paired, PairingEncoder};
use crate::video::{EncodeSpec, KeyRequest, KeyframeInterval, VideoParams, encoder};

/// The settings of jobs that have a meaning for an encoder alone.
const OF_JOBS: [&str; 6] =
    ["video.encoder", "quality.crf", "video.preset", "video.film_grain", "video.svt", "picture.bit_depth"];

/// What a [`FrameEncoder`] is to be. Serialises both ways; what is left out is the default, save for the size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct FrameEncoderOptions {
    /// Width in luma samples; even.
    pub width: u32,
    /// Height in luma samples; even.
    pub height: u32,
    /// Frames a second as numerator and denominator: for the distance of keyframes and the encoder's model of rates,
    /// never for times.
    #[serde(default = "nominal")]
    pub frame_rate: (i32, i32),
    /// Seconds a tick of the times of frames and packets, as numerator and denominator; `None` for the inverse of the
    /// frame rate, so that times are frame numbers.
    #[serde(default)]
    pub time_base: Option<(i32, i32)>,
    /// Bits a sample of the pictures: 8 or 10.
    #[serde(default = "ten")]
    pub bit_depth: u8,
    /// Colour primaries, transfer and matrix by their numbers in ITU-T H.273; 2 where nothing is known, 1 for BT.709.
    #[serde(default = "unspecified")]
    pub color: (u8, u8, u8),
    /// Whether samples use all code values (0 to 255 in 8 bits) instead of 16 to 235.
    #[serde(default)]
    pub full_range: bool,
    /// The encoder: `svt-av1`, `libx264`.
    #[serde(default = "default_encoder")]
    pub encoder: String,
    /// Quality on the encoder's own scale; `None` for its default for the size.
    #[serde(default)]
    pub crf: Option<Crf>,
    /// Speed, from 0 (slowest) to the encoder's fastest: 13 of SVT-AV1, 9 of libx264.
    #[serde(default = "default_preset")]
    pub preset: u8,
    /// Threads (SVT-AV1's level of parallelism); 0 for the encoder's default.
    #[serde(default)]
    pub threads: u32,
    /// The most frames from one keyframe to the next, at least 2; 0 for ten seconds' worth.
    #[serde(default)]
    pub keyframe_interval: u32,
    /// Whether [`FrameEncoder::send`] will force keyframes; some encoders have to know.
    #[serde(default)]
    pub forced_keyframes: bool,
    /// Strength of synthesised film grain, 0 (none) to 50.
    #[serde(default)]
    pub film_grain: u8,
    /// Further parameters in the encoder's own words, applied last: also HDR10 metadata (`mastering-display`,
    /// `content-light` of SVT-AV1).
    #[serde(default)]
    pub parameters: Vec<(String, String)>,
}

fn nominal() -> (i32, i32) {
    (25, 1)
}

fn ten() -> u8 {
    10
}

fn unspecified() -> (u8, u8, u8) {
    (2, 2, 2)
}

fn default_encoder() -> String {
    EncodeSettings::ENCODER.to_owned()
}

fn default_preset() -> u8 {
    EncodeSettings::PRESET
}

impl FrameEncoderOptions {
    /// 10-bit pictures of this size in luma samples, by the default encoder with its defaults.
    pub fn new(width: u32, height: u32, frame_rate: (i32, i32)) -> Self {
        FrameEncoderOptions {
            width,
            height,
            frame_rate,
            time_base: None,
            bit_depth: ten(),
            color: unspecified(),
            full_range: false,
            encoder: default_encoder(),
            crf: None,
            preset: default_preset(),
            threads: 0,
            keyframe_interval: 0,
            forced_keyframes: false,
            film_grain: 0,
            parameters: Vec::new(),
        }
    }

    /// Sets what jobs call by this name, too: `video.encoder`, `quality.crf`, `video.preset`, `video.film_grain`,
    /// `video.svt` (parameters of any encoder) and `picture.bit_depth`.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for other names, and values there are not.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let setting = setting(name)?;
        if !OF_JOBS.contains(&setting.name) {
            let known = OF_JOBS.join(", ");
            let message = format!("{} has no meaning for an encoder alone; these have: {known}", setting.name);
            return Err(Error::new(ErrorKind::Usage, message));
        }
        let mut settings = EncodeSettings::new("", "");
        match setting.name {
            "video.encoder" => self.encoder = encoder(value)?.traits().name.to_owned(),
            "picture.bit_depth" => {
                let depth = value.parse().ok().filter(|depth| [8, 10].contains(depth));
                let message = || format!("{}: {value:?} is not 8 or 10", setting.name);
                self.bit_depth = depth.ok_or_else(|| Error::new(ErrorKind::Usage, message()))?;
            }
            name => {
                settings.set(name, value)?;
                match name {
                    "quality.crf" => {
                        if let Quality::Crf(crf) = settings.quality {
                            self.crf = crf;
                        }
                    }
                    "video.preset" => self.preset = settings.preset,
                    "video.film_grain" => self.film_grain = settings.picture.film_grain,
                    _ => self.parameters = settings.svt,
                }
            }
        }
        Ok(())
    }

    fn video(&self) -> Result<VideoParams> {
        let rate = self.rate()?;
        let (primaries, transfer, matrix) = self.color;
        let color = Color {
            primaries: Primaries(primaries),
            transfer: Transfer(transfer),
            matrix: Matrix(matrix),
            range: if self.full_range { ColorRange::Full } else { ColorRange::Limited },
            ..Color::default()
        };
        Ok(VideoParams {
            width: self.width,
            height: self.height,
            frame_rate: rate,
            sample_aspect_ratio: None,
            bit_depth: self.bit_depth,
            color,
            hdr: HdrStatic::default(),
        })
    }

    fn rate(&self) -> Result<Rational> {
        let (num, den) = self.frame_rate;
        let message = || format!("the frame rate {num}/{den} is not greater than zero");
        Rational::positive(num, den).ok_or_else(|| Error::new(ErrorKind::Usage, message()))
    }

    fn base(&self) -> Result<Rational> {
        let rate = self.rate()?;
        let (num, den) = self.time_base.unwrap_or((rate.den(), rate.num()));
        let message = || format!("the time base {num}/{den} is not greater than zero");
        Rational::positive(num, den).ok_or_else(|| Error::new(ErrorKind::Usage, message()))
    }

    fn spec(&self, default: Crf) -> EncodeSpec {
        EncodeSpec {
            parallelism: self.threads,
            keyframes: match self.keyframe_interval {
                0 => KeyframeInterval::default(),
                frames => KeyframeInterval::Frames(frames),
            },
            forced_keyframes: self.forced_keyframes,
            film_grain: self.film_grain,
            parameters: self.parameters.clone(),
            ..EncodeSpec::new(self.encoder.clone(), self.crf.unwrap_or(default), self.preset)
        }
    }
}

/// A coded picture, as containers store it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EncodedFrame {
    /// The picture it shows: how many were sent before.
    pub index: u64,
    /// When that is shown, as it was sent.
    pub pts: i64,
    /// When it is decoded; rises from packet to packet, is never above `pts`, and may begin below zero.
    pub dts: i64,
    /// Whether decoding can start here.
    pub keyframe: bool,
    data: PacketData,
}

impl EncodedFrame {
    /// The bytes: of AV1 a temporal unit without its delimiter, the sequence header in keyframes; of H.264 NAL units
    /// behind lengths of four bytes.
    pub fn data(&self) -> &[u8] {
        &self.data
    }
}

/// An encoder that is given frames.
///
/// Law: frames come in display order, their times rising; packets leave in decode order, one for each frame. Every picture
/// is copied or shared as it is sent, so the caller's may go at once. [`send`](Self::send) may wait while the encoder is
/// full, and never for a [`receive`](Self::receive): packets are kept until they are asked for. The encoder has threads of
/// its own; its memory is that of its look-ahead, for SVT-AV1 some 300 to 600 bytes a luma sample. Any thread, one at a
/// time. Dropping it abandons the stream.
///
/// ```
/// # fn main() -> drapto::Result<()> {
/// use drapto::{CancelToken, FrameEncoder, FrameEncoderOptions, Picture};
///
/// let mut options = FrameEncoderOptions::new(64, 64, (25, 1));
/// options.set("video.preset", "13")?;
/// options.bit_depth = 8;
/// let mut encoder = FrameEncoder::open(&options, &CancelToken::new())?;
/// let mut packets = Vec::new();
/// for n in 0..5 {
///     let luma = [40 * n as u8; 4096];
///     let picture = Picture::from_planes(64, 64, 8, [(&luma, 64), (&[128; 1024], 32), (&[128; 1024], 32)])?;
///     encoder.send(&picture, n, false)?;
///     packets.extend(encoder.receive()?);
/// }
/// encoder.finish()?;
/// while let Some(packet) = encoder.receive()? {
///     packets.push(packet);
/// }
/// assert_eq!(packets.len(), 5);
/// # Ok(())
/// # }
/// ```
pub struct FrameEncoder {
    pairing: PairingEncoder<FrameNote>,
    options: FrameEncoderOptions,
    base: Rational,
    sent: u64,
    last: Option<i64>,
    ready: VecDeque<EncodedFrame>,
    finished: bool,
}

impl FrameEncoder {
    /// Opens an encoder. A linked SVT-AV1 of which a process can have one only makes this wait until the other is dropped,
    /// or `cancel` is set; a thread that holds the other itself would wait for ever.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for options, parameters and encoders there are not, naming them; [`ErrorKind::Unsupported`] for
    /// a size the encoder does not take, as odd ones; [`ErrorKind::Encode`] where the library fails;
    /// [`ErrorKind::Interrupted`] after `cancel`.
    pub fn open(options: &FrameEncoderOptions, cancel: &CancelToken) -> Result<Self> {
        let factory = encoder(&options.encoder)?;
        let spec = options.spec(factory.traits().scale.default_for(options.width, options.height));
        Ok(FrameEncoder {
            pairing: PairingEncoder::open(factory, &spec, &options.video()?, cancel)?,
            base: options.base()?,
            options: options.clone(),
            sent: 0,
            last: None,
            ready: VecDeque::new(),
            finished: false,
        })
    }

    /// Encodes `picture`, which is shown at `pts`, in ticks of the time base; `key` makes it a keyframe, before which no
    /// later one reaches back.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for a picture of another size or depth, a time that is not after the one before, a forced
    /// keyframe that the options do not tell of, and after [`finish`](Self::finish): nothing was taken, and the encoder goes
    /// on. [`ErrorKind::Encode`] where the library fails: the stream is lost.
    pub fn send(&mut self, picture: &Picture, pts: i64, key: bool) -> Result<()> {
        self.check(picture, pts, key)?;
        let frame = Frame { index: self.sent, pts: Timestamp::new(pts, self.base), ..picture.frame().clone() };
        let key = if key { KeyRequest::Force } else { KeyRequest::Auto };
        self.pairing.send(&frame, FrameNote::of(&frame), key)?;
        self.sent += 1;
        self.last = Some(pts);
        while let Some(paired) = self.pairing.receive()? {
            self.ready.push_back(self.frame(paired));
        }
        Ok(())
    }

    fn check(&self, picture: &Picture, pts: i64, key: bool) -> Result<()> {
        let usage = |message: String| Err(Error::new(ErrorKind::Usage, message).at(Timestamp::new(pts, self.base)));
        let options = &self.options;
        if self.finished {
            return usage("a frame came after the end".to_owned());
        }
        let (have, want) = ((picture.width(), picture.height()), (options.width, options.height));
        if (have, picture.bit_depth()) != (want, options.bit_depth) {
            return usage(format!(
                "a picture of {}x{} in {} bits came to an encoder of {}x{} in {}",
                have.0,
                have.1,
                picture.bit_depth(),
                want.0,
                want.1,
                options.bit_depth
            ));
        }
        match self.last {
            Some(last) if pts <= last => usage(format!("a frame at {pts} came after the one at {last}")),
            _ if key && !options.forced_keyframes => {
                usage("a keyframe is forced, and forced_keyframes is not set".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// The next packet. Before [`finish`](Self::finish) it does not wait, and `None` means "none yet"; afterwards it waits,
    /// and `None` is the end and stays it.
    ///
    /// # Errors
    /// [`ErrorKind::Encode`] where the library fails.
    pub fn receive(&mut self) -> Result<Option<EncodedFrame>> {
        if let Some(ready) = self.ready.pop_front() {
            return Ok(Some(ready));
        }
        Ok(self.pairing.receive()?.map(|paired| self.frame(paired)))
    }

    /// Says that no more frames follow; the packets that are left are then to be received. Again, it does nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Encode`] where the library fails.
    pub fn finish(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.finished, true) {
            return Ok(());
        }
        self.pairing.finish()
    }

    /// What a container's codec configuration is made of: for H.264 an `AVCDecoderConfigurationRecord`, from the opening on;
    /// for AV1 the sequence header OBU, from the first packet on (of which `None` before).
    pub fn codec_config(&self) -> Option<Vec<u8>> {
        self.pairing.codec_config()
    }

    fn frame(&self, paired: Paired<FrameNote>) -> EncodedFrame {
        let pts = paired.kept.pts().ticks();
        let dts = paired.dts.map_or(pts, Timestamp::ticks);
        EncodedFrame { index: paired.index, pts, dts, keyframe: paired.keyframe, data: paired.data }
    }
}

impl fmt::Debug for FrameEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FrameEncoderOptions { encoder, width, height, .. } = &self.options;
        write!(f, "FrameEncoder {encoder} {width}x{height}, {} frames sent", self.sent)
    }
}
