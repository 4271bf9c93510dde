//! Numbered pictures as one film: which there are, and a small file that stands for them.
//!
//! A pattern is a name with one `%d` or `%0Nd` in it, as FFmpeg's `image2` demuxer has them (its documentation, section
//! "image2"); `%%` is a percent sign. The demuxer reads on until a number is missing, so a gap is an error here. What is
//! found is written into a file that [`Input::open`](super::Input::open) reads as it would the film: source, chunks and
//! jobs know files.
#![deny(unsafe_code)]

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::base::{Error, ErrorKind, Rational, Result};

/// What such a file begins with.
const MAGIC: &[u8] = b"drapto picture sequence 1\n";

/// No such file is longer: a path and four numbers.
const MOST_BYTES: u64 = 16 << 10;

/// Numbered pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PictureSequence {
    /// Absolute; the folder as it is, the name with the number's place in it.
    pattern: PathBuf,
    rate: Rational,
    first: u64,
    count: u64,
    /// Bytes of all pictures, and when the newest changed: so that a sequence that changed is another source.
    bytes: u64,
    changed: u128,
}

/// The name of a pattern: what stands before and after the number, and how many digits that has at least.
#[derive(Debug, PartialEq, Eq)]
struct Numbered {
    before: Vec<u8>,
    after: Vec<u8>,
    digits: usize,
}

impl Numbered {
    fn parse(name: &[u8]) -> Option<Self> {
        let (mut before, mut after, mut digits) = (Vec::new(), Vec::new(), None);
        let mut rest = name;
        while let Some((&byte, tail)) = rest.split_first() {
            rest = tail;
            let literal = if byte != b'%' {
                byte
            } else if tail.first() == Some(&b'%') {
                rest = &tail[1..];
                b'%'
            } else {
                let length = tail.iter().take_while(|b| b.is_ascii_digit()).count();
                if digits.is_some() || tail.get(length) != Some(&b'd') || length > 3 {
                    return None;
                }
                digits = Some(std::str::from_utf8(&tail[..length]).ok()?.parse().unwrap_or(0));
                rest = &tail[length + 1..];
                continue;
            };
            if digits.is_none() { before.push(literal) } else { after.push(literal) }
        }
        Some(Numbered { before, after, digits: digits? })
    }

    /// The name with this number.
    fn name(&self, number: u64) -> OsString {
        let number = format!("{number:0digits$}", digits = self.digits);
        path_of(&[&self.before, number.as_bytes(), &self.after].concat()).into_os_string()
    }

    /// The number in `name`, where it is one of these.
    fn number(&self, name: &[u8]) -> Option<u64> {
        let number = name.strip_prefix(&*self.before)?.strip_suffix(&*self.after)?;
        let padded =
            number.len() == self.digits.max(1) || (number.len() > self.digits && number.first() != Some(&b'0'));
        (padded && number.iter().all(u8::is_ascii_digit)).then(|| std::str::from_utf8(number).ok()?.parse().ok())?
    }
}

impl PictureSequence {
    /// Looks for the pictures that `pattern` names, to be shown at `rate` a second.
    ///
    /// # Errors
    /// `Usage` for what is no pattern, `Input` where there are none or one is missing between others.
    pub fn find(pattern: &Path, rate: Rational) -> Result<Self> {
        Self::look(pattern, rate).map_err(|e| e.with_file(pattern))
    }

    fn look(pattern: &Path, rate: Rational) -> Result<Self> {
        let name = pattern.file_name().and_then(|name| Numbered::parse(name.as_encoded_bytes()));
        let name = name.ok_or_else(|| {
            let message = "a sequence is named by a pattern with the place of the number in its name, as shot%03d.png";
            Error::new(ErrorKind::Usage, message)
        })?;
        let failed = |e| Error::new(ErrorKind::Input, "cannot look for the pictures").caused_by(e);
        let folder = pattern.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let (mut numbers, mut bytes, mut changed) = (Vec::new(), 0, 0);
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Some(number) = name.number(entry.file_name().as_encoded_bytes()) else { continue };
            let facts = std::fs::metadata(entry.path()).map_err(failed)?;
            let time = facts.modified().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
            numbers.push(number);
            bytes += facts.len();
            changed = changed.max(time.map_or(0, |t| t.as_nanos()));
        }
        numbers.sort_unstable();
        let input = |message: String| Err(Error::new(ErrorKind::Input, message));
        let (Some(&first), Some(&last)) = (numbers.first(), numbers.last()) else {
            return input("there is no picture of that name".to_owned());
        };
        if let Some(gap) = numbers.windows(2).find(|pair| pair[1] != pair[0] + 1) {
            return input(format!("picture {} of {first} to {last} is missing", gap[0] + 1));
        }
        let pattern = std::path::absolute(pattern).map_err(failed)?;
        Ok(PictureSequence { pattern, rate, first, count: numbers.len() as u64, bytes, changed })
    }

    /// Bytes of all pictures.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The files of the pictures.
    pub fn files(&self) -> impl Iterator<Item = PathBuf> + '_ {
        let name = self.pattern.file_name().and_then(|name| Numbered::parse(name.as_encoded_bytes()));
        let numbers = self.first..self.first + self.count;
        numbers.filter_map(move |number| Some(self.pattern.with_file_name(name.as_ref()?.name(number))))
    }

    /// The pictures' rate.
    pub(super) fn rate(&self) -> Rational {
        self.rate
    }

    /// The number of the first.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// The path as `image2` takes it: percent signs of the folder are none of the pattern.
    pub(super) fn url_path(&self) -> PathBuf {
        let folder = self.pattern.parent().unwrap_or(Path::new("/"));
        let name = self.pattern.file_name().unwrap_or_default();
        let mut escaped = OsString::new();
        for (number, part) in split(folder.as_os_str()).into_iter().enumerate() {
            if number > 0 {
                escaped.push("%%");
            }
            escaped.push(part);
        }
        PathBuf::from(escaped).join(name)
    }

    /// Writes the file that stands for the sequence.
    ///
    /// # Errors
    /// Of writing.
    pub fn write(&self, to: &mut impl Write) -> std::io::Result<()> {
        let PictureSequence { rate, first, count, bytes, changed, .. } = self;
        to.write_all(MAGIC)?;
        writeln!(to, "{} {} {first} {count} {bytes} {changed}", rate.num(), rate.den())?;
        to.write_all(self.pattern.as_os_str().as_encoded_bytes())
    }

    /// What the file at `path` stands for; `None` where it is any other file.
    pub fn read(path: &Path) -> Option<Self> {
        use std::io::Read;
        let mut file = std::fs::File::open(path).ok()?;
        let mut magic = [0; MAGIC.len()];
        file.read_exact(&mut magic).ok()?;
        if magic != MAGIC || file.metadata().ok()?.len() > MOST_BYTES {
            return None;
        }
        let mut rest = Vec::new();
        file.read_to_end(&mut rest).ok()?;
        let line = rest.iter().position(|b| *b == b'\n')?;
        let numbers = std::str::from_utf8(&rest[..line]).ok()?;
        let numbers: Vec<u128> = numbers.split(' ').map(|n| n.parse().ok()).collect::<Option<_>>()?;
        let [num, den, first, count, bytes, changed] = numbers[..] else { return None };
        let small = |n: u128| u64::try_from(n).ok();
        Some(PictureSequence {
            pattern: path_of(&rest[line + 1..]),
            rate: Rational::positive(i32::try_from(num).ok()?, i32::try_from(den).ok()?)?,
            first: small(first)?,
            count: small(count)?,
            bytes: small(bytes)?,
            changed,
        })
    }
}

#[cfg(unix)]
fn path_of(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

#[cfg(not(unix))]
fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(bytes).into_owned())
}

/// The parts of `text` between its percent signs.
fn split(text: &OsStr) -> Vec<OsString> {
    text.as_encoded_bytes().split(|b| *b == b'%').map(|part| path_of(part).into_os_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_names_numbers_as_printf_writes_them() {
        let name = |text: &str| Numbered::parse(text.as_bytes());
        let shot = name("100%%-%03d.png").unwrap();
        for (file, number) in [
            ("100%-007.png", Some(7)),
            ("100%-1007.png", Some(1007)),
            ("100%-07.png", None),
            ("100%-0007.png", None),
            ("100%-.png", None),
            ("100%-0x7.png", None),
            ("100%-007.jpg", None),
        ] {
            assert_eq!(shot.number(file.as_bytes()), number, "{file}");
        }
        let plain = name("a%d").unwrap();
        assert_eq!(["a0", "a10", "a010"].map(|f| plain.number(f.as_bytes())), [Some(0), Some(10), None]);
        for none in ["shot.png", "%s", "%03d%03d", "%", "%%03d", "%03x"] {
            assert_eq!(name(none), None, "{none}");
        }
    }

    #[test]
    fn a_sequence_is_found_from_its_lowest_number_and_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let find = || PictureSequence::find(&at("s%04d.png"), Rational::positive(24, 1).unwrap());
        assert!(find().unwrap_err().to_string().contains("no picture"));
        for n in 1001..1004 {
            std::fs::write(at(&format!("s{n}.png")), b"png").unwrap();
        }
        let found = find().unwrap();
        assert_eq!((found.first, found.count, found.bytes()), (1001, 3, 9));
        assert_eq!(found.files().filter(|file| file.is_file()).count(), 3);
        let mut file = Vec::new();
        found.write(&mut file).unwrap();
        std::fs::write(at("file"), &file).unwrap();
        assert_eq!(PictureSequence::read(&at("file")), Some(found));
        assert_eq!(PictureSequence::read(&at("s1001.png")), None);
        std::fs::write(at("s1006.png"), b"png").unwrap();
        assert!(find().unwrap_err().to_string().contains("picture 1004 of 1001 to 1006 is missing"));
    }

    #[test]
    fn percent_signs_of_the_folder_are_none_of_the_pattern() {
        let rate = Rational::positive(25, 1).unwrap();
        let pattern = PathBuf::from("/a%03d/100%/s%02d.png");
        let sequence = PictureSequence { pattern, rate, first: 0, count: 1, bytes: 0, changed: 0 };
        assert_eq!(sequence.url_path(), Path::new("/a%%03d/100%%/s%02d.png"));
    }
}
