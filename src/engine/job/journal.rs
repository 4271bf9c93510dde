//! Lines that are on the disk when they are said to be, and that are known when they are torn.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::record::Record;
use super::{cannot, sync_folder};
use crate::base::{Error, ErrorKind, Result};

/// Hex digits of a line's checksum.
const CHECKSUM: usize = 16;

/// An append-only file: a checksum, a space and a JSON object a line.
pub(super) struct Journal {
    file: File,
    path: PathBuf,
    /// Bytes that are whole lines.
    good: u64,
}

impl Journal {
    /// Opens or makes the journal; what it says. Everything from the first line on that is not as it was written is
    /// cut off.
    pub(super) fn open(path: &Path) -> Result<(Self, Vec<Record>)> {
        let failed = |e| cannot(path, "open the journal", e);
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        let (records, good) = parse(&bytes);
        if good < bytes.len() {
            tracing::warn!(dropped = bytes.len() - good, "the journal's end is torn");
            file.set_len(good as u64).and_then(|()| file.sync_all()).map_err(failed)?;
        }
        sync_folder(path);
        Ok((Journal { file, path: path.to_path_buf(), good: good as u64 }, records))
    }

    /// Appends a record; it is on the disk when this returns.
    pub(super) fn append(&mut self, record: &Record) -> Result<()> {
        let json = serde_json::to_string(record)
            .map_err(|e| Error::new(ErrorKind::Encode, "cannot write the journal as JSON").caused_by(e))?;
        let line = format!("{} {json}\n", checksum(json.as_bytes()));
        let file = &mut self.file;
        // From the last good line, so that a line that failed half way does not stay in between.
        let write = file
            .seek(SeekFrom::Start(self.good))
            .and_then(|_| file.write_all(line.as_bytes()))
            .and_then(|()| file.sync_data());
        write.map_err(|e| cannot(&self.path, "write the journal", e))?;
        self.good += line.len() as u64;
        Ok(())
    }
}

fn checksum(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex()[..CHECKSUM].to_owned()
}

/// The records of the lines that are whole, up to the first that is not, and where that begins.
fn parse(bytes: &[u8]) -> (Vec<Record>, usize) {
    let mut records = Vec::new();
    let mut good = 0;
    for line in bytes.split_inclusive(|&b| b == b'\n') {
        let Some(record) = parse_line(line) else { break };
        records.push(record);
        good += line.len();
    }
    (records, good)
}

fn parse_line(line: &[u8]) -> Option<Record> {
    let line = line.strip_suffix(b"\n")?;
    let (sum, rest) = line.split_at_checked(CHECKSUM)?;
    let json = rest.strip_prefix(b" ")?;
    (sum == checksum(json).as_bytes()).then(|| serde_json::from_slice(json).ok())?
}
