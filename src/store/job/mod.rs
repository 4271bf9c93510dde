//! The job directory: what a run has finished, so that a killed one goes on where it was.
//!
//! ```text
//! encode_data/encoding.json   what the chunks depend on: input, settings, versions
//! encode_data/facts.json      what is known of the source
//! encode_data/progress.json   the journal: a chunk of the plan, a finished chunk, or something a decision read, a line
//! encode_data/lock            held while a run works on it
//! encoded/00007.ivf           the bytes of chunk 7
//! logs/                       the command line's logs of its runs
//! ```
//!
//! Law: a chunk is recorded only when its bytes are on the disk under their name. A line of the journal counts only
//! with its checksum and only if all before it do. Nothing of it is trusted that can be checked: a chunk file is
//! finished when its length and hash are those recorded.
#![deny(unsafe_code)]

mod disk;
mod identity;
mod journal;
mod planned;
mod record;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use crate::base::{Error, ErrorKind, Result};
use crate::config::EncodeSettings;
use crate::container::{IvfCodec, IvfHeader, IvfReader, IvfWriter};
use crate::plan::ScheduleRecord;

use super::names::fitting;
use disk::{cannot, sync_folder};
pub(crate) use identity::{Identity, content_hash};
use journal::Journal;
pub(crate) use planned::{FilmRead, FrameTime, PlannedChunk, ReadPoint, SegmentRecord};
use record::Record;
pub(crate) use record::{ChunkRecord, JOB_FORMAT};

/// How a job was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    /// There was none.
    Fresh,
    /// An earlier run of the same settings on the same input left this many chunks.
    Resumed { finished: usize, damaged: usize },
    /// An earlier run was another one, and why.
    Restarted { why: String },
}

/// An open job directory. One thread owns it; chunk files are written elsewhere and committed here.
pub(crate) struct Job {
    dir: PathBuf,
    journal: Journal,
    finished: BTreeMap<usize, ChunkRecord>,
    /// What decisions read in earlier runs, in order.
    decisions: Vec<ScheduleRecord>,
    /// The chunks earlier runs cut the film into, from its start.
    planned: Vec<PlannedChunk>,
    /// What reading the whole film met with, where an earlier run came to its end.
    read: Option<FilmRead>,
    parts: u64,
    /// Held for its lock.
    _lock: File,
}

impl Job {
    /// Opens or begins the job in `dir`.
    ///
    /// # Errors
    /// `Output` where the directory cannot be written, `Usage` where another run works on it.
    pub(crate) fn open(dir: &Path, identity: &Identity) -> Result<(Job, Opened)> {
        let data = dir.join("encode_data");
        let lock = lock(&data)?;
        let facts = data.join("encoding.json");
        let opened = match std::fs::read(&facts) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Opened::Fresh,
            // It may be readable the next time: no reason to throw finished chunks away.
            Err(e) => return Err(cannot(&facts, "read the job's description", e)),
            Ok(text) => match identity.difference(&text) {
                None => Opened::Resumed { finished: 0, damaged: 0 },
                Some(why) => Opened::Restarted { why },
            },
        };
        let encoded = dir.join("encoded");
        if !matches!(opened, Opened::Resumed { .. }) {
            // The facts go first: what is left of the rest then belongs to no job.
            for path in [&facts, &data.join("progress.json")] {
                remove_file(path)?;
            }
            remove_chunks(&encoded, |_| true)?;
        }
        std::fs::create_dir_all(&encoded).map_err(|e| cannot(&encoded, "make the job directory", e))?;
        // The names of `encoded` and `encode_data`, and that of the job.
        sync_folder(&encoded)?;
        sync_folder(dir)?;
        if !matches!(opened, Opened::Resumed { .. }) {
            write_whole(&facts, &identity.to_json()?)?;
        }
        let (journal, records) = Journal::open(&data.join("progress.json"))?;
        let mut job = Job {
            dir: dir.to_path_buf(),
            journal,
            finished: BTreeMap::new(),
            decisions: Vec::new(),
            planned: Vec::new(),
            read: None,
            parts: 0,
            _lock: lock,
        };
        let damaged = job.take(records);
        remove_chunks(&encoded, |name| name.ends_with(".part"))?;
        let opened = match opened {
            Opened::Resumed { .. } => Opened::Resumed { finished: job.finished.len(), damaged },
            other => other,
        };
        Ok((job, opened))
    }

    /// Takes what the journal says, as far as the chunk files bear it out; how many do not.
    fn take(&mut self, records: Vec<Record>) -> usize {
        for record in records {
            match record {
                Record::Schedule(record) => self.decisions.push(record),
                Record::Planned(chunk) if chunk.follows(self.planned.last()) => self.planned.push(*chunk),
                Record::Planned(_) => {}
                Record::Read(read) => self.read = Some(read),
                Record::Chunk(chunk) => {
                    self.finished.insert(chunk.chunk, chunk);
                }
            }
        }
        let whole = |record: &ChunkRecord| match self.check(record) {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(chunk = record.chunk, %error, "a finished chunk is encoded again");
                false
            }
        };
        let bad: Vec<usize> = self.finished.values().filter(|r| !whole(r)).map(|r| r.chunk).collect();
        for chunk in &bad {
            self.finished.remove(chunk);
        }
        bad.len()
    }

    fn check(&self, record: &ChunkRecord) -> Result<()> {
        let path = self.chunk_path(record.chunk);
        let wrong = |why: &str| Err(Error::new(ErrorKind::Input, why).with_file(&path));
        let mut file = File::open(&path).map_err(|e| cannot(&path, "read a chunk", e))?;
        let mut hasher = blake3::Hasher::new();
        let mut buffer = vec![0; 1 << 16];
        let mut length = 0;
        loop {
            let read = file.read(&mut buffer).map_err(|e| cannot(&path, "read a chunk", e))?;
            if read == 0 {
                break;
            }
            length += read as u64;
            hasher.update(&buffer[..read]);
        }
        if length != record.length {
            return wrong("has not the length it was written with");
        }
        if hasher.finalize().to_hex().as_str() != record.hash {
            return wrong("is not as it was written");
        }
        Ok(())
    }

    fn chunk_path(&self, chunk: usize) -> PathBuf {
        self.dir.join("encoded").join(format!("{chunk:05}.ivf"))
    }

    /// Where it is.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether nothing of it is worth keeping.
    pub(crate) fn is_empty(&self) -> bool {
        self.finished.is_empty() && self.decisions.is_empty()
    }

    /// The record of a finished chunk.
    pub(crate) fn finished(&self, chunk: usize) -> Option<&ChunkRecord> {
        self.finished.get(&chunk)
    }

    /// The chunks earlier runs cut the film into, from its start; they are given once.
    pub(crate) fn take_planned(&mut self) -> Vec<PlannedChunk> {
        std::mem::take(&mut self.planned)
    }

    /// What reading the whole film met with, where an earlier run came to its end.
    pub(crate) fn film_read(&self) -> Option<&FilmRead> {
        self.read.as_ref()
    }

    /// What the scheduler is told when a run goes on: all that decisions read, in order, and the chunks whose bytes are
    /// there.
    pub(crate) fn decisions(&self) -> Vec<ScheduleRecord> {
        self.decisions.iter().cloned().chain(self.finished.values().filter_map(ChunkRecord::kept)).collect()
    }

    /// Adds the next chunk to the plan.
    pub(crate) fn plan(&mut self, chunk: PlannedChunk) -> Result<()> {
        self.journal.append(&Record::Planned(Box::new(chunk)))
    }

    /// Records that no more chunks are to come.
    pub(crate) fn end_plan(&mut self, read: FilmRead) -> Result<()> {
        self.journal.append(&Record::Read(read))
    }

    /// A file for the bytes of one try.
    pub(crate) fn chunk_file(&mut self, chunk: usize, header: &IvfHeader) -> Result<ChunkFile> {
        self.parts += 1;
        let path = self.dir.join("encoded").join(format!(".{chunk:05}.{}.part", self.parts));
        let file = File::create(&path).map_err(|e| cannot(&path, "write a chunk", e))?;
        let sink = Hashing {
            file: BufWriter::with_capacity(1 << 17, file),
            hasher: Box::new(blake3::Hasher::new()),
            length: 0,
        };
        let writer = IvfWriter::new(sink, header).map_err(|e| e.with_file(&path))?;
        Ok(ChunkFile { path, header: *header, writer: Some(writer), bytes: 0, kept: false })
    }

    /// Records what a decision is about to read; no chunk is recorded after it that is on the disk without it.
    pub(crate) fn record(&mut self, record: ScheduleRecord) -> Result<()> {
        self.journal.append(&Record::Schedule(record))
    }

    /// Puts the bytes of a chunk on the disk under its name, then records it; the record as it was written. The bytes are
    /// those of `pieces`, of each as many frames as it says.
    pub(crate) fn finish(&mut self, record: ChunkRecord, pieces: Vec<(ChunkFile, u64)>) -> Result<&ChunkRecord> {
        let chunk = record.chunk;
        let file = match <[_; 1]>::try_from(pieces) {
            Ok([(file, _)]) => file,
            Err(pieces) => self.join(&record, pieces)?,
        };
        self.put(record, file)?;
        self.finished.get(&chunk).ok_or_else(|| Error::new(ErrorKind::Encode, "internal error: a chunk was not kept"))
    }

    /// One file of several.
    fn join(&mut self, record: &ChunkRecord, pieces: Vec<(ChunkFile, u64)>) -> Result<ChunkFile> {
        let first =
            pieces.first().ok_or_else(|| Error::new(ErrorKind::Encode, "internal error: a chunk of nothing"))?;
        let header = IvfHeader { frames: u32::try_from(record.frames).unwrap_or(u32::MAX), ..first.0.header };
        let mut file = self.chunk_file(record.chunk, &header)?;
        if first.0.header.codec != IvfCodec::Av1 {
            // Pictures before a cut may lean on some behind it.
            return Err(Error::new(ErrorKind::Encode, "internal error: a chunk that is reordered was made in pieces"));
        }
        let mut at = 0;
        for (mut piece, frames) in pieces {
            let mut units = piece.read()?;
            for _ in 0..frames {
                let short =
                    || Error::new(ErrorKind::Encode, "a try has fewer packets than frames").with_file(&piece.path);
                let unit = units.next().map_err(|e| e.with_file(&piece.path))?.ok_or_else(short)?;
                file.write(at + unit.position, &unit.data)?;
            }
            at += frames;
        }
        Ok(file)
    }

    fn put(&mut self, mut record: ChunkRecord, mut file: ChunkFile) -> Result<()> {
        let to = self.chunk_path(record.chunk);
        let failed = |e| cannot(&to, "write a chunk", e);
        let writer = file.writer.take().ok_or_else(used_twice)?;
        let Hashing { file: buffer, hasher, length } = writer.into_inner();
        let disk = buffer.into_inner().map_err(|e| failed(e.into_error()))?;
        disk.sync_all().map_err(failed)?;
        std::fs::rename(&file.path, &to).map_err(failed)?;
        file.kept = true;
        sync_folder(&to)?;
        (record.length, record.bytes) = (length, file.bytes);
        record.hash = hasher.finalize().to_hex().to_string();
        self.journal.append(&Record::Chunk(record.clone()))?;
        self.finished.insert(record.chunk, record);
        Ok(())
    }

    /// The units of a finished chunk.
    pub(crate) fn read(&self, chunk: usize) -> Result<IvfReader<impl Read + use<>>> {
        let path = self.chunk_path(chunk);
        let file = File::open(&path).map_err(|e| cannot(&path, "read a chunk", e))?;
        IvfReader::new(std::io::BufReader::new(file)).map_err(|e| e.with_file(&path))
    }

    /// Removes all it made; the directory itself only if nothing else is in it.
    pub(crate) fn remove(self) -> Result<()> {
        let data = self.dir.join("encode_data");
        for name in ["encoding.json", "progress.json", "facts.json"] {
            remove_file(&data.join(name))?;
            remove_file(&data.join(name).with_extension("json.part"))?;
        }
        remove_chunks(&self.dir.join("encoded"), |_| true)?;
        // What is not empty holds something of somebody else's.
        for dir in [self.dir.join("encoded"), self.dir.join("logs")] {
            let _ = std::fs::remove_dir(dir);
        }
        // Last: from here on another run may begin in the same place.
        remove_file(&data.join("lock"))?;
        for dir in [&data, &self.dir] {
            let _ = std::fs::remove_dir(dir);
        }
        Ok(())
    }
}

/// The bytes of one try, under a temporary name. Dropped without [`Job::finish`], they go.
pub(crate) struct ChunkFile {
    path: PathBuf,
    header: IvfHeader,
    writer: Option<IvfWriter<Hashing>>,
    /// Of its units.
    bytes: u64,
    /// It has its name.
    kept: bool,
}

impl ChunkFile {
    /// Writes the codec's configuration, before all units.
    pub(crate) fn configuration(&mut self, configuration: &[u8]) -> Result<()> {
        let writer = self.writer.as_mut().ok_or_else(used_twice)?;
        writer.configuration(configuration).map_err(|e| e.with_file(&self.path))
    }

    /// Writes the next unit in the order of decoding, of the frame at `position` in the try; AV1 has no delimiter.
    pub(crate) fn write(&mut self, position: u64, unit: &[u8]) -> Result<()> {
        let writer = self.writer.as_mut().ok_or_else(used_twice)?;
        self.bytes += unit.len() as u64;
        writer.write(position, unit).map_err(|e| e.with_file(&self.path))
    }

    /// Reads what was written; nothing more is written after it.
    fn read(&mut self) -> Result<IvfReader<impl Read + use<>>> {
        let failed = |e| cannot(&self.path, "read a chunk", e);
        let mut written = self.writer.take().ok_or_else(used_twice)?.into_inner();
        written.flush().map_err(|e| cannot(&self.path, "write a chunk", e))?;
        let file = File::open(&self.path).map_err(failed)?;
        IvfReader::new(std::io::BufReader::new(file)).map_err(|e| e.with_file(&self.path))
    }
}

fn used_twice() -> Error {
    Error::new(ErrorKind::Encode, "internal error: a chunk file was used twice")
}

impl Drop for ChunkFile {
    fn drop(&mut self) {
        if !self.kept {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// A file that knows the hash of what was written.
struct Hashing {
    file: BufWriter<File>,
    /// Two kilobytes.
    hasher: Box<blake3::Hasher>,
    length: u64,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.length += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

impl EncodeSettings {
    /// Where an encode with these settings keeps what is finished; `None` at a fixed CRF, where nothing is kept.
    pub fn job_dir(&self) -> Option<PathBuf> {
        (!self.quality.is_one_pass()).then(|| place(self.temp_dir.as_deref(), &self.input, &self.output))
    }
}

/// Where the job of a run is: beside the output or in `temp`, with a name of its own for each input and output.
pub(crate) fn place(temp: Option<&Path>, input: &Path, output: &Path) -> PathBuf {
    place_of(temp, input, output, "")
}

/// Where what stands for the input of a run is kept.
pub(crate) fn place_of_input(temp: Option<&Path>, input: &Path, output: &Path) -> PathBuf {
    place_of(temp, input, output, ".input")
}

fn place_of(temp: Option<&Path>, input: &Path, output: &Path, end: &str) -> PathBuf {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let (input, output) = (absolute(input), absolute(output));
    let mut hasher = blake3::Hasher::new();
    hasher.update(input.as_os_str().as_encoded_bytes()).update(&[0]).update(output.as_os_str().as_encoded_bytes());
    let hash = hasher.finalize().to_hex();
    let stem = output.file_stem().unwrap_or_default().to_string_lossy();
    let name = fitting(".", stem.as_ref().as_ref(), &format!(".drapto-{}{end}", &hash[..8]));
    match temp {
        Some(temp) => temp.join(name),
        None => output.with_file_name(name),
    }
}

/// Whether a folder may be a job's by its name.
pub(super) fn is_job_name(name: &str) -> bool {
    let hash = name.strip_prefix('.').and_then(|name| name.rsplit_once(".drapto-")).map(|(_, hash)| hash);
    hash.is_some_and(|hash| hash.len() == 8 && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
}

/// Takes the lock of the job in `dir`, which nobody may work on.
pub(super) fn lock_job(dir: &Path) -> Result<File> {
    lock(&dir.join("encode_data"))
}

/// Makes the folder and takes its lock.
fn lock(data: &Path) -> Result<File> {
    let path = data.join("lock");
    // A run that ends removes the file; the next turn finds or makes another.
    for _ in 0..8 {
        let made = std::fs::create_dir_all(data)
            .and_then(|()| OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path));
        let file = made.map_err(|e| cannot(&path, "make the job directory", e))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => break,
            // File systems without locks exist; the check is a courtesy there.
            Err(TryLockError::Error(error)) => tracing::debug!(%error, "the job cannot be locked"),
            Ok(()) => {}
        }
        if is_at(&file, &path) {
            return Ok(file);
        }
    }
    Err(Error::new(ErrorKind::Usage, "another run works on this job").with_file(&path))
}

/// Whether the open file is still the one of that name: a lock on a removed file keeps nobody out.
#[cfg(unix)]
pub(super) fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |facts: std::fs::Metadata| (facts.dev(), facts.ino());
    matches!((file.metadata().map(id), std::fs::metadata(path).map(id)), (Ok(open), Ok(named)) if open == named)
}

#[cfg(not(unix))]
pub(super) fn is_at(_: &File, _: &Path) -> bool {
    // A file that is open is not removed there.
    true
}

fn remove_file(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(cannot(path, "remove a file of the job", e)),
        _ => Ok(()),
    }
}

/// Removes chunk files (`00007.ivf`) and parts of them whose name is `which`.
fn remove_chunks(dir: &Path, which: impl Fn(&str) -> bool) -> Result<()> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Ok(()) };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let number = name.trim_start_matches('.').split('.').next().unwrap_or_default();
        let ours = number.len() >= 5 && number.bytes().all(|b| b.is_ascii_digit());
        if ours && (name.ends_with(".ivf") || name.ends_with(".part")) && which(&name) {
            remove_file(&entry.path())?;
        }
    }
    Ok(())
}

/// Replaces a file so that it is either the old one or the new one, whatever happens.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let partial = path.with_extension("json.part");
    let write = || {
        let mut file = File::create(&partial)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&partial, path)
    };
    if let Err(e) = write() {
        let _ = std::fs::remove_file(&partial);
        return Err(cannot(path, "write", e));
    }
    sync_folder(path)
}
