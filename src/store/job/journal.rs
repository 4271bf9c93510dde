//! Lines in an order that the disk keeps, and that are known when they are torn.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::disk::{cannot, sync_folder};
use super::record::Record;
use crate::base::{Error, ErrorKind, Result};

/// Hex digits of a line's checksum.
const CHECKSUM: usize = 16;

/// An append-only file: a checksum, a space and a JSON object a line.
pub(crate) struct Journal {
    file: File,
    path: PathBuf,
    /// Bytes that are whole lines.
    good: u64,
}

impl Journal {
    /// Opens or makes the journal; what it says. Everything from the first line on that is not as it was written is
    /// cut off.
    pub(crate) fn open(path: &Path) -> Result<(Self, Vec<Record>)> {
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
        sync_folder(path)?;
        Ok((Journal { file, path: path.to_path_buf(), good: good as u64 }, records))
    }

    /// Appends a record. That of a chunk, and so all before it, is on the disk when this returns. The others come to the
    /// disk with the next such: what a machine that loses its power forgets of them is found out again, and who waits for the
    /// disk at each gives out no work meanwhile.
    pub(crate) fn append(&mut self, record: &Record) -> Result<()> {
        let json = serde_json::to_string(record)
            .map_err(|e| Error::new(ErrorKind::Encode, "cannot write the journal as JSON").caused_by(e))?;
        // JSON has no NaN. A line that cannot be read would end the journal there for every later run.
        if serde_json::from_str::<Record>(&json).ok().as_ref() != Some(record) {
            return Err(Error::new(ErrorKind::Encode, "a record of the journal would not come back as it is"));
        }
        let line = format!("{} {json}\n", checksum(json.as_bytes()));
        let file = &mut self.file;
        // From the last good line, so that a line that failed half way does not stay in between.
        let write = file
            .seek(SeekFrom::Start(self.good))
            .and_then(|_| file.write_all(line.as_bytes()))
            .and_then(|()| if matches!(record, Record::Chunk(_)) { file.sync_data() } else { Ok(()) });
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::media::Crf;
    use crate::plan::{ScheduleRecord, Tier, TryRecord};

    fn tried(chunk: usize, reason: &str) -> Record {
        let crf = Crf::whole(30).unwrap();
        let (tier, reason) = (Tier::Configured, reason.to_owned());
        let (stride, whole, score, frames, bytes) = (3, true, 93.0, 10, 100);
        let tried = TryRecord { chunk, from: 0, crf, tier, stride, whole, score, frames, bytes, reason };
        Record::Schedule(ScheduleRecord::Try { tried, frames: vec![93.0, 0.1 + 0.2] })
    }

    /// A disk that is full, which took `torn` bytes of the line before it said so.
    fn fail(journal: &mut Journal, record: &Record, torn: &[u8]) {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut disk = std::mem::replace(&mut journal.file, full);
        let error = journal.append(record).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Output);
        assert!(error.to_string().contains("progress.json"), "{error}");
        disk.seek(SeekFrom::Start(journal.good)).and_then(|_| disk.write_all(torn)).unwrap();
        journal.file = disk;
    }

    proptest! {
        #[test]
        fn a_journal_cut_or_changed_anywhere_gives_the_records_before_that(
            reasons in proptest::collection::vec("[ -~]{0,40}", 1..8), at in any::<prop::sample::Index>(), flip in 1u8..,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("progress.json");
            let (mut journal, _) = Journal::open(&path).unwrap();
            let written: Vec<Record> = reasons.iter().enumerate().map(|(i, reason)| tried(i, reason)).collect();
            written.iter().for_each(|record| journal.append(record).unwrap());
            let whole = std::fs::read(&path).unwrap();
            prop_assert_eq!(parse(&whole), (written.clone(), whole.len()));
            let at = at.index(whole.len());
            let lines_before = whole[..at].iter().filter(|b| **b == b'\n').count();
            let (cut, good) = parse(&whole[..at]);
            prop_assert_eq!(&cut[..], &written[..lines_before]);
            prop_assert!(good <= at);
            let mut changed = whole.clone();
            changed[at] ^= flip;
            prop_assert_eq!(parse(&changed).0, &written[..lines_before]);
        }

        #[test]
        fn bytes_that_are_no_journal_are_none(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            prop_assert_eq!(parse(&bytes), (Vec::new(), 0));
        }
    }

    #[test]
    fn a_line_that_found_no_room_is_no_record_and_spoils_none_before_or_after() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("progress.json");
        let (mut journal, _) = Journal::open(&path).unwrap();
        journal.append(&tried(0, "first")).unwrap();
        fail(&mut journal, &tried(1, "lost"), b"0123456789abcdef {\"record\":\"tr");
        drop(journal);
        let (mut journal, records) = Journal::open(&path).unwrap();
        assert_eq!(records, [tried(0, "first")]);
        // Longer than what is written over it.
        fail(&mut journal, &tried(1, "lost"), &[b'x'; 4000]);
        journal.append(&tried(2, "second")).unwrap();
        journal.append(&tried(3, "third")).unwrap();
        drop(journal);
        let (_, records) = Journal::open(&path).unwrap();
        assert_eq!(records, [tried(0, "first"), tried(2, "second"), tried(3, "third")]);
    }
}
