//! Parts of pictures.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::base::{Error, ErrorKind, Result};

/// A rectangle in luma samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rect {
    /// Columns left of it.
    pub x: u32,
    /// Rows above it.
    pub y: u32,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Rect {
    /// A whole picture.
    pub fn whole(width: u32, height: u32) -> Self {
        Rect { x: 0, y: 0, width, height }
    }

    /// The smallest rectangle that holds both.
    pub fn union(self, other: Rect) -> Rect {
        let (x, y) = (self.x.min(other.x), self.y.min(other.y));
        let right = (self.x + self.width).max(other.x + other.width);
        let bottom = (self.y + self.height).max(other.y + other.height);
        Rect { x, y, width: right - x, height: bottom - y }
    }

    /// Whether it lies within a picture of this size and holds a sample.
    pub fn fits(self, width: u32, height: u32) -> bool {
        let ends_within =
            |at: u32, length: u32, all: u32| length > 0 && at.checked_add(length).is_some_and(|e| e <= all);
        ends_within(self.x, self.width, width) && ends_within(self.y, self.height, height)
    }

    /// Without the last column and row where these are odd: 4:2:0 has no half chroma samples.
    pub fn even(self) -> Rect {
        Rect { width: self.width & !1, height: self.height & !1, ..self }
    }
}

/// As FFmpeg's `crop` filter has it: `width:height:x:y`.
impl fmt::Display for Rect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}:{}", self.width, self.height, self.x, self.y)
    }
}

impl FromStr for Rect {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad =
            || Error::new(ErrorKind::Usage, format!("{text:?} is no crop; write W:H:X:Y, such as 1920:804:0:138"));
        let numbers: Vec<u32> =
            text.split(':').map(|part| part.trim().parse().map_err(|_| bad())).collect::<Result<_>>()?;
        let &[width, height, x, y] = numbers.as_slice() else { return Err(bad()) };
        if [width, height, x, y].iter().any(|n| n % 2 != 0) || width == 0 || height == 0 {
            let message = format!("crop {text}: 4:2:0 needs even sizes and offsets, and a size above 0");
            return Err(Error::new(ErrorKind::Usage, message));
        }
        Ok(Rect { x, y, width, height })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crops_are_read_as_they_are_written_and_odd_ones_are_refused() {
        let rect: Rect = "1920:804:0:138".parse().unwrap();
        assert_eq!(rect, Rect { x: 0, y: 138, width: 1920, height: 804 });
        assert_eq!(rect.to_string(), "1920:804:0:138");
        for text in ["", "1920:804", "1920:804:0:138:2", "a:b:c:d", "-2:4:0:0", "1919:804:0:0", "4:4:1:0", "0:4:0:0"] {
            assert_eq!(text.parse::<Rect>().unwrap_err().kind(), ErrorKind::Usage, "{text}");
        }
    }

    #[test]
    fn a_rectangle_fits_only_within_its_picture() {
        let rect = Rect { x: 4, y: 2, width: 8, height: 6 };
        assert!(rect.fits(12, 8) && !rect.fits(11, 8) && !rect.fits(12, 7));
        assert!(!Rect { x: u32::MAX, ..rect }.fits(12, 8));
        assert_eq!(Rect::whole(33, 17).even(), Rect::whole(32, 16));
    }
}
