//! Pictures as JPEG, PNG and WebP, and those back.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, ImageFormat};

use super::request::StillFormat;
use crate::av::RgbPicture;
use crate::base::{Error, ErrorKind, Result};

/// Widest and highest, by format (ITU-T T.81 B.2.2; RFC 9649 §2.7).
fn most(format: StillFormat) -> u32 {
    match format {
        StillFormat::WebP => 16_383,
        _ => 65_535,
    }
}

/// The bytes of a file.
///
/// # Errors
/// `Usage` for a picture larger than the format holds, `Encode` where the encoder fails.
pub(super) fn encode(picture: &RgbPicture, format: StillFormat, quality: u8) -> Result<Vec<u8>> {
    let RgbPicture { width, height, bytes } = picture;
    if (*width).max(*height) > most(format) {
        let message = format!("{} holds no picture of {width}x{height}", format.name());
        return Err(Error::new(ErrorKind::Usage, message));
    }
    let mut out = Vec::new();
    let written = match format {
        StillFormat::Png => PngEncoder::new(&mut out).write_image(bytes, *width, *height, ExtendedColorType::Rgb8),
        StillFormat::WebP => {
            let coded = webp::Encoder::from_rgb(bytes, *width, *height).encode(f32::from(quality));
            out.extend_from_slice(&coded);
            Ok(())
        }
        StillFormat::Jpeg | StillFormat::Gif => {
            JpegEncoder::new_with_quality(&mut out, quality).encode(bytes, *width, *height, ExtendedColorType::Rgb8)
        }
    };
    written.map_err(|e| Error::new(ErrorKind::Encode, format!("cannot write the {}", format.name())).caused_by(e))?;
    Ok(out)
}

/// What is in a file.
///
/// # Errors
/// `Verification` where it cannot be decoded.
pub(super) fn decode(bytes: &[u8], format: StillFormat) -> Result<RgbPicture> {
    let kind = match format {
        StillFormat::Png => ImageFormat::Png,
        StillFormat::WebP => ImageFormat::WebP,
        StillFormat::Jpeg | StillFormat::Gif => ImageFormat::Jpeg,
    };
    let picture = image::ImageReader::with_format(Cursor::new(bytes), kind).decode();
    let picture = picture.map_err(|e| {
        Error::new(ErrorKind::Verification, format!("the {} cannot be decoded", format.name())).caused_by(e)
    })?;
    let picture = picture.into_rgb8();
    Ok(RgbPicture { width: picture.width(), height: picture.height(), bytes: picture.into_raw() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_comes_back_as_it_was_within_its_loss() {
        let (width, height) = (64, 48);
        let dots = (0..width * height).flat_map(|n| [(n % width * 4) as u8, (n / width * 5) as u8, 128]);
        let picture = RgbPicture { width, height, bytes: dots.collect() };
        for (format, most) in [(StillFormat::Png, 0), (StillFormat::Jpeg, 6), (StillFormat::WebP, 12)] {
            let back = decode(&encode(&picture, format, 95).unwrap(), format).unwrap();
            assert_eq!((back.width, back.height), (width, height), "{format:?}");
            let off: u64 = back.bytes.iter().zip(&picture.bytes).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
            assert!(off / picture.bytes.len() as u64 <= most, "{format:?}: {off}");
        }
        assert_eq!(decode(b"nothing", StillFormat::Png).unwrap_err().kind(), ErrorKind::Verification);
    }
}
