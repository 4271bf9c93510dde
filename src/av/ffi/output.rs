//! A file that libavformat's muxers write, through a byte stream of our own.

use std::ffi::{CStr, c_int, c_void};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::ptr::{self, NonNull};

use ffmpeg_next::ffi as sys;

use super::output_stream::{CoverPicture, add_chapters, add_cover, add_stream, c_text, set_tag, tell_delay};
use super::packet::InputPacket;
use super::{AvError, check, out_of_memory, time_base};
use crate::base::{Error, ErrorKind, Rational, Result, Rounding, Timestamp};
use crate::media::{FileParams, Packet, TrackId};

/// Bytes that libavformat gathers before it writes.
const BUFFER: usize = 256 << 10;

/// A file that is being written.
///
/// Law: one thread at a time. Packets come in the order they are to have in the file, decoding times rise within a track.
/// Dropping it unfinished leaves a file without an end.
pub struct Output {
    context: NonNull<sys::AVFormatContext>,
    bases: Vec<Rational>,
    last_dts: Vec<Option<i64>>,
    /// What the first packet of each track decodes to in vain, where packets tell that themselves.
    leads: Vec<u32>,
    path: Option<PathBuf>,
    /// Behind a pointer that the byte stream holds: freed after it.
    stream: Box<FileStream>,
}

// SAFETY: a format context has no thread affinity; `&mut self` keeps it to one thread at a time.
unsafe impl Send for Output {}

/// What the byte stream reads, writes and seeks in.
struct FileStream {
    file: File,
    /// The first error, which libavformat passes on as a number only.
    failed: Option<std::io::Error>,
    /// How far the file reaches.
    end: u64,
}

impl FileStream {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.file.write_all(bytes)?;
        self.end = self.end.max(self.file.stream_position()?);
        Ok(())
    }

    /// `AVIOContext.seek`'s answer.
    fn seek(&mut self, offset: i64, whence: c_int) -> std::io::Result<i64> {
        const FORCE: c_int = sys::AVSEEK_FORCE as c_int;
        let to = match whence & !FORCE {
            w if w == sys::AVSEEK_SIZE as c_int => return Ok(self.file.metadata()?.len() as i64),
            0 => SeekFrom::Start(u64::try_from(offset).unwrap_or(0)),
            1 => SeekFrom::Current(offset),
            2 => SeekFrom::End(offset),
            _ => return Err(std::io::ErrorKind::InvalidInput.into()),
        };
        self.file.seek(to).map(|at| at as i64)
    }

    fn answer<T: From<i8>>(&mut self, result: std::io::Result<T>, error: T) -> T {
        result.unwrap_or_else(|cause| {
            self.failed.get_or_insert(cause);
            error
        })
    }
}

/// FFmpeg 7 made the buffer of `write_packet` constant.
trait Bytes {
    fn start(self) -> *const u8;
}

impl Bytes for *mut u8 {
    fn start(self) -> *const u8 {
        self
    }
}

impl Bytes for *const u8 {
    fn start(self) -> *const u8 {
        self
    }
}

unsafe extern "C" fn write_packet<P: Bytes>(stream: *mut c_void, buffer: P, size: c_int) -> c_int {
    // SAFETY: the pointer is the boxed stream of the `Output` that owns the calling context, and nobody else uses it while
    // libavformat runs; the buffer holds `size` bytes.
    let (stream, bytes) = unsafe {
        let bytes = std::slice::from_raw_parts(buffer.start(), usize::try_from(size).unwrap_or(0));
        (&mut *stream.cast::<FileStream>(), bytes)
    };
    let written = stream.write(bytes).map(|()| size);
    stream.answer(written.map(i64::from), i64::from(sys::AVERROR(sys::EIO))) as c_int
}

unsafe extern "C" fn read_packet(stream: *mut c_void, buffer: *mut u8, size: c_int) -> c_int {
    // SAFETY: as in `write_packet`; the buffer takes `size` bytes and is libavformat's own initialised memory.
    let (stream, bytes) = unsafe {
        let bytes = std::slice::from_raw_parts_mut(buffer, usize::try_from(size).unwrap_or(0));
        (&mut *stream.cast::<FileStream>(), bytes)
    };
    match stream.file.read(bytes) {
        Ok(0) => sys::AVERROR_EOF,
        Ok(read) => read as c_int,
        Err(cause) => stream.answer(Err(cause), i64::from(sys::AVERROR(sys::EIO))) as c_int,
    }
}

unsafe extern "C" fn seek(stream: *mut c_void, offset: i64, whence: c_int) -> i64 {
    // SAFETY: as in `write_packet`.
    let stream = unsafe { &mut *stream.cast::<FileStream>() };
    let at = stream.seek(offset, whence);
    stream.answer(at, i64::from(sys::AVERROR(sys::EIO)))
}

impl Output {
    /// Writes the header of a file in libavformat's `format` (a muxer's name, such as `mp4`) to `file`, from its start.
    ///
    /// `path` names the file in errors. A muxer that reads back what it wrote (`movflags` `faststart`) opens it by that name,
    /// so it has to be the file's own. Tags are passed on by FFmpeg's names. `options` are the muxer's; one it does not know is an
    /// error.
    ///
    /// # Errors
    /// `Output` where the file cannot be written; `Encode` for a codec the format cannot hold; `Usage` for an unknown option.
    pub fn create(
        file: File,
        path: Option<&Path>,
        format: &CStr,
        params: &FileParams,
        options: &[(&CStr, &CStr)],
        covers: &[CoverPicture<'_>],
    ) -> Result<Self> {
        let output = Self::new(file, path, format)?;
        output.start(params, options, covers, false).map_err(|e| match path {
            Some(path) => e.with_file(path),
            None => e,
        })
    }

    /// As [`create`](Self::create), for a file of sound alone: with what formats of sound want to know of delay and trims beside
    /// the times.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn create_sound(
        file: File,
        path: &Path,
        format: &CStr,
        params: &FileParams,
        options: &[(&CStr, &CStr)],
        covers: &[CoverPicture<'_>],
    ) -> Result<Self> {
        let output = Self::new(file, Some(path), format)?;
        output.start(params, options, covers, true).map_err(|e| e.with_file(path))
    }

    fn new(file: File, path: Option<&Path>, format: &CStr) -> Result<Self> {
        let mut context = ptr::null_mut();
        // SAFETY: the name is a terminated string; the context is an out value.
        let code =
            unsafe { sys::avformat_alloc_output_context2(&mut context, ptr::null(), format.as_ptr(), ptr::null()) };
        check(code, ErrorKind::Unsupported, "this FFmpeg has no muxer for the format")?;
        let context = NonNull::new(context).ok_or_else(|| out_of_memory("a muxer"))?;
        let stream = Box::new(FileStream { file, failed: None, end: 0 });
        let mut output = Output {
            context,
            bases: Vec::new(),
            last_dts: Vec::new(),
            leads: Vec::new(),
            path: path.map(Path::to_path_buf),
            stream,
        };
        let opaque = ptr::from_mut::<FileStream>(&mut output.stream).cast();
        // SAFETY: the buffer is libavformat's from then on; the boxed stream outlives the context (see `Drop`). Name and
        // flags are fields that users set before the header is written.
        unsafe {
            let buffer = sys::av_malloc(BUFFER);
            let io = sys::avio_alloc_context(
                buffer.cast(),
                BUFFER as c_int,
                1,
                opaque,
                Some(read_packet),
                Some(write_packet::<_>),
                Some(seek),
            );
            if buffer.is_null() || io.is_null() {
                return Err(out_of_memory("a byte stream"));
            }
            let context = output.context.as_ptr();
            (*context).pb = io;
            (*context).flags |= (sys::AVFMT_FLAG_CUSTOM_IO | sys::AVFMT_FLAG_BITEXACT) as c_int;
            // Dolby Vision's record and Opus in MP4 were drafts for long.
            (*context).strict_std_compliance = -2;
            // Times are passed through; a track that begins before zero is told by an edit list.
            (*context).avoid_negative_ts = 0;
            if let Some(path) = path {
                let url = super::input::url(path)?;
                (*context).url = sys::av_strdup(url.as_ptr());
            }
        }
        Ok(output)
    }

    /// Writes the header and the covers.
    fn start(
        mut self,
        params: &FileParams,
        options: &[(&CStr, &CStr)],
        covers: &[CoverPicture<'_>],
        sound_alone: bool,
    ) -> Result<Self> {
        let context = self.context.as_ptr();
        for (index, track) in params.tracks.iter().enumerate() {
            // SAFETY: the header was not yet written: streams may be added.
            unsafe { add_stream(context, track) }.map_err(|e| e.with_stream(index))?;
            if sound_alone {
                // SAFETY: as above; the stream was just added.
                self.leads.push(unsafe { tell_delay(context, index, track) });
            }
        }
        for cover in covers {
            // SAFETY: as above.
            unsafe { add_cover(context, cover)? };
        }
        for (key, value) in &params.tags {
            // SAFETY: the dictionary is the context's own.
            unsafe { set_tag(&mut (*context).metadata, &c_text(key), Some(value))? };
        }
        let mut dictionary = ptr::null_mut();
        // SAFETY: as above; keys and values are terminated strings, the dictionary is freed here.
        let code = unsafe {
            set_tag(&mut (*context).metadata, c"title", params.title.as_deref())?;
            set_tag(&mut (*context).metadata, c"encoding_tool", Some(params.writing_app.as_str()))?;
            add_chapters(context, &params.chapters)?;
            for (key, value) in options {
                sys::av_dict_set(&mut dictionary, key.as_ptr(), value.as_ptr(), 0);
            }
            let code = sys::avformat_write_header(context, &mut dictionary);
            let left = sys::av_dict_get(dictionary, c"".as_ptr(), ptr::null(), sys::AV_DICT_IGNORE_SUFFIX as c_int);
            let unknown = if left.is_null() { None } else { super::text((*left).key) };
            sys::av_dict_free(&mut dictionary);
            if let (Some(key), true) = (unknown, code >= 0) {
                return Err(Error::new(ErrorKind::Usage, format!("the muxer has no option {key}")));
            }
            code
        };
        self.checked(code, ErrorKind::Encode, "the format cannot hold these tracks")?;
        // SAFETY: `streams` holds `nb_streams` valid pointers.
        self.bases = unsafe {
            (0..(*context).nb_streams as usize).map(|i| time_base((**(*context).streams.add(i)).time_base)).collect()
        };
        self.last_dts = vec![None; params.tracks.len()];
        for (index, cover) in covers.iter().enumerate() {
            self.write_cover(params.tracks.len() + index, cover)?;
        }
        Ok(self)
    }

    fn write_cover(&mut self, stream: usize, cover: &CoverPicture<'_>) -> Result<()> {
        let mut raw = InputPacket::of_bytes(cover.data)?;
        let packet = raw.as_mut_ptr();
        // SAFETY: both are valid; the fields are plain numbers. av_write_frame takes no ownership.
        let code = unsafe {
            ((*packet).pts, (*packet).dts) = (0, 0);
            (*packet).stream_index = stream as c_int;
            (*packet).flags = sys::AV_PKT_FLAG_KEY as c_int;
            sys::av_write_frame(self.context.as_ptr(), packet)
        };
        self.checked(code, ErrorKind::Encode, "the format cannot hold this cover")
    }

    /// Whether times of a track may stay as they are from one packet to the next.
    fn times_may_stay(&self) -> bool {
        // SAFETY: a context of ours has a muxer, which is static data.
        let flags = unsafe { (*(*self.context.as_ptr()).oformat).flags };
        flags & sys::AVFMT_TS_NONSTRICT as c_int != 0
    }

    /// Tells the muxer the configuration of `track` as it is at the end: FLAC's count of samples. Nothing of that track follows.
    ///
    /// # Errors
    /// `Output` where the file cannot be written.
    pub fn configure_at_end(&mut self, track: TrackId, configuration: &[u8]) -> Result<()> {
        let mut raw = InputPacket::empty()?;
        raw.add_side_data(sys::AVPacketSideDataType::AV_PKT_DATA_NEW_EXTRADATA, configuration)?;
        let end = self.last_dts.get(track.0).copied().flatten().map_or(0, |last| last + 1);
        let packet = raw.as_mut_ptr();
        // SAFETY: as in `write`; a packet without bytes, with side data of its own.
        let code = unsafe {
            ((*packet).pts, (*packet).dts) = (end, end);
            (*packet).stream_index = track.0 as c_int;
            sys::av_write_frame(self.context.as_ptr(), packet)
        };
        self.checked(code, ErrorKind::Encode, "cannot finish a track")
    }

    /// An error of the byte stream is `Output` and names its cause; another is of `kind`.
    fn checked(&mut self, code: c_int, kind: ErrorKind, what: &str) -> Result<()> {
        let error = match self.stream.failed.take() {
            Some(cause) => Error::new(ErrorKind::Output, "cannot write").caused_by(cause),
            None if code < 0 => Error::new(kind, what).caused_by(AvError(code)),
            None => return Ok(()),
        };
        Err(match &self.path {
            Some(path) => error.with_file(path),
            None => error,
        })
    }

    /// The time base of `track` in the file, which the muxer chose.
    pub fn time_base(&self, track: TrackId) -> Option<Rational> {
        self.bases.get(track.0).copied()
    }

    /// Bytes in the file so far, without what libavformat still holds.
    pub fn bytes_written(&self) -> u64 {
        self.stream.end
    }

    /// Writes the next packet of `track`, with `data` as its bytes in place of its own. Times are rounded once, to the track's time base in the file.
    ///
    /// # Errors
    /// `Output` where the file cannot be written; `Encode`, naming time and track, for a track that does not exist, decoding
    /// times that do not rise or lie after the presentation.
    pub fn write(&mut self, track: TrackId, packet: &Packet, data: &[u8]) -> Result<()> {
        let refuse = |why: &str| Error::new(ErrorKind::Encode, format!("track {}: {why}", track.0 + 1)).at(packet.pts);
        let Some(base) = self.bases.get(track.0).copied().filter(|_| track.0 < self.last_dts.len()) else {
            return Err(refuse("no such track"));
        };
        let ticks = |t: Timestamp| t.rescale(base, Rounding::Nearest).ticks();
        let (pts, dts) = (ticks(packet.pts), ticks(packet.dts.unwrap_or(packet.pts)));
        let stays = self.times_may_stay();
        if self.last_dts[track.0].is_some_and(|last| dts < last || dts == last && !stays) {
            return Err(refuse("decoding times do not rise"));
        }
        if dts > pts {
            return Err(refuse("a packet is decoded after it is presented"));
        }
        let first = self.last_dts[track.0].replace(dts).is_none();
        let mut raw = InputPacket::of_bytes(data)?;
        if let Some(lead) = self.leads.get(track.0) {
            let lead = if first { *lead } else { 0 };
            let end = packet.trim.end.map_or(0, |end| end.rescale(base, Rounding::Nearest).ticks().max(0) as u32);
            if lead + end > 0 {
                raw.set_skip_samples(lead, end)?;
            }
        }
        let code = {
            let raw = raw.as_mut_ptr();
            // SAFETY: both are valid; the fields are plain numbers. av_write_frame takes no ownership.
            unsafe {
                (*raw).pts = pts;
                (*raw).dts = dts;
                (*raw).duration = packet.duration.map_or(0, |d| {
                    // Ends are rounded as ends: packets that touch still touch.
                    (ticks(packet.pts.plus(d)) - pts).max(0)
                });
                (*raw).stream_index = track.0 as c_int;
                (*raw).flags = if packet.keyframe { sys::AV_PKT_FLAG_KEY as c_int } else { 0 };
                sys::av_write_frame(self.context.as_ptr(), raw)
            }
        };
        self.checked(code, ErrorKind::Encode, "cannot put a packet into the file").map_err(|e| e.at(packet.pts))
    }

    /// Writes the end of the file and gives back how many bytes it has. The file is flushed, not synced.
    ///
    /// # Errors
    /// `Output` where the file cannot be written.
    pub fn finish(mut self) -> Result<u64> {
        // SAFETY: the header was written; the trailer is written once, since `self` is consumed.
        let code = unsafe { sys::av_write_trailer(self.context.as_ptr()) };
        self.checked(code, ErrorKind::Output, "cannot finish the file")?;
        // SAFETY: the byte stream is open until drop.
        unsafe { sys::avio_flush((*self.context.as_ptr()).pb) };
        self.checked(0, ErrorKind::Output, "cannot finish the file")?;
        Ok(self.stream.end)
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        let context = self.context.as_ptr();
        // SAFETY: we own the context, its byte stream and that one's buffer, which libavformat may have replaced; each is
        // freed once, the boxed `stream` after them.
        unsafe {
            let mut io = (*context).pb;
            if !io.is_null() {
                sys::av_freep(ptr::from_mut(&mut (*io).buffer).cast());
                sys::avio_context_free(&mut io);
            }
            sys::avformat_free_context(context);
        }
    }
}
