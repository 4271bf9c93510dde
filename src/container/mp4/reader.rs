//! What an MP4 file holds, for verification.
//!
//! Reads the boxes with `mp4-atom`, a crate that shares nothing with libavformat, and works out the samples from their
//! tables itself (ISO/IEC 14496-12 §8.6, §8.7). Files are untrusted: counts are checked against the length of the file
//! before memory is taken for them.
#![deny(unsafe_code)]

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use mp4_atom::{Codec, Edts, Encode, Header, Moov, ReadAtom, ReadFrom, Stbl, StszSamples, Trak};

use crate::base::{Error, ErrorKind, Rational, Result};
use crate::media::StreamKind;
use crate::syntax::opus::{ChannelMapping, OpusHead};

/// The largest index that is believed.
const LARGEST_INDEX: u64 = 1 << 30;

/// An opened file whose index was read.
#[derive(Debug)]
pub struct Mp4Reader {
    file: File,
    path: PathBuf,
    tracks: Vec<Mp4Track>,
    index_first: bool,
}

/// A track as its header and its tables describe it.
#[derive(Clone, Debug, PartialEq)]
pub struct Mp4Track {
    /// Track id.
    pub id: u32,
    /// Kind; `None` for kinds drapto does not carry.
    pub kind: Option<StreamKind>,
    /// FFmpeg's name of the codec; `unknown` where this reader has none.
    pub codec: &'static str,
    /// Codec configuration in FFmpeg's form (`av1C`, `avcC`, OpusHead); empty where this reader does not know it.
    pub configuration: Vec<u8>,
    /// Width and height in samples, for video.
    pub size: Option<(u16, u16)>,
    /// Channels, for audio.
    pub channels: Option<u16>,
    /// Seconds a tick.
    pub time_base: Rational,
    /// ISO 639-2 code.
    pub language: String,
    /// All samples, in the order of decoding.
    pub samples: Vec<Mp4Sample>,
}

/// One sample: where it lies and when it is shown. Times are ticks of [`Mp4Track::time_base`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mp4Sample {
    /// Presentation time, by the edit list.
    pub pts: i64,
    /// Decoding time, on the same clock.
    pub dts: i64,
    /// Until the next sample is decoded.
    pub duration: u32,
    /// Whether decoding can start here.
    pub keyframe: bool,
    /// Position in the file.
    pub offset: u64,
    /// Length in bytes.
    pub size: u32,
}

impl Mp4Reader {
    /// Opens `path` and reads its index.
    ///
    /// # Errors
    /// Kind `Input`, naming the file, where it cannot be read or is no MP4 with an index.
    pub fn open(path: &Path) -> Result<Self> {
        Self::read_index(path).map_err(|e| e.with_file(path))
    }

    fn read_index(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|e| broken("cannot be opened").caused_by(e))?;
        let length = file.metadata().map_err(|e| broken("cannot be read").caused_by(e))?.len();
        let (moov, index_first) = find_index(&file, length)?;
        let movie = moov.mvhd.timescale;
        let tracks = moov.trak.iter().map(|t| track(t, movie, length)).collect::<Result<Vec<_>>>()?;
        Ok(Mp4Reader { file, path: path.to_path_buf(), tracks, index_first })
    }

    /// The tracks, in the order of the file.
    pub fn tracks(&self) -> &[Mp4Track] {
        &self.tracks
    }

    /// Whether the index stands before the media.
    pub fn index_first(&self) -> bool {
        self.index_first
    }

    /// A sample's bytes.
    ///
    /// # Errors
    /// Kind `Input`, naming the file, where they cannot be read.
    pub fn read(&mut self, sample: &Mp4Sample) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = self
            .file
            .seek(SeekFrom::Start(sample.offset))
            .and_then(|_| (&mut self.file).take(u64::from(sample.size)).read_to_end(&mut bytes));
        let place = |e: Error| e.with_file(&self.path);
        read.map_err(|e| place(broken("a sample cannot be read").caused_by(e)))?;
        if bytes.len() < sample.size as usize {
            return Err(place(broken("a sample is cut off")));
        }
        Ok(bytes)
    }
}

/// The index, and whether it stands before the media.
fn find_index(file: &File, length: u64) -> Result<(Moov, bool)> {
    let mut input = BufReader::new(file);
    let mut media_seen = false;
    let failed = |e: mp4_atom::Error| broken("its boxes cannot be read").caused_by(e.to_string());
    while let Some(header) = <Option<Header> as ReadFrom>::read_from(&mut input).map_err(failed)? {
        let at = input.stream_position().map_err(|e| broken("cannot be read on").caused_by(e))?;
        let left = length.saturating_sub(at);
        let size = header.size.map_or(left, |s| s as u64);
        if size > left {
            return Err(broken("a box reaches beyond the end"));
        }
        if header.kind == mp4_atom::FourCC::new(b"moov") {
            if size > LARGEST_INDEX {
                return Err(broken("the index is larger than can be"));
            }
            let moov = Moov::read_atom(&header, &mut input).map_err(failed)?;
            return Ok((moov, !media_seen));
        }
        media_seen |= header.kind == mp4_atom::FourCC::new(b"mdat");
        input.seek(SeekFrom::Start(at + size)).map_err(|e| broken("cannot be read on").caused_by(e))?;
    }
    Err(broken("there is no index"))
}

fn track(trak: &Trak, movie_timescale: u32, length: u64) -> Result<Mp4Track> {
    let mdia = &trak.mdia;
    let handler = u32::from(mdia.hdlr.handler).to_be_bytes();
    let timescale = i32::try_from(mdia.mdhd.timescale).ok().and_then(|den| Rational::positive(1, den));
    let time_base = timescale.ok_or_else(|| broken("a track has no time scale"))?;
    let (codec, configuration, size, channels) = coding(mdia.minf.stbl.stsd.codecs.first());
    let samples = samples(&mdia.minf.stbl, shift(trak.edts.as_ref(), mdia.mdhd.timescale, movie_timescale)?, length)?;
    Ok(Mp4Track {
        id: trak.tkhd.track_id,
        kind: match &handler {
            b"vide" => Some(StreamKind::Video),
            b"soun" => Some(StreamKind::Audio),
            b"subt" | b"sbtl" | b"text" => Some(StreamKind::Subtitle),
            _ => None,
        },
        codec,
        configuration,
        size,
        channels,
        time_base,
        language: mdia.mdhd.language.clone(),
        samples,
    })
}

type SampleCoding = (&'static str, Vec<u8>, Option<(u16, u16)>, Option<u16>);

fn coding(codec: Option<&Codec>) -> SampleCoding {
    match codec {
        Some(Codec::Av01(c)) => ("av1", body(&c.av1c), Some((c.visual.width, c.visual.height)), None),
        Some(Codec::Avc1(c)) => ("h264", body(&c.avcc), Some((c.visual.width, c.visual.height)), None),
        Some(Codec::Hvc1(c)) => ("hevc", body(&c.hvcc), Some((c.visual.width, c.visual.height)), None),
        Some(Codec::Mp4a(c)) => ("aac", Vec::new(), None, Some(c.audio.channel_count)),
        Some(Codec::Opus(c)) => ("opus", opus_head(&c.dops), None, Some(c.audio.channel_count)),
        _ => ("unknown", Vec::new(), None, None),
    }
}

/// A box without its header.
fn body(atom: &impl Encode) -> Vec<u8> {
    let mut bytes = Vec::new();
    match atom.encode(&mut bytes) {
        Ok(()) => bytes.split_off(8.min(bytes.len())),
        Err(_) => Vec::new(),
    }
}

/// The OpusHead that `dOps` says (Encapsulation of Opus in ISO Base Media File Format §4.3.2).
fn opus_head(dops: &mp4_atom::Dops) -> Vec<u8> {
    let channels = dops.output_channel_count;
    let mapping = match &dops.channel_mapping {
        None => ChannelMapping { family: 0, streams: 1, coupled: channels.saturating_sub(1), table: Vec::new() },
        Some(m) => ChannelMapping {
            family: m.family,
            streams: m.stream_count,
            coupled: m.coupled_count,
            table: m.channel_mapping.clone(),
        },
    };
    OpusHead {
        channels,
        pre_skip: dops.pre_skip,
        input_rate: dops.input_sample_rate,
        output_gain: dops.output_gain,
        mapping,
    }
    .to_bytes()
}

/// What the edit list adds to composition times, in ticks of the track: empty edits, less where the media begins.
pub(super) fn shift(edits: Option<&Edts>, timescale: u32, movie_timescale: u32) -> Result<i64> {
    let edits = edits.and_then(|e| e.elst.as_ref()).map_or(&[][..], |e| &e.entries);
    let mut empty = 0u128;
    for edit in edits {
        let Some(media_time) = edit.media_time else {
            empty += u128::from(edit.segment_duration);
            continue;
        };
        let (scale, movie) = (u128::from(timescale), u128::from(movie_timescale.max(1)));
        let ticks = (empty * scale * 2 + movie) / (movie * 2);
        let ticks = i64::try_from(ticks).ok().zip(i64::try_from(media_time).ok());
        return ticks.and_then(|(t, m)| t.checked_sub(m)).ok_or_else(|| broken("an edit list beyond all times"));
    }
    Ok(0)
}

/// The samples of a track, from its tables.
pub(super) fn samples(tables: &Stbl, shift: i64, length: u64) -> Result<Vec<Mp4Sample>> {
    let sizes = sizes(tables, length)?;
    let offsets = offsets(tables, &sizes)?;
    let runs = |entries: &mut dyn Iterator<Item = (u32, i64)>| -> Result<Vec<i64>> {
        let mut out = Vec::with_capacity(sizes.len());
        for (count, value) in entries {
            let count = (count as usize).min(sizes.len() - out.len());
            out.extend(std::iter::repeat_n(value, count));
        }
        if out.len() < sizes.len() { Err(broken("a time table is shorter than the track")) } else { Ok(out) }
    };
    let durations = runs(&mut tables.stts.entries.iter().map(|e| (e.sample_count, i64::from(e.sample_delta))))?;
    let compositions = match &tables.ctts {
        Some(c) => runs(&mut c.entries.iter().map(|e| (e.sample_count, e.sample_offset)))?,
        None => vec![0; sizes.len()],
    };
    // Without a table of sync samples every sample is one.
    let mut keys = vec![tables.stss.is_none(); sizes.len()];
    for number in tables.stss.iter().flat_map(|s| &s.entries) {
        let key = (*number as usize).checked_sub(1).and_then(|at| keys.get_mut(at));
        *key.ok_or_else(|| broken("a sync sample that does not exist"))? = true;
    }
    let mut dts = shift;
    let mut out = Vec::with_capacity(sizes.len());
    for (index, size) in sizes.iter().enumerate() {
        let (duration, offset) = (durations[index], offsets[index]);
        if offset.checked_add(u64::from(*size)).is_none_or(|end| end > length) {
            return Err(broken("a sample lies beyond the end of the file"));
        }
        let pts = dts.checked_add(compositions[index]).ok_or_else(|| broken("a time beyond all times"))?;
        out.push(Mp4Sample { pts, dts, duration: duration as u32, keyframe: keys[index], offset, size: *size });
        dts = dts.checked_add(duration).ok_or_else(|| broken("a time beyond all times"))?;
    }
    Ok(out)
}

fn sizes(tables: &Stbl, length: u64) -> Result<Vec<u32>> {
    match &tables.stsz.samples {
        StszSamples::Different { sizes } => Ok(sizes.clone()),
        StszSamples::Identical { count, size } if u64::from(*count) * u64::from(*size) <= length && *size > 0 => {
            Ok(vec![*size; *count as usize])
        }
        StszSamples::Identical { count: 0, .. } => Ok(Vec::new()),
        StszSamples::Identical { .. } => Err(broken("more samples than the file has bytes")),
    }
}

/// Where each sample lies: chunks have positions, samples follow each other within.
fn offsets(tables: &Stbl, sizes: &[u32]) -> Result<Vec<u64>> {
    let chunks: Vec<u64> = match (&tables.stco, &tables.co64) {
        (Some(t), _) => t.entries.iter().map(|o| u64::from(*o)).collect(),
        (None, Some(t)) => t.entries.clone(),
        (None, None) => Vec::new(),
    };
    let mut out = Vec::with_capacity(sizes.len());
    let mut runs = tables.stsc.entries.iter().peekable();
    let mut per_chunk = 0;
    for (index, chunk) in chunks.iter().enumerate() {
        while runs.peek().is_some_and(|run| run.first_chunk as usize <= index + 1) {
            per_chunk = runs.next().map_or(0, |run| run.samples_per_chunk);
        }
        let mut at = *chunk;
        for _ in 0..per_chunk {
            let Some(size) = sizes.get(out.len()) else { break };
            out.push(at);
            at = at.saturating_add(u64::from(*size));
        }
    }
    if out.len() < sizes.len() { Err(broken("the chunks hold fewer samples than the track")) } else { Ok(out) }
}

fn broken(message: &str) -> Error {
    Error::new(ErrorKind::Input, message)
}
