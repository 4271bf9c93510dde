//! libavcodec's encoders of sound.

use std::ffi::c_int;
use std::ptr::NonNull;

use ffmpeg_next::ffi as sys;

use super::check;
use super::codec_context::EncoderContext;
use super::encoder::{Dictionary, find};
use super::frame::RawFrame;
use super::packet::InputPacket;
use super::resample::OwnedLayout;
use crate::base::{Error, ErrorKind, Rational, Result};

/// In which form an encoder takes samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleKind {
    /// `f32`, a plane a channel.
    FloatPlanar,
    /// `i16`, interleaved.
    Int16,
    /// `i32`, interleaved; of which the uppermost 24 bits count.
    Int24,
}

/// What a [`SoundCodecEncoder`] is opened with.
#[derive(Clone, Debug)]
pub struct SoundCodecSettings<'a> {
    /// The encoder's name in libavcodec, such as `libmp3lame`.
    pub name: &'a str,
    /// The form of its samples.
    pub kind: SampleKind,
    /// Samples a second.
    pub rate: u32,
    /// FFmpeg's name of the layout; channels come in FFmpeg's order.
    pub layout: &'a str,
    /// Bits a second; `None` where there is none to choose.
    pub bitrate: Option<u32>,
    /// Options of the encoder and of libavcodec, by name.
    pub options: &'a [(String, String)],
}

/// One of libavcodec's encoders of sound. The codec's configuration comes apart from the packets.
///
/// Law: `send` runs of [`frame_size`](Self::frame_size) samples (the last may be shorter, where the encoder bears it), `receive`
/// until `None` after each; after `send_end` `receive` until `None`. Times count samples.
pub struct SoundCodecEncoder {
    context: EncoderContext,
    kind: SampleKind,
    channels: usize,
}

/// Whether libavcodec has an encoder of sound of that name.
pub fn has_sound_encoder(name: &str) -> bool {
    find(name, sys::AVMediaType::AVMEDIA_TYPE_AUDIO).is_some()
}

impl SoundCodecEncoder {
    /// Opens an encoder.
    ///
    /// # Errors
    /// `Unsupported` where this FFmpeg has no such encoder or layout, `Usage` for an option that nobody knows, and for a rate,
    /// layout or bit rate with which the encoder does not start.
    pub fn open(settings: &SoundCodecSettings<'_>) -> Result<Self> {
        let SoundCodecSettings { name, kind, rate, layout, bitrate, .. } = *settings;
        let unsupported = |what: String| Error::new(ErrorKind::Unsupported, what);
        let codec = find(name, sys::AVMediaType::AVMEDIA_TYPE_AUDIO)
            .ok_or_else(|| unsupported(format!("this FFmpeg has no encoder {name}")))?;
        let layout_of = OwnedLayout::from_name(layout).ok_or_else(|| unsupported(format!("no layout {layout}")))?;
        let base = i32::try_from(rate).ok().and_then(|rate| Rational::positive(1, rate));
        let base = base.ok_or_else(|| unsupported(format!("{rate} samples a second")))?;
        let mut options = Dictionary::of(settings.options)?;
        let format = match kind {
            SampleKind::FloatPlanar => sys::AVSampleFormat::AV_SAMPLE_FMT_FLTP,
            SampleKind::Int16 => sys::AVSampleFormat::AV_SAMPLE_FMT_S16,
            SampleKind::Int24 => sys::AVSampleFormat::AV_SAMPLE_FMT_S32,
        };
        let channels = layout_of.0.nb_channels as usize;
        let encoder = SoundCodecEncoder { context: EncoderContext::new(codec, name, base)?, kind, channels };
        // SAFETY: the context is fresh and only configured before it is opened; its owner frees it on any error. The layout is
        // copied.
        unsafe {
            let c = encoder.context.as_ptr();
            (*c).sample_rate = base.den();
            (*c).sample_fmt = format;
            (*c).time_base = sys::AVRational { num: base.num(), den: base.den() };
            (*c).thread_count = 1;
            // No version of a library in the bytes.
            (*c).flags |= (sys::AV_CODEC_FLAG_GLOBAL_HEADER | sys::AV_CODEC_FLAG_BITEXACT) as c_int;
            if kind == SampleKind::Int24 {
                (*c).bits_per_raw_sample = 24;
            }
            if let Some(bitrate) = bitrate {
                (*c).bit_rate = i64::from(bitrate);
            }
            let code = sys::av_channel_layout_copy(&mut (*c).ch_layout, &layout_of.0);
            check(code, ErrorKind::Encode, "out of memory for a channel layout")?;
            let told = bitrate.map_or(String::new(), |rate| format!(" and {} kb/s", rate / 1000));
            let what = format!("{name} does not encode {layout} at {rate} Hz{told}");
            check(sys::avcodec_open2(c, codec, &mut options.0), ErrorKind::Usage, &what)?;
            match options.first() {
                None => Ok(encoder),
                Some((key, value)) => {
                    Err(Error::new(ErrorKind::Usage, format!("{name} does not know the option {key}={value}")))
                }
            }
        }
    }

    /// Samples a channel that one `send` takes; `None` where any number does.
    pub fn frame_size(&self) -> Option<usize> {
        usize::try_from(self.context.fields().frame_size).ok().filter(|size| *size > 0)
    }

    /// Samples that are decoded before the first that was sent, by the library's word (`AVCodecContext.initial_padding`).
    pub fn initial_padding(&self) -> usize {
        usize::try_from(self.context.fields().initial_padding).unwrap_or(0)
    }

    /// The codec's configuration.
    pub fn extradata(&self) -> &[u8] {
        self.context.extradata()
    }

    /// Gives the encoder interleaved samples, full scale at 1, whose first is the `pts`-th. Values beyond full scale are cut
    /// off where samples are whole numbers.
    ///
    /// # Errors
    /// `Encode` from the encoder.
    pub fn send(&mut self, pcm: &[f32], pts: i64) -> Result<()> {
        let mut frame = self.frame(pcm)?;
        // SAFETY: the frame is ours and nobody else has it yet.
        unsafe { (*frame.as_mut_ptr()).pts = pts };
        match self.context.send(frame.as_ptr())? {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::Encode, "an encoder was given sound before its packets were received")),
        }
    }

    fn frame(&self, pcm: &[f32]) -> Result<RawFrame> {
        let samples = pcm.len() / self.channels;
        let mut raw = RawFrame::new()?;
        let f = raw.as_mut_ptr();
        // SAFETY: the frame is fresh and ours; format, layout and count are set before its buffer is asked for, which then holds
        // `samples` of every channel: planes of `samples` floats, or one of `samples * channels` whole numbers. All writes
        // below stay within those.
        unsafe {
            let c = self.context.fields();
            (*f).format = c.sample_fmt as c_int;
            (*f).sample_rate = c.sample_rate;
            (*f).nb_samples = c_int::try_from(samples).unwrap_or(c_int::MAX);
            let code = sys::av_channel_layout_copy(&mut (*f).ch_layout, &c.ch_layout);
            check(code, ErrorKind::Encode, "out of memory for a channel layout")?;
            check(sys::av_frame_get_buffer(f, 0), ErrorKind::Encode, "out of memory for sound")?;
            match self.kind {
                SampleKind::FloatPlanar => {
                    for channel in 0..self.channels {
                        let plane = (*(*f).extended_data.add(channel)).cast::<f32>();
                        let plane = std::slice::from_raw_parts_mut(plane, samples);
                        let of_channel = pcm.iter().skip(channel).step_by(self.channels);
                        plane.iter_mut().zip(of_channel).for_each(|(to, from)| *to = *from);
                    }
                }
                SampleKind::Int16 => {
                    let all = std::slice::from_raw_parts_mut((*f).data[0].cast::<i16>(), samples * self.channels);
                    all.iter_mut().zip(pcm).for_each(|(to, from)| *to = whole(*from, 15) as i16);
                }
                SampleKind::Int24 => {
                    let all = std::slice::from_raw_parts_mut((*f).data[0].cast::<i32>(), samples * self.channels);
                    all.iter_mut().zip(pcm).for_each(|(to, from)| *to = whole(*from, 23) << 8);
                }
            }
        }
        Ok(raw)
    }

    /// Says that no sound follows.
    ///
    /// # Errors
    /// `Encode` from the encoder.
    pub fn send_end(&mut self) -> Result<()> {
        self.context.send_end()
    }

    /// The next packet, with times in samples. `None` means that there is none yet, or after [`send_end`](Self::send_end) that
    /// there is none any more.
    ///
    /// # Errors
    /// `Encode` from the encoder.
    pub fn receive(&mut self) -> Result<Option<InputPacket>> {
        self.context.receive()
    }
}

/// A sample as a whole number of that many bits beside its sign, as libswresample has it: exact where it was one.
fn whole(sample: f32, bits: u32) -> i32 {
    let scale = f64::from(1u32 << bits);
    (f64::from(sample) * scale).round_ties_even().clamp(-scale, scale - 1.0) as i32
}

/// How many samples a decoder makes of each packet of Vorbis, by the sizes of its blocks (Vorbis I, 4.3.8).
pub struct VorbisLengths(NonNull<sys::AVVorbisParseContext>);

// SAFETY: plain memory that no thread owns; it is used through `&mut` only.
unsafe impl Send for VorbisLengths {}

impl VorbisLengths {
    /// Of a stream that is configured so.
    ///
    /// # Errors
    /// `Encode` for headers that are damaged.
    pub fn new(extradata: &[u8]) -> Result<Self> {
        let size = c_int::try_from(extradata.len()).unwrap_or(c_int::MAX);
        // SAFETY: the bytes are valid for the call, which copies what it needs.
        let context = unsafe { sys::av_vorbis_parse_init(extradata.as_ptr(), size) };
        NonNull::new(context)
            .map(VorbisLengths)
            .ok_or_else(|| Error::new(ErrorKind::Encode, "the Vorbis headers cannot be read"))
    }

    /// Samples of a channel, the packets coming in order. Of the first packet of a stream a decoder makes none, whatever this
    /// says.
    pub fn next(&mut self, packet: &[u8]) -> usize {
        let size = c_int::try_from(packet.len()).unwrap_or(c_int::MAX);
        // SAFETY: the context is valid until drop, the bytes for the call.
        let samples = unsafe { sys::av_vorbis_parse_frame(self.0.as_ptr(), packet.as_ptr(), size) };
        usize::try_from(samples).unwrap_or(0)
    }
}

impl Drop for VorbisLengths {
    fn drop(&mut self) {
        let mut context = self.0.as_ptr();
        // SAFETY: we own the context; this frees it and nulls the local pointer.
        unsafe { sys::av_vorbis_parse_free(&mut context) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_samples_come_back_as_they_were_and_what_is_too_loud_is_cut_off() {
        for value in [-32768, -32767, -1, 0, 1, 12345, 32767] {
            assert_eq!(whole(value as f32 / 32768.0, 15), value);
        }
        for value in [-8_388_608, -8_388_607, -3, 0, 5_000_001, 8_388_607] {
            assert_eq!(whole(value as f32 / 8_388_608.0, 23), value);
        }
        assert_eq!((whole(2.0, 15), whole(-2.0, 15), whole(f32::NAN, 15)), (32767, -32768, 0));
    }

    #[test]
    fn an_encoder_that_is_not_there_is_named() {
        let settings = SoundCodecSettings {
            name: "libnothing",
            kind: SampleKind::Int16,
            rate: 48_000,
            layout: "stereo",
            bitrate: None,
            options: &[],
        };
        let error = SoundCodecEncoder::open(&settings).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("libnothing"), "{error}");
        assert!(!has_sound_encoder("libx264"), "that is of pictures");
    }
}
