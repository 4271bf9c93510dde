//! Sound from any sample format, rate and channel layout to interleaved `f32`, by libswresample.
//!
//! Channel layouts cross this border as plain channel numbers; which channel goes where is the caller's
//! matrix, so that libswresample converts and mixes but decides nothing.

use std::ffi::{CString, c_int};
use std::ptr::{NonNull, null_mut};

use ffmpeg_next::ffi as sys;

use super::frame::AudioFrame;
use super::{check, has_soxr, out_of_memory, raw_enum};
use crate::base::{Error, ErrorKind, Result};

/// The most channels that libswresample takes (`SWR_CH_MAX`).
const MAX_CHANNELS: usize = 64;
/// Input rates taken, in Hz. Telephony starts at 8 kHz and DSD256 decodes to 1.4 MHz; beyond these the
/// numbers are damage, and the filter or its output would fill the memory.
const RATES: std::ops::RangeInclusive<u32> = 1_000..=3_072_000;
/// The first of FFmpeg's numbers for ambisonic components (`AV_CHAN_AMBISONIC_BASE`).
const AMBISONIC_BASE: u32 = 0x400;

/// What the channels of a piece of sound are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelLayout {
    channels: usize,
    ids: Option<Vec<u32>>,
}

impl ChannelLayout {
    /// That many channels of which nothing is known.
    pub fn unspecified(channels: usize) -> Self {
        ChannelLayout { channels, ids: None }
    }

    /// Reads what FFmpeg writes: `5.1(side)`, `3 channels (FL+FR+LFE)`, `6 channels`.
    pub fn from_name(name: &str) -> Option<Self> {
        let owned = OwnedLayout::from_name(name)?;
        // SAFETY: the layout was initialised by libavutil and lives through the call.
        Some(unsafe { Self::read(&owned.0) })
    }

    /// What FFmpeg assumes of that many channels, where it assumes anything.
    pub fn default_for(channels: usize) -> Option<Self> {
        let count = c_int::try_from(channels).ok().filter(|c| *c > 0)?;
        let mut owned = OwnedLayout::empty();
        // SAFETY: the layout is a valid empty one; the function fills it for any count.
        unsafe { sys::av_channel_layout_default(&mut owned.0, count) };
        // SAFETY: as in `from_name`.
        Some(unsafe { Self::read(&owned.0) }).filter(|l| l.ids.is_some())
    }

    /// How many channels.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// FFmpeg's number of each channel (`enum AVChannel`: 0 front left, 1 front right, 2 front centre, ...),
    /// in the order of the samples; `None` where the source does not say what they are.
    pub fn ids(&self) -> Option<&[u32]> {
        self.ids.as_deref()
    }

    /// Whether channels are ambisonic components rather than speakers.
    pub fn is_ambisonic(&self) -> bool {
        self.ids.iter().flatten().any(|id| (AMBISONIC_BASE..2 * AMBISONIC_BASE).contains(id))
    }

    /// # Safety
    /// `layout` points to an initialised layout that nobody changes meanwhile.
    unsafe fn read(layout: *const sys::AVChannelLayout) -> Self {
        let mask = |mask: u64| (0..u64::BITS).filter(move |bit| mask >> bit & 1 == 1);
        // SAFETY: the layout is valid by this function's contract.
        let (channels, u) = unsafe { ((*layout).nb_channels.max(0) as usize, (*layout).u) };
        let ids: Option<Vec<u32>> = match raw_enum!((*layout).order) {
            // SAFETY: the order says that the mask is the live member.
            1 => Some(mask(unsafe { u.mask }).collect()),
            2 => {
                // SAFETY: the order says that the map is the live member; it has one entry a channel.
                let map = unsafe { u.map };
                (!map.is_null()).then(|| (0..channels).map(|i| raw_enum!((*map.add(i)).id) as u32).collect())
            }
            3 => {
                // SAFETY: here the mask names the channels that follow the ambisonic components.
                let extra = mask(unsafe { u.mask }).collect::<Vec<_>>();
                let components = channels.saturating_sub(extra.len()) as u32;
                Some((AMBISONIC_BASE..AMBISONIC_BASE + components).chain(extra).collect())
            }
            _ => None,
        };
        ChannelLayout { channels, ids: ids.filter(|ids| ids.len() == channels) }
    }
}

/// An `AVChannelLayout` that frees its map.
pub(super) struct OwnedLayout(pub(super) sys::AVChannelLayout);

impl OwnedLayout {
    fn empty() -> Self {
        // SAFETY: libavutil defines the all-zero layout as the valid empty one; order 0 is UNSPEC.
        OwnedLayout(unsafe { std::mem::zeroed() })
    }

    fn unspecified(channels: usize) -> Self {
        let mut layout = Self::empty();
        layout.0.nb_channels = channels as c_int;
        layout
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        let name = CString::new(name).ok()?;
        let mut layout = Self::empty();
        // SAFETY: the layout is empty and the name terminated; on failure the layout stays empty.
        let code = unsafe { sys::av_channel_layout_from_string(&mut layout.0, name.as_ptr()) };
        (code >= 0 && layout.0.nb_channels > 0).then_some(layout)
    }
}

impl Drop for OwnedLayout {
    fn drop(&mut self) {
        // SAFETY: the layout is initialised and ours.
        unsafe { sys::av_channel_layout_uninit(&mut self.0) }
    }
}

impl AudioFrame {
    /// What its channels are.
    pub fn layout(&self) -> ChannelLayout {
        // SAFETY: the frame and the layout within it are valid and borrowed for the call.
        unsafe { ChannelLayout::read(&(*self.raw().as_ptr()).ch_layout) }
    }
}

/// How the channels of an input become those of the output.
#[derive(Clone, Debug, PartialEq)]
pub struct Mix {
    /// Gains, a row of all input channels for each output channel; `None` where output channel `i` is input
    /// channel `i` as it is.
    pub matrix: Option<Vec<f64>>,
    /// Whether the mix loses something (channels were added up or left out).
    pub folds: bool,
}

/// Decides the [`Mix`] for an input layout.
pub type Mixer = Box<dyn Fn(&ChannelLayout) -> Result<Mix> + Send>;

/// Turns decoded frames into interleaved `f32` of one rate and channel count.
///
/// Rates are changed by soxr where libswresample has it, else by its own filter; where they are equal, by nothing.
///
/// Law: output sample 0 is input sample 0 in time (the filter's delay is compensated). Between two calls of
/// [`flush`](Self::flush), or two changes of the input, the output is exactly the input's count times the
/// ratio of the rates, rounded to nearest. A change of sample format, rate or layout in mid-stream flushes by
/// itself. Nothing comes out that did not go in, and the other way round.
pub struct Resampler {
    rate: u32,
    channels: usize,
    mixer: Mixer,
    segment: Option<Segment>,
    last_input: Option<ResampleInput>,
    finished: u64,
    changes: u64,
    did_downmix: bool,
}

impl Resampler {
    /// A resampler to `rate` Hz and `channels` channels; `mixer` is asked for the gains of each input layout.
    pub fn new(rate: u32, channels: usize, mixer: Mixer) -> Self {
        Resampler {
            rate,
            channels,
            mixer,
            segment: None,
            last_input: None,
            finished: 0,
            changes: 0,
            did_downmix: false,
        }
    }

    /// Takes a frame and appends what can be given of it to `out`.
    ///
    /// Errors: `Unsupported` where the frame's format, rate or channels are none that can be converted.
    pub fn push(&mut self, frame: &AudioFrame, out: &mut Vec<f32>) -> Result<()> {
        let input = ResampleInput::of(frame);
        if self.last_input.as_ref().is_some_and(|last| *last != input) {
            self.flush(out)?;
            self.changes += 1;
        }
        if self.segment.is_none() {
            let mix = (self.mixer)(&input.layout)?;
            self.did_downmix |= mix.folds;
            self.segment = Some(Segment::new(&input, &mix, self.rate, self.channels)?);
            self.last_input = Some(input);
        }
        match &mut self.segment {
            Some(segment) => segment.push(frame, out),
            None => Ok(()),
        }
    }

    /// Appends what is still inside. What is pushed next starts anew, as after a cut.
    pub fn flush(&mut self, out: &mut Vec<f32>) -> Result<()> {
        if let Some(mut segment) = self.segment.take() {
            segment.finish(out)?;
            self.finished += segment.given;
        }
        Ok(())
    }

    /// Samples a channel that will have come out once everything pushed so far is flushed.
    pub fn position(&self) -> u64 {
        self.finished + self.segment.as_ref().map_or(0, Segment::due)
    }

    /// How often the input changed its format, rate or layout.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Whether any mix so far lost something.
    pub fn did_downmix(&self) -> bool {
        self.did_downmix
    }
}

/// What a conversion is set up for.
#[derive(Clone, Debug, PartialEq)]
struct ResampleInput {
    format: c_int,
    rate: u32,
    layout: ChannelLayout,
}

impl ResampleInput {
    fn of(frame: &AudioFrame) -> Self {
        ResampleInput { format: frame.raw().fields().format, rate: frame.sample_rate(), layout: frame.layout() }
    }
}

/// One run of equal input through one `SwrContext`.
struct Segment {
    swr: NonNull<sys::SwrContext>,
    input_rate: u32,
    rate: u32,
    channels: usize,
    planes: usize,
    taken: u64,
    given: u64,
}

// SAFETY: an SwrContext is plain memory that no thread owns; it is used through `&mut` only.
unsafe impl Send for Segment {}

impl Segment {
    fn new(input: &ResampleInput, mix: &Mix, rate: u32, channels: usize) -> Result<Self> {
        let unsupported = |what: String| Error::new(ErrorKind::Unsupported, what);
        let inputs = input.layout.channels();
        let format = sample_format(input.format).ok_or_else(|| unsupported("unknown sample format".to_owned()))?;
        if !RATES.contains(&input.rate) {
            return Err(unsupported(format!("a sample rate of {} Hz", input.rate)));
        }
        if !(1..=MAX_CHANNELS).contains(&inputs) || !(1..=MAX_CHANNELS).contains(&channels) {
            return Err(unsupported(format!("{inputs} channels of sound")));
        }
        if mix.matrix.as_ref().map_or(inputs != channels, |m| m.len() != inputs * channels) {
            return Err(Error::new(ErrorKind::Encode, "a mix does not fit its channels"));
        }
        let (mut from, mut to) = (OwnedLayout::unspecified(inputs), OwnedLayout::unspecified(channels));
        let mut raw = null_mut();
        // SAFETY: all pointers are valid for the call, which copies what it needs. The format was checked to
        // be one of the enumeration, and rates fit an int by the range above.
        let swr = unsafe {
            let float = sys::AVSampleFormat::AV_SAMPLE_FMT_FLT;
            let (to, from) = (&mut to.0, &mut from.0);
            let (rate, input_rate) = (rate as c_int, input.rate as c_int);
            let code = sys::swr_alloc_set_opts2(&mut raw, to, float, rate, from, format, input_rate, 0, null_mut());
            check(code, ErrorKind::Encode, "cannot set up the resampler")?;
            NonNull::new(raw).ok_or_else(|| out_of_memory("the resampler"))?
        };
        if rate != input.rate && has_soxr() {
            // SAFETY: the context is allocated and not yet initialised; name and value are terminated strings.
            let code = unsafe { sys::av_opt_set(swr.as_ptr().cast(), c"resampler".as_ptr(), c"soxr".as_ptr(), 0) };
            // One that cannot be set leaves libswresample's own.
            tracing::debug!(code, "resampling by soxr");
        }
        // SAFETY: asks a constant of a format that is known.
        let planar = unsafe { sys::av_sample_fmt_is_planar(format) } != 0;
        let planes = if planar { inputs } else { 1 };
        // Owned from here on, so that it is freed on every way out.
        let segment = Segment { swr, input_rate: input.rate, rate, channels, planes, taken: 0, given: 0 };
        // SAFETY: the context is allocated and not yet initialised, as swr_set_matrix wants it; the matrix has
        // a row of `inputs` gains for each output channel (checked above) and is copied.
        unsafe {
            if let Some(matrix) = &mix.matrix {
                let code = sys::swr_set_matrix(swr.as_ptr(), matrix.as_ptr(), inputs as c_int);
                check(code, ErrorKind::Encode, "cannot set the channel mix")?;
            }
            check(sys::swr_init(swr.as_ptr()), ErrorKind::Unsupported, "cannot convert this sound")?;
        }
        Ok(segment)
    }

    /// Output samples for all input so far, rounded to nearest.
    fn due(&self) -> u64 {
        let (rate, input_rate) = (u128::from(self.rate), u128::from(self.input_rate));
        ((u128::from(self.taken) * rate * 2 + input_rate) / (2 * input_rate)) as u64
    }

    fn push(&mut self, frame: &AudioFrame, out: &mut Vec<f32>) -> Result<()> {
        let fields = frame.raw().fields();
        let samples = fields.nb_samples;
        if samples <= 0 {
            return Ok(());
        }
        let planes = fields.extended_data;
        // SAFETY: a decoded frame has one pointer a plane in extended_data.
        let complete = !planes.is_null() && (0..self.planes).all(|i| unsafe { !(*planes.add(i)).is_null() });
        if !complete {
            return Err(Error::new(ErrorKind::Input, "a decoded frame without samples"));
        }
        self.taken += samples as u64;
        // SAFETY: each plane holds `samples` samples of the format the context was made for: the caller
        // compares the frame's format, rate and layout with the context's before every push.
        unsafe { self.convert(planes.cast(), samples, out) }?;
        Ok(())
    }

    /// Drains the filter, then makes the count what [`due`](Self::due) says.
    fn finish(&mut self, out: &mut Vec<f32>) -> Result<()> {
        // SAFETY: a null input means the end of the stream.
        while unsafe { self.convert(null_mut(), 0, out) }? > 0 {}
        let due = self.due();
        // The filter's own count may differ by the rounding of its last phase.
        let spare = self.given.saturating_sub(due) as usize * self.channels;
        out.truncate(out.len().saturating_sub(spare));
        let missing = due.saturating_sub(self.given) as usize * self.channels;
        out.resize(out.len() + missing, 0.0);
        self.given = due;
        Ok(())
    }

    /// Runs swr_convert and appends its output; returns samples a channel.
    ///
    /// # Safety
    /// `input` is null with a count of 0, or has `self.planes` pointers to `count` samples of the input format.
    unsafe fn convert(&mut self, input: *mut *const u8, count: c_int, out: &mut Vec<f32>) -> Result<usize> {
        // SAFETY: the context is initialised.
        let room = unsafe { sys::swr_get_out_samples(self.swr.as_ptr(), count) };
        let room = check(room, ErrorKind::Encode, "cannot resample")?;
        let before = out.len();
        out.resize(before + room as usize * self.channels, 0.0);
        let mut target = out[before..].as_mut_ptr().cast::<u8>();
        // SAFETY: `target` has room for `room` interleaved samples of all output channels, just made; the
        // input is as this function's contract says.
        let given = unsafe { sys::swr_convert(self.swr.as_ptr(), &mut target, room, input, count) };
        let given = check(given, ErrorKind::Encode, "cannot resample").inspect_err(|_| out.truncate(before))? as usize;
        out.truncate(before + given * self.channels);
        self.given += given as u64;
        Ok(given)
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        let mut raw = self.swr.as_ptr();
        // SAFETY: we own the context; swr_free nulls the local pointer.
        unsafe { sys::swr_free(&mut raw) }
    }
}

/// FFmpeg's sample format of that number, if the bindings know it.
fn sample_format(format: c_int) -> Option<sys::AVSampleFormat> {
    // SAFETY: the number lies within the enumeration the bindings were made from, which has no holes.
    (0..sys::AVSampleFormat::AV_SAMPLE_FMT_NB as c_int)
        .contains(&format)
        .then(|| unsafe { std::mem::transmute::<c_int, sys::AVSampleFormat>(format) })
}

#[cfg(test)]
#[path = "resample_tests.rs"]
mod tests;
