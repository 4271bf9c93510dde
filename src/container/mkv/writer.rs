//! The streaming writer: header first, clusters as they fill, index and sizes at the end.
//!
//! ```text
//! EBML head · Segment[ SeekHead room · Info · Tracks · Chapters · Attachments · Cluster… · Cues · Tags ]
//! ```
//!
//! Owns the layout of the file and the time law of the [module](super). Until [`Writer::finish`] the Segment
//! says "unknown size" and there is no Duration, so an unfinished file says nothing false. Memory is bounded
//! by one cluster and its cues.
#![deny(unsafe_code)]

#[cfg(test)]
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::chapters::{attachments_element, chapters_element, editions};
use super::cluster::{Block, Cluster, Group};
use super::ebml::{Master, UNKNOWN_SIZE8, id, put_id, size8, void};
use super::tags::{tag_entries, tags_element};
use super::ticks::{TIMESTAMP_SCALE, block_ticks, end_ticks};
use super::tracks::{codings, track_uids, tracks_element};
use crate::base::{Error, ErrorKind, Result};
use crate::container::format::Format;
use crate::container::muxer::{Lane, MuxStats, Muxer, TrackCount};
use crate::media::{FileParams, Packet, StreamKind, Tag, TagEntry, TrackId, TrackKind, TrackParams};
use crate::syntax::av1;

/// A cluster is closed when it would last longer than this (ticks) …
const CLUSTER_TICKS: i64 = 5_000;
/// … or holds this many bytes …
const CLUSTER_BYTES: usize = 5 << 20;
/// … or at a video keyframe, once it is this old (ticks): many keyframes must not make tiny clusters.
const KEYFRAME_CLUSTER_TICKS: i64 = 1_000;
/// Room for a SeekHead of six entries of at most 21 bytes, and a Void after it.
const SEEK_HEAD_ROOM: usize = 160;

/// What the writer keeps of a track while it writes.
#[derive(Debug)]
struct TrackState {
    uid: u64,
    kind: StreamKind,
    is_av1: bool,
    additions: bool,
    delay_ns: u64,
    count: TrackCount,
    last_block: Option<i64>,
}

/// A place to seek to.
#[derive(Clone, Copy, Debug)]
struct Cue {
    time: i64,
    track: u64,
    cluster: u64,
    relative: u64,
    duration: Option<u64>,
}

/// Writes one Matroska file, packet after packet.
///
/// Law: packets arrive in the order they are to have in the file (see [`Interleaver`](super::Interleaver)),
/// each track in its coded order. After an error the writer is of no further use. Dropping it unfinished
/// leaves a playable file without index and duration.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    file: Option<PathBuf>,
    /// Bytes written, from the start of the stream.
    position: u64,
    base: u64,
    segment_data: u64,
    duration_at: u64,
    /// `(id, position in the segment)` of the top-level elements to list in the SeekHead.
    seek: Vec<(u32, u64)>,
    tracks: Vec<TrackState>,
    has_video: bool,
    cluster: Cluster,
    cues: Vec<Cue>,
    tags: Vec<TagEntry>,
    writing_app: String,
}

#[cfg(test)]
impl Writer<File> {
    /// Creates the file at `path`, which must not exist yet, and writes the header.
    ///
    /// # Errors
    /// Kind `Output`, naming the file, where it exists or cannot be written; kind `Encode` for a header
    /// that describes no valid track.
    pub fn create(path: &Path, header: &FileParams) -> Result<Self> {
        let open = File::options().write(true).create_new(true).open(path);
        let file = open.map_err(|e| Error::new(ErrorKind::Output, "cannot create").caused_by(e).with_file(path))?;
        Self::new(file, Some(path), header)
    }
}

impl<W: Write + Seek> Writer<W> {
    /// Writes the header of `header` at the current position of `out`; `file` names it in errors.
    ///
    /// Writes are large (a cluster at a time): `out` needs no buffer.
    ///
    /// # Errors
    /// Kind `Output` for I/O; kind `Encode` for a header that describes no valid track.
    pub fn new(out: W, file: Option<&Path>, header: &FileParams) -> Result<Self> {
        Self::of_type(out, "matroska", file, header)
    }

    /// As [`new`](Self::new), of a WebM file: the same elements, of which the caller takes only those that WebM has.
    ///
    /// # Errors
    /// As [`new`](Self::new), and kind `Encode` for a codec or an attachment that WebM cannot hold.
    pub fn webm(out: W, file: Option<&Path>, header: &FileParams) -> Result<Self> {
        let refuse = |what: String| Err(Error::new(ErrorKind::Encode, format!("WebM cannot hold {what}")));
        if !header.attachments.is_empty() {
            return refuse("attachments".to_owned());
        }
        for track in &header.tracks {
            let codec = track.codec().name();
            let held = match track.stream_kind() {
                StreamKind::Video => Format::WebM.holds_video(codec),
                StreamKind::Audio => Format::WebM.holds_sound(codec),
                _ => false,
            };
            if !held {
                return refuse(codec.to_owned());
            }
        }
        Self::of_type(out, "webm", file, header)
    }

    fn of_type(mut out: W, doc_type: &str, file: Option<&Path>, header: &FileParams) -> Result<Self> {
        let codings = codings(&header.tracks)?;
        let uids = track_uids(&header.tracks, &codings);
        let tracks_content = tracks_element(&header.tracks, &codings, &uids)?;
        let base = out.stream_position().map_err(|e| output_error(file, e))?;
        let mut writer = Writer {
            out,
            file: file.map(Path::to_path_buf),
            position: base,
            base,
            segment_data: 0,
            duration_at: 0,
            seek: Vec::new(),
            tracks: states(header, &uids),
            has_video: header.tracks.iter().any(|t| t.stream_kind() == StreamKind::Video),
            cluster: Cluster::default(),
            cues: Vec::new(),
            tags: tag_entries(&header.tags, &header.tag_entries, &tags_of(&header.tracks)),
            writing_app: header.writing_app.clone(),
        };
        let mut start = ebml_head(doc_type);
        put_id(&mut start, id::SEGMENT);
        start.extend_from_slice(&UNKNOWN_SIZE8);
        writer.segment_data = base + start.len() as u64;
        start.extend(void(SEEK_HEAD_ROOM));
        writer.put(&start)?;

        let (info, duration_offset) = info_element(header);
        writer.duration_at = writer.position + duration_offset;
        writer.top_level(id::INFO, info)?;
        writer.top_level(id::TRACKS, tracks_content.into_element(id::TRACKS))?;
        for (element, content) in [
            (id::CHAPTERS, chapters_element(&editions(&header.editions, &header.chapters), &uids)),
            (id::ATTACHMENTS, attachments_element(&header.attachments)),
        ] {
            if !content.is_empty() {
                writer.top_level(element, content.into_element(element))?;
            }
        }
        Ok(writer)
    }

    /// Bytes in the file so far; the open cluster is not among them.
    pub fn bytes_written(&self) -> u64 {
        self.position - self.base
    }

    /// Writes one packet of track `track` (an index into [`FileParams::tracks`]).
    ///
    /// # Errors
    /// Kind `Output` for I/O. Kind `Encode`, naming the track and the time, for a block before time zero,
    /// an unknown track, AV1 that cannot be parsed, or bytes beside a block of a track that has none.
    pub fn write(&mut self, track: usize, packet: &Packet) -> Result<()> {
        let refuse = |why: String| Error::new(ErrorKind::Encode, format!("track {}: {why}", track + 1)).at(packet.pts);
        let Some(state) = self.tracks.get_mut(track) else {
            return Err(refuse(format!("no such track, there are {}", self.tracks.len())));
        };
        if packet.additional.is_some() && !state.additions {
            return Err(refuse("a packet brings block additions on a track without them".to_owned()));
        }
        let time = block_ticks(packet.pts, state.delay_ns);
        if time < 0 {
            return Err(refuse(format!("a block would be at {time} ms, before the start of the file")));
        }
        let data = if state.is_av1 {
            av1::block_data(&packet.data).map_err(|e| refuse("unusable access unit".to_owned()).caused_by(e))?
        } else {
            std::borrow::Cow::Borrowed(&*packet.data)
        };
        if state.is_av1 && data.is_empty() {
            return Err(refuse("an access unit without a frame".to_owned()));
        }
        let end = packet.duration.map(|d| end_ticks(packet.pts, d, state.delay_ns));
        let duration = end.filter(|end| *end > time).map(|end| (end - time) as u64);
        let group = state.group(packet, time, duration);
        state.count.packet(packet, data.len());
        let (kind, number) = (state.kind, track as u64 + 1);

        if self.must_cut(time, kind == StreamKind::Video && packet.keyframe) {
            self.flush_cluster()?;
        }
        let block = Block { track: number, time, keyframe: packet.keyframe, group, data: &data };
        let relative = self.cluster.push(&block);
        let cue = match kind {
            StreamKind::Video => packet.keyframe,
            // A player that seeks finds the subtitle on screen by its duration.
            StreamKind::Subtitle => true,
            _ => !self.has_video && !self.cluster.cued,
        };
        if cue {
            self.cluster.cued = true;
            let duration = duration.filter(|_| kind == StreamKind::Subtitle);
            let cluster = self.position - self.segment_data;
            self.cues.push(Cue { time, track: number, cluster, relative, duration });
        }
        Ok(())
    }

    /// Writes what is open, the index and the tags, sets size and duration, and gives back the stream.
    ///
    /// The stream is flushed, not synced: that is for whoever opened it.
    ///
    /// # Errors
    /// Kind `Output` for I/O.
    pub fn finish(mut self) -> Result<(MuxStats, W)> {
        self.flush_cluster()?;
        let cues = self.cues_element();
        if !cues.is_empty() {
            self.top_level(id::CUES, cues.into_element(id::CUES))?;
        }
        let counts: Vec<TrackCount> = self.tracks.iter().map(|t| t.count.clone()).collect();
        let mut stats = MuxStats::of(&counts, 0);
        let tracks: Vec<_> = self.tracks.iter().zip(&stats.tracks).map(|(t, s)| (t.uid, *s)).collect();
        let tags = tags_element(&self.tags, &tracks, &self.writing_app);
        if !tags.is_empty() {
            self.top_level(id::TAGS, tags.into_element(id::TAGS))?;
        }
        let end = self.position;
        let mut duration = Master::new();
        duration.float(id::DURATION, stats.duration.as_nanos() as f64 / TIMESTAMP_SCALE as f64);
        self.patch(self.duration_at, duration.as_bytes())?;
        self.patch(self.segment_data, &self.seek_head())?;
        self.patch(self.segment_data - 8, &size8(end - self.segment_data))?;
        let done = self.out.seek(SeekFrom::Start(end)).and_then(|_| self.out.flush());
        done.map_err(|e| self.failed(e))?;
        stats.bytes = end - self.base;
        Ok((stats, self.out))
    }

    fn must_cut(&self, time: i64, video_keyframe: bool) -> bool {
        let c = &self.cluster;
        let age = c.age_at(time);
        !c.is_empty()
            && (age >= CLUSTER_TICKS
                || c.len() >= CLUSTER_BYTES
                || !c.reaches(time)
                || (video_keyframe && age >= KEYFRAME_CLUSTER_TICKS))
    }

    fn flush_cluster(&mut self) -> Result<()> {
        if self.cluster.is_empty() {
            return Ok(());
        }
        let (header, content) = self.cluster.element();
        let written = self.out.write_all(&header).and_then(|()| self.out.write_all(content));
        let length = (header.len() + content.len()) as u64;
        written.map_err(|e| self.failed(e))?;
        self.position += length;
        self.cluster.clear();
        Ok(())
    }

    /// The content of Cues, in the order of time.
    fn cues_element(&self) -> Master {
        let mut cues = self.cues.clone();
        cues.sort_by_key(|c| (c.time, c.track, c.cluster, c.relative));
        let mut out = Master::new();
        for cue in cues {
            let mut positions = Master::new();
            positions
                .uint(id::CUE_TRACK, cue.track)
                .uint(id::CUE_CLUSTER_POSITION, cue.cluster)
                .uint(id::CUE_RELATIVE_POSITION, cue.relative);
            if let Some(duration) = cue.duration {
                positions.uint(id::CUE_DURATION, duration);
            }
            let mut point = Master::new();
            point.uint(id::CUE_TIME, cue.time.max(0) as u64).master(id::CUE_TRACK_POSITIONS, &positions);
            out.master(id::CUE_POINT, &point);
        }
        out
    }

    /// The SeekHead, filled up to its room with a Void.
    fn seek_head(&self) -> Vec<u8> {
        let mut content = Master::new();
        for (element, position) in &self.seek {
            let mut entry_id = Vec::new();
            put_id(&mut entry_id, *element);
            let mut entry = Master::new();
            entry.bytes(id::SEEK_ID, &entry_id).uint(id::SEEK_POSITION, *position);
            content.master(id::SEEK, &entry);
        }
        let mut out = content.into_element(id::SEEK_HEAD);
        let rest = SEEK_HEAD_ROOM.saturating_sub(out.len());
        if rest >= 2 {
            out.extend(void(rest));
        }
        out
    }

    /// Writes a top-level element and remembers where it stands.
    fn top_level(&mut self, element: u32, bytes: Vec<u8>) -> Result<()> {
        self.seek.push((element, self.position - self.segment_data));
        self.put(&bytes)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes).map_err(|e| self.failed(e))?;
        self.position += bytes.len() as u64;
        Ok(())
    }

    fn patch(&mut self, at: u64, bytes: &[u8]) -> Result<()> {
        let done = self.out.seek(SeekFrom::Start(at)).and_then(|_| self.out.write_all(bytes));
        done.map_err(|e| self.failed(e))
    }

    fn failed(&self, cause: std::io::Error) -> Error {
        output_error(self.file.as_deref(), cause)
    }
}

impl<W: Write + Seek + Send> Muxer for Writer<W> {
    fn lanes(&self) -> Vec<Lane> {
        let lane = |t: &TrackState| Lane { gating: t.kind != StreamKind::Subtitle, delay_ns: t.delay_ns };
        self.tracks.iter().map(lane).collect()
    }

    fn write(&mut self, track: TrackId, packet: &Packet) -> Result<()> {
        Writer::write(self, track.0, packet)
    }

    fn bytes_written(&self) -> u64 {
        Writer::bytes_written(self)
    }

    fn finish(self: Box<Self>) -> Result<MuxStats> {
        Writer::finish(*self).map(|(stats, _)| stats)
    }
}

impl TrackState {
    /// Whether and with what the block needs a BlockGroup. Durations of audio and video are not stored:
    /// the next block tells them.
    fn group<'a>(&mut self, packet: &'a Packet, time: i64, duration: Option<u64>) -> Option<Group<'a>> {
        let previous = self.last_block.replace(time);
        let subtitle = self.kind == StreamKind::Subtitle;
        if !subtitle && packet.trim.discard_padding_ns() == 0 && packet.additional.is_none() {
            return None;
        }
        Some(Group {
            duration: duration.filter(|_| subtitle),
            discard_padding_ns: packet.trim.discard_padding_ns(),
            additional: packet.additional.as_deref(),
            reference: if packet.keyframe { None } else { Some(previous.map_or(0, |p| p - time)) },
        })
    }
}

fn tags_of(tracks: &[TrackParams]) -> Vec<&[Tag]> {
    tracks.iter().map(|t| t.tags.as_slice()).collect()
}

fn states(header: &FileParams, uids: &[u64]) -> Vec<TrackState> {
    let state = |(track, uid): (&TrackParams, &u64)| TrackState {
        uid: *uid,
        kind: track.stream_kind(),
        is_av1: track.codec().is("av1"),
        additions: matches!(&track.kind, TrackKind::Subtitle(s) if s.block_additions),
        delay_ns: track.codec_delay_ns(),
        count: TrackCount::of(track),
        last_block: None,
    };
    header.tracks.iter().zip(uids).map(state).collect()
}

fn output_error(file: Option<&Path>, cause: std::io::Error) -> Error {
    let error = Error::new(ErrorKind::Output, "cannot write").caused_by(cause);
    match file {
        Some(file) => error.with_file(file),
        None => error,
    }
}

fn ebml_head(doc_type: &str) -> Vec<u8> {
    let mut head = Master::new();
    head.uint(id::EBML_VERSION, 1)
        .uint(id::EBML_READ_VERSION, 1)
        .uint(id::EBML_MAX_ID_LENGTH, 4)
        .uint(id::EBML_MAX_SIZE_LENGTH, 8)
        .text(id::DOC_TYPE, doc_type)
        .uint(id::DOC_TYPE_VERSION, 4)
        .uint(id::DOC_TYPE_READ_VERSION, 2);
    head.into_element(id::EBML)
}

/// The Info element, and where in it the eleven bytes for Duration wait as a Void.
fn info_element(header: &FileParams) -> (Vec<u8>, u64) {
    let mut before = Master::new();
    before.uint(id::TIMESTAMP_SCALE, TIMESTAMP_SCALE);
    let mut info = before.clone();
    info.raw(&void(11));
    info.text(id::MUXING_APP, &header.muxing_app).text(id::WRITING_APP, &header.writing_app);
    if let Some(title) = header.title.as_deref().filter(|t| !t.is_empty()) {
        info.text(id::TITLE, title);
    }
    let content = info.len();
    let element = info.into_element(id::INFO);
    let offset = element.len() - content + before.len();
    (element, offset as u64)
}
