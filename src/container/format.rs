//! The formats that are written: what a file's name promises, and what each can hold.
#![deny(unsafe_code)]

use std::path::Path;

use serde::Serialize;

/// The formats that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Matroska: any codec, subtitles, chapters, attachments, tags.
    Matroska,
    /// WebM: what of Matroska browsers play (<https://www.webmproject.org/docs/container/>).
    WebM,
    /// MP4 through libavformat: video and sound, text, chapters, a cover and the best known tags.
    Mp4,
    /// An MPEG transport stream through libavformat: H.264 or H.265 and the sound that broadcasts have.
    MpegTs,
    /// IVF: one AV1 track, without the times of its pictures.
    #[cfg_attr(not(feature = "internals"), allow(dead_code))] // Written as a file by tests only.
    Ivf,
}

/// Which of a film's sound an MP4 holds as it is: what libavformat 5.1 to 7.1 write and players know.
const MP4_SOUND: [&str; 7] = ["aac", "ac3", "alac", "eac3", "flac", "mp3", "opus"];

/// Which of it a transport stream does, by codes that all players know.
const TS_SOUND: [&str; 4] = ["aac", "ac3", "eac3", "mp3"];

/// Packets of a transport stream begin with this byte, so many bytes apart (ISO/IEC 13818-1 §2.4.3.2).
const TS_SYNC: (u8, usize) = (0x47, 188);

impl Format {
    /// The format that the name of a file promises: by its end, and Matroska where that is none's.
    pub fn of_name(file: &Path) -> Self {
        let end = file.extension().and_then(|end| end.to_str()).map(str::to_ascii_lowercase);
        match end.as_deref() {
            Some("webm") => Format::WebM,
            Some("mp4" | "m4v") => Format::Mp4,
            Some("ts") => Format::MpegTs,
            _ => Format::Matroska,
        }
    }

    /// The format by the first bytes of a file: an EBML head, which says WebM or not, the boxes of MP4, or the packets of a
    /// transport stream; `None` for others and for what cannot be read.
    pub fn of_content(file: &Path) -> Option<Self> {
        use std::io::Read;
        /// DocType (RFC 8794 §11.2.4) of four bytes, and what it says.
        const WEBM: &[u8] = b"\x42\x82\x84webm";
        let mut head = Vec::with_capacity(256);
        std::fs::File::open(file).ok()?.take(256).read_to_end(&mut head).ok()?;
        let (sync, apart) = TS_SYNC;
        if head.first() == Some(&sync) && head.get(apart) == Some(&sync) {
            return Some(Format::MpegTs);
        }
        head.truncate(64);
        match head.first_chunk::<8>()? {
            [0x1A, 0x45, 0xDF, 0xA3, ..] if head.windows(WEBM.len()).any(|w| w == WEBM) => Some(Format::WebM),
            [0x1A, 0x45, 0xDF, 0xA3, ..] => Some(Format::Matroska),
            [.., b'f', b't', b'y', b'p'] => Some(Format::Mp4),
            _ => None,
        }
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Format::Matroska => "Matroska",
            Format::WebM => "WebM",
            Format::Mp4 => "MP4",
            Format::MpegTs => "MPEG-TS",
            Format::Ivf => "IVF",
        }
    }

    /// Whether it holds video that FFmpeg calls `codec`.
    pub fn holds_video(self, codec: &str) -> bool {
        match self {
            Format::Matroska => true,
            Format::WebM => matches!(codec, "av1" | "vp8" | "vp9"),
            Format::Mp4 => matches!(codec, "av1" | "h264" | "hevc"),
            Format::MpegTs => matches!(codec, "h264" | "hevc"),
            Format::Ivf => codec == "av1",
        }
    }

    /// Whether it holds sound that FFmpeg calls `codec`, of what Matroska holds.
    pub fn holds_sound(self, codec: &str) -> bool {
        match self {
            Format::Matroska => true,
            Format::WebM => matches!(codec, "opus" | "vorbis"),
            Format::Mp4 => MP4_SOUND.contains(&codec),
            Format::MpegTs => TS_SOUND.contains(&codec),
            Format::Ivf => false,
        }
    }

    /// Whether it holds a file of this media type beside its tracks.
    pub fn holds_attachment(self, mime: &str) -> bool {
        match self {
            Format::Matroska => true,
            // As a cover.
            Format::Mp4 => matches!(mime, "image/jpeg" | "image/png"),
            Format::WebM | Format::MpegTs | Format::Ivf => false,
        }
    }

    /// Whether it holds sound as it is that FFmpeg calls `codec` and that is configured so.
    pub fn holds_copied_sound(self, codec: &str, configuration: &[u8]) -> bool {
        // ADTS has two bits for the kind of AAC (ISO/IEC 13818-7 §6.2.1): it holds the first four, of no more than 7 channels by
        // their number.
        let adts = |first: &u8| matches!(first >> 3, 1..=4);
        self.holds_sound(codec) && (self != Format::MpegTs || codec != "aac" || configuration.first().is_some_and(adts))
    }

    /// Whether it can say that pictures are to be turned.
    pub fn holds_rotation(self) -> bool {
        self != Format::MpegTs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_promises_a_format_and_most_names_promise_matroska() {
        for (name, format) in [
            ("a.mkv", Format::Matroska),
            ("a.WebM", Format::WebM),
            ("d/a.b.mp4", Format::Mp4),
            ("a.M4V", Format::Mp4),
            ("a.TS", Format::MpegTs),
            ("Show.S01E01", Format::Matroska),
            (".mp4", Format::Matroska),
        ] {
            assert_eq!(Format::of_name(Path::new(name)), format, "{name}");
        }
    }

    #[test]
    fn a_file_says_what_it_is_by_its_first_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let of = |bytes: &[u8]| {
            let path = folder.path().join("file");
            std::fs::write(&path, bytes).unwrap();
            Format::of_content(&path)
        };
        assert_eq!(of(&[0x1A, 0x45, 0xDF, 0xA3, 0xA3, 0x42, 0x86, 0x81]), Some(Format::Matroska));
        assert_eq!(of(b"\x1A\x45\xDF\xA3\x9F\x42\x86\x81\x01\x42\x82\x84webm"), Some(Format::WebM));
        assert_eq!(of(b"\0\0\0\x20ftypisom"), Some(Format::Mp4));
        let mut packets = vec![0; 376];
        (packets[0], packets[188]) = (0x47, 0x47);
        assert_eq!(of(&packets), Some(Format::MpegTs));
        assert_eq!((of(b"RIFF\0\0\0\0WAVE"), of(b"ab")), (None, None));
        assert_eq!(Format::of_content(Path::new("/no/such/file")), None);
    }
}
