//! What still pictures say of themselves: JPEG (ITU-T T.81) and PNG (W3C PNG, 11.2.2); bytes only.
//!
//! Takes untrusted bytes and never panics.
#![deny(unsafe_code)]

/// The format of a still picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StillKind {
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
}

/// A still picture's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Still {
    /// Format.
    pub kind: StillKind,
    /// Columns, at least 1.
    pub width: u32,
    /// Rows, at least 1.
    pub height: u32,
}

/// The header of a JPEG or PNG picture; `None` for others, and for one without a size.
pub fn still(bytes: &[u8]) -> Option<Still> {
    png(bytes).or_else(|| jpeg(bytes)).filter(|s| (1..=65_535).contains(&s.width) && (1..=65_535).contains(&s.height))
}

fn png(bytes: &[u8]) -> Option<Still> {
    let header = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n")?.get(..16)?;
    let word = |at: usize| Some(u32::from_be_bytes(header.get(at..at + 4)?.try_into().ok()?));
    (header.get(4..8)? == b"IHDR").then_some(())?;
    Some(Still { kind: StillKind::Png, width: word(8)?, height: word(12)? })
}

/// Goes from marker to marker up to a frame header (T.81, B.2.2).
fn jpeg(bytes: &[u8]) -> Option<Still> {
    let mut rest = bytes.strip_prefix(b"\xff\xd8")?;
    loop {
        let (&[mark, marker], after) = rest.split_first_chunk::<2>()?;
        if mark != 0xff {
            return None;
        }
        match marker {
            // A fill byte; the marker follows.
            0xff => rest = &rest[1..],
            // Without parameters.
            0x01 | 0xd0..=0xd8 => rest = after,
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                let &[_, _, _, h0, h1, w0, w1] = after.first_chunk::<7>()?;
                let (height, width) = (u16::from_be_bytes([h0, h1]), u16::from_be_bytes([w0, w1]));
                return Some(Still { kind: StillKind::Jpeg, width: width.into(), height: height.into() });
            }
            // The picture begins, or ends, without a size.
            0xd9 | 0xda => return None,
            _ => {
                let length = usize::from(u16::from_be_bytes(*after.first_chunk::<2>()?));
                rest = after.get(length.max(2)..)?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_are_read_past_other_segments() {
        let app = [b"\xff\xe0\x00\x06JFIF".as_slice(), b"\xff\xff\xc2\x00\x11\x08\x01\x20\x02\x80\x03"].concat();
        let picture = [b"\xff\xd8".as_slice(), &app].concat();
        assert_eq!(still(&picture), Some(Still { kind: StillKind::Jpeg, width: 640, height: 288 }));
        let png = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR\x00\x00\x01\x00\x00\x00\x00\x80\x08\x02";
        assert_eq!(still(png), Some(Still { kind: StillKind::Png, width: 256, height: 128 }));
        assert_eq!(still(&picture[..12]), None, "cut short");
        assert_eq!(still(b"\xff\xd8\xff\xda\x00\x02"), None, "no frame header");
        assert_eq!(still(b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR\x00\x00\x00\x00\x00\x00\x00\x80"), None, "no width");
        assert_eq!(still(b"GIF89a"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..80), start in 0usize..3) {
            let starts: [&[u8]; 3] = [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b""];
            let _ = still(&[starts[start], &bytes].concat());
        }
    }
}
