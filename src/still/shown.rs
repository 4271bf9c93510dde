//! A picture as it is shown: upright, in square samples, in red, green and blue for a screen.

use crate::av::{RgbConverter, RgbPicture, ToneMapper};
use crate::base::{Rational, Result};
use crate::media::{Frame, HdrStatic, Matrix, Rect, VideoInfo};
use crate::plan::{fitted, for_screens};

/// How the pictures of a film are shown; `Clone`d for each size.
#[derive(Clone, Copy, Debug)]
pub(super) struct HowShown {
    /// Shape of samples.
    pub(super) shape: Rational,
    /// Degrees clockwise.
    pub(super) rotation: i32,
    /// Size before the crop, which says what the matrix is where nobody does.
    pub(super) source: (u32, u32),
    /// What the container says of its light.
    pub(super) hdr: HdrStatic,
}

impl HowShown {
    pub(super) fn of(video: &VideoInfo, source: (u32, u32)) -> Self {
        let shape = video.sample_aspect_ratio.unwrap_or(Rational::ONE);
        HowShown { shape, rotation: video.rotation, source, hdr: video.hdr }
    }
}

/// Makes pictures of one size.
pub(super) struct Shower {
    how: HowShown,
    /// The box they fit into, as they are shown.
    fit: Option<(u32, u32)>,
    converter: Option<((u32, u32), RgbConverter)>,
    screen: Option<ToneMapper>,
    /// Whether any was brighter than screens are.
    pub(super) toned: bool,
}

impl Shower {
    pub(super) fn new(how: HowShown, fit: Option<(u32, u32)>) -> Self {
        Shower { how, fit, converter: None, screen: None, toned: false }
    }

    /// The size of a picture of so many samples before it is turned.
    fn size(&self, (width, height): (u32, u32)) -> (u32, u32) {
        // The box turns with the picture, which is what `fitted` does by itself.
        let fit = self.fit.unwrap_or((16_384, 16_384));
        fitted(fit, false, Rect::whole(width, height), self.how.shape)
    }

    pub(super) fn show(&mut self, frame: &Frame) -> Result<RgbPicture> {
        let size = self.size((frame.width, frame.height));
        let converter = match &mut self.converter {
            Some((of, converter)) if *of == size => converter,
            none => &mut none.insert((size, RgbConverter::new(Some(size)))).1,
        };
        let mut frame = frame.clone();
        if frame.color.transfer.is_hdr() {
            let screen = match &mut self.screen {
                Some(screen) => screen,
                none => none.insert(ToneMapper::new(&for_screens(frame.color, frame.hdr.or(self.how.hdr))?, 8)),
            };
            frame = screen.map(frame)?;
            self.toned = true;
        }
        if !frame.color.matrix.is_specified() {
            frame.color.matrix = Matrix::implied(self.how.source.0, self.how.source.1);
        }
        Ok(turned(converter.convert(&frame)?, self.how.rotation))
    }
}

/// Turned clockwise by the nearest quarter.
fn turned(picture: RgbPicture, rotation: i32) -> RgbPicture {
    let quarters = ((f64::from(rotation.rem_euclid(360)) / 90.0).round() as u32) % 4;
    let (width, height) = (picture.width as usize, picture.height as usize);
    if quarters == 0 {
        return picture;
    }
    let (across, down) = if quarters == 2 { (width, height) } else { (height, width) };
    let mut bytes = Vec::with_capacity(picture.bytes.len());
    for y in 0..down {
        for x in 0..across {
            let (from_x, from_y) = match quarters {
                1 => (y, height - 1 - x),
                2 => (width - 1 - x, height - 1 - y),
                _ => (width - 1 - y, x),
            };
            let at = (from_y * width + from_x) * 3;
            bytes.extend_from_slice(&picture.bytes[at..at + 3]);
        }
    }
    RgbPicture { width: across as u32, height: down as u32, bytes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_turn_clockwise() {
        let dots = |all: &[u8]| all.iter().flat_map(|v| [*v; 3]).collect::<Vec<u8>>();
        // 1 2 3
        // 4 5 6
        let picture = RgbPicture { width: 3, height: 2, bytes: dots(&[1, 2, 3, 4, 5, 6]) };
        for (degrees, size, bytes) in [
            (0, (3, 2), [1, 2, 3, 4, 5, 6]),
            (90, (2, 3), [4, 1, 5, 2, 6, 3]),
            (180, (3, 2), [6, 5, 4, 3, 2, 1]),
            (-90, (2, 3), [3, 6, 2, 5, 1, 4]),
        ] {
            let found = turned(picture.clone(), degrees);
            assert_eq!(((found.width, found.height), found.bytes), (size, dots(&bytes)), "{degrees}");
        }
    }
}
