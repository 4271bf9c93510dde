//! An opened file: libavformat's demuxer.

use std::ffi::{CString, c_int, c_void};
use std::path::{Path, PathBuf};
use std::ptr::{self, NonNull};

use ffmpeg_next::ffi as sys;

use super::super::sequence::PictureSequence;
use super::info;
use super::packet::InputPacket;
use super::{check, out_of_memory, time_base};
use crate::base::{CancelToken, Error, ErrorKind, Rational, Result, Timestamp};
use crate::media::{MediaInfo, StreamKind};

/// Demuxers that make pictures of any bytes they are given; a text file is not a film.
const REFUSED_DEMUXERS: [&str; 4] = ["tty", "bin", "idf", "xbin"];

/// How much of a file is read to find all of its streams. DVD and Blu-ray rips show a subtitle stream
/// only at its first line, so this is more than FFmpeg's 5 MB and 5 s.
const PROBE_BYTES: i64 = 50_000_000;
const ANALYZE_MICROSECONDS: i64 = 20_000_000;

#[cfg(test)]
thread_local! {
    static OPENINGS: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

/// How many files this thread opened: looking at a source again and again is slow on discs and networks.
#[cfg(test)]
pub(crate) fn openings() -> u32 {
    OPENINGS.get()
}

/// A file opened for reading packets in the file's order.
///
/// Law: one thread at a time. Reads give up with `Interrupted` soon after the token is cancelled, also
/// while the operating system waits for data.
pub struct Input {
    context: NonNull<sys::AVFormatContext>,
    bases: Vec<Rational>,
    path: PathBuf,
    /// Behind a pointer that FFmpeg's interrupt callback holds: freed after the context is closed.
    interrupt: Box<CancelToken>,
}

// SAFETY: a format context has no thread affinity; `&mut self` keeps it to one thread at a time.
unsafe impl Send for Input {}

/// Called by libavformat between reads: non-zero means give up.
unsafe extern "C" fn interrupted(token: *mut c_void) -> c_int {
    // SAFETY: the pointer is the boxed token of the `Input` that owns the calling context.
    let token = unsafe { &*token.cast::<CancelToken>() };
    c_int::from(token.is_cancelled())
}

impl Input {
    /// Opens `path` and reads far enough to know its streams. Only local files are opened, also by
    /// playlists and references inside the file.
    pub fn open(path: &Path, cancel: &CancelToken) -> Result<Self> {
        #[cfg(test)]
        OPENINGS.set(OPENINGS.get() + 1);
        let place = |error: Error| error.with_file(path);
        let metadata = std::fs::metadata(path)
            .map_err(|e| place(Error::new(ErrorKind::Input, "cannot open the input").caused_by(e)))?;
        if metadata.is_dir() {
            return Err(place(Error::new(ErrorKind::Input, "is a folder, not a film")));
        }
        if let Some(what) = never_a_film(&metadata) {
            return Err(place(Error::new(ErrorKind::Input, what)));
        }
        let pictures = PictureSequence::read(path);
        let url = match &pictures {
            Some(pictures) => url(&pictures.url_path()),
            None => url(path),
        };
        let url = url.map_err(place)?;
        let interrupt = Box::new(cancel.clone());
        let context = Self::open_context(&url, pictures.as_ref(), &interrupt).map_err(place)?;
        let mut input = Input { context, bases: Vec::new(), path: path.to_path_buf(), interrupt };
        input.find_streams().map_err(place)?;
        Ok(input)
    }

    fn open_context(
        url: &CString,
        pictures: Option<&PictureSequence>,
        interrupt: &CancelToken,
    ) -> Result<NonNull<sys::AVFormatContext>> {
        let mut wanted = vec![(c"protocol_whitelist", CString::from(c"file"))];
        match pictures {
            Some(pictures) => {
                let text = |text: String| CString::new(text).unwrap_or_default();
                wanted.push((c"pattern_type", CString::from(c"sequence")));
                wanted.push((c"framerate", text(pictures.rate().to_string())));
                wanted.push((c"start_number", text(pictures.first().to_string())));
                wanted.push((c"start_number_range", CString::from(c"1")));
            }
            // A percent sign in the name of a picture is one; only image2 knows the option.
            None => wanted.push((c"pattern_type", CString::from(c"none"))),
        }
        // SAFETY: the context is fresh; fields are set before it is opened, as libavformat documents. The
        // token outlives the context (see the field order note in `Input`). avformat_open_input frees the
        // context on failure.
        unsafe {
            let mut context = sys::avformat_alloc_context();
            if context.is_null() {
                return Err(out_of_memory("a demuxer"));
            }
            (*context).interrupt_callback = sys::AVIOInterruptCB {
                callback: Some(interrupted),
                opaque: ptr::from_ref(interrupt).cast_mut().cast(),
            };
            (*context).probesize = PROBE_BYTES;
            (*context).max_analyze_duration = ANALYZE_MICROSECONDS;
            let mut options = ptr::null_mut();
            // As FFmpeg's own programs: look for streams of a transport stream as far as the probe goes, and not only
            // to the first program map (ISO/IEC 13818-1, 2.4.4.8). Other demuxers do not know the option.
            sys::av_dict_set(&mut options, c"scan_all_pmts".as_ptr(), c"1".as_ptr(), 0);
            for (name, value) in &wanted {
                sys::av_dict_set(&mut options, name.as_ptr(), value.as_ptr(), 0);
            }
            let format = match pictures {
                Some(_) => sys::av_find_input_format(c"image2".as_ptr()),
                None => ptr::null(),
            };
            let code = sys::avformat_open_input(&mut context, url.as_ptr(), format, &mut options);
            sys::av_dict_free(&mut options);
            check(code, ErrorKind::Input, "not a media file that can be read")?;
            NonNull::new(context).ok_or_else(|| out_of_memory("a demuxer"))
        }
    }

    fn find_streams(&mut self) -> Result<()> {
        let name = info::demuxer_name(self.fields());
        if REFUSED_DEMUXERS.contains(&name.as_str()) {
            return Err(Error::new(ErrorKind::Input, format!("not a media file (it looks like {name})")));
        }
        // SAFETY: the context is open; null options mean defaults.
        let code = unsafe { sys::avformat_find_stream_info(self.context.as_ptr(), ptr::null_mut()) };
        check(code, ErrorKind::Input, "cannot read the streams")?;
        self.note_time_bases();
        Ok(())
    }

    /// Formats without a header add streams while they are read.
    fn note_time_bases(&mut self) {
        self.bases = self.streams().iter().map(|s| time_base(s.time_base)).collect();
    }

    fn fields(&self) -> &sys::AVFormatContext {
        // SAFETY: valid until drop; nobody writes while we are borrowed.
        unsafe { self.context.as_ref() }
    }

    pub(super) fn streams(&self) -> Vec<&sys::AVStream> {
        let f = self.fields();
        (0..f.nb_streams as usize)
            // SAFETY: `streams` holds `nb_streams` valid pointers that live as long as the context.
            .map(|i| unsafe { &**f.streams.add(i) })
            .collect()
    }

    /// The path it was opened from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the headers (and the first packets, where headers do not say) tell of the file.
    pub fn info(&self) -> MediaInfo {
        info::media_info(self.fields(), &self.streams())
    }

    /// The kind of a stream.
    pub fn kind(&self, index: usize) -> Option<StreamKind> {
        self.streams().get(index).map(|stream| info::kind(stream))
    }

    /// Whether the format is one whose clock may jump (broadcasts, DVDs).
    pub fn may_jump(&self) -> bool {
        // SAFETY: an open context has a demuxer.
        let flags = unsafe { self.fields().iformat.as_ref() }.map_or(0, |format| format.flags);
        flags & sys::AVFMT_TS_DISCONT as c_int != 0
    }

    /// How many streams are known by now.
    pub fn stream_count(&self) -> usize {
        self.fields().nb_streams as usize
    }

    /// The container's own number of a stream (a PID in transport streams), by which it is known again where streams are
    /// announced in another order.
    pub fn stream_id(&self, index: usize) -> i32 {
        self.streams().get(index).map_or(-1, |stream| stream.id)
    }

    /// Bytes of the file; 0 where that is unknown.
    pub fn size(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |m| m.len())
    }

    /// Moves to a place in the file, counted in bytes: for formats that a reader can enter anywhere.
    pub fn seek_bytes(&mut self, place: u64) -> Result<()> {
        let place = i64::try_from(place).unwrap_or(i64::MAX);
        // SAFETY: the context is open.
        let code = unsafe { sys::av_seek_frame(self.context.as_ptr(), -1, place, sys::AVSEEK_FLAG_BYTE as c_int) };
        check(code, ErrorKind::Input, "cannot seek").map_err(|e| e.with_file(&self.path))?;
        Ok(())
    }

    /// Lets libavformat skip streams whose packets nobody wants.
    pub fn keep_only(&mut self, wanted: &[usize]) {
        for (index, stream) in self.streams().into_iter().enumerate() {
            let discard = match wanted.contains(&index) {
                true => sys::AVDiscard::AVDISCARD_DEFAULT,
                false => sys::AVDiscard::AVDISCARD_ALL,
            };
            // SAFETY: `discard` is a plain field that users set; `&mut self` means no reader is active.
            unsafe { (*ptr::from_ref(stream).cast_mut()).discard = discard };
        }
    }

    /// The next packet in the file's order; `None` at the end of the file.
    pub fn read_packet(&mut self) -> Result<Option<InputPacket>> {
        let mut packet = InputPacket::empty()?;
        // SAFETY: both are valid and owned; the packet is blank.
        let code = unsafe { sys::av_read_frame(self.context.as_ptr(), packet.as_mut_ptr()) };
        if code == sys::AVERROR_EOF {
            return self.end_of_file();
        }
        check(code, ErrorKind::Input, "cannot read on").map_err(|e| e.with_file(&self.path))?;
        self.interrupt.was_read(packet.data().len());
        let stream = packet.stream();
        if stream >= self.bases.len() {
            self.note_time_bases();
        }
        packet.set_base(self.bases.get(stream).copied().unwrap_or(Rational::MILLI));
        Ok(Some(packet))
    }

    /// The end, unless the reader below reported an error that libavformat took for one.
    fn end_of_file(&mut self) -> Result<Option<InputPacket>> {
        let f = self.fields();
        if !f.pb.is_null() {
            // SAFETY: `pb` is the open byte stream of this context.
            let code = unsafe { (*f.pb).error };
            if code < 0 && code != sys::AVERROR_EOF {
                check(code, ErrorKind::Input, "cannot read on").map_err(|e| e.with_file(&self.path))?;
            }
        }
        Ok(None)
    }

    /// Moves to the last keyframe of stream `index` at or before `target`.
    pub fn seek(&mut self, index: usize, target: Timestamp) -> Result<()> {
        let base = self.bases.get(index).copied().unwrap_or(Rational::MILLI);
        let ticks = target.rescale(base, crate::base::Rounding::Down).ticks();
        // SAFETY: the context is open; BACKWARD asks for a keyframe at or before the target.
        let code = unsafe {
            sys::av_seek_frame(self.context.as_ptr(), index as c_int, ticks, sys::AVSEEK_FLAG_BACKWARD as c_int)
        };
        check(code, ErrorKind::Input, "cannot seek")
            .map_err(|e| e.with_file(&self.path).with_stream(index).at(target))?;
        Ok(())
    }
}

/// What makes sure that there is no film in a file that was not looked into.
fn never_a_film(found: &std::fs::Metadata) -> Option<&'static str> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let kind = found.file_type();
        if kind.is_char_device() {
            return Some("is a device, not a film");
        }
        if kind.is_fifo() || kind.is_socket() {
            return Some("is a pipe, which gives its bytes once and cannot be sought in");
        }
    }
    (found.is_file() && found.len() == 0).then_some("the file is empty")
}

impl Drop for Input {
    fn drop(&mut self) {
        let mut context = self.context.as_ptr();
        // SAFETY: we own the context; closing frees it and nulls the local pointer.
        unsafe { sys::avformat_close_input(&mut context) }
    }
}

/// A `file:` URL, so that a name with a colon is not taken for a protocol.
pub(super) fn url(path: &Path) -> Result<CString> {
    #[cfg(unix)]
    let bytes = std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str());
    #[cfg(not(unix))]
    let text = path.to_string_lossy();
    #[cfg(not(unix))]
    let bytes = text.as_bytes();
    CString::new([b"file:", bytes].concat()).map_err(|_| Error::new(ErrorKind::Usage, "the path holds a zero byte"))
}
