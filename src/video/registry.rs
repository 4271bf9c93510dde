//! Encoders by name.
#![deny(unsafe_code)]

use crate::base::{Error, ErrorKind, Result};

use super::av;
use super::svt::SVT_AV1;
use super::traits::EncoderFactory;

/// The encoder of that name: `svt-av1`, or one of libavcodec's by its name there: `libx264`.
///
/// A further one of libavcodec is a row in the table of `video/av/table.rs`: what it is called there, which option is
/// its quality, its presets, depths and memory. It needs code only where its codec stores packets in another way than
/// the library gives them.
///
/// # Errors
/// `Usage` for a name that is not known, `Unsupported` where libavcodec was built without that encoder.
pub fn encoder(name: &str) -> Result<&'static dyn EncoderFactory> {
    if name == SVT_AV1.name() {
        return Ok(&SVT_AV1);
    }
    if let Some(factory) = av::factory(name)? {
        return Ok(factory);
    }
    let known = names().join(", ");
    Err(Error::new(ErrorKind::Usage, format!("there is no video encoder {name:?}; there are {known}")))
}

/// The names of all encoders there can be, the default first; libavcodec may have been built without some.
pub fn names() -> Vec<&'static str> {
    std::iter::once(SVT_AV1.name()).chain(av::names()).collect()
}
