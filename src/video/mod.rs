//! Video encoders: frames in, coded pictures out, behind one trait.
//!
//! Owns what every encoder says of itself ([`EncoderTraits`]), how it is asked for ([`EncodeSpec`],
//! [`VideoParams`]) and fed ([`VideoEncoder`]), and two families of them: `svt` (SVT-AV1 directly) and `av`
//! (libavcodec's by name, libx264 first). Refuses to choose (a CRF, a chunk, a crop), to convert pictures, to know
//! a container, and to run threads of its own: the libraries have theirs, and one stage thread calls
//! [`VideoEncoder::send`] and [`VideoEncoder::receive`] in turn.
//!
//! ```text
//! encoder(name) ─→ EncoderFactory ─ open(EncodeSpec, VideoParams) ─→ VideoEncoder
//!                                            Frame ─ send ─↗   ↘ receive ─→ Coded, in decode order, one a frame
//! ```
#![deny(unsafe_code)]

mod av;
mod chain;
#[cfg(test)]
mod chain_tests;
mod decode_times;
mod facts;
mod frames;
mod registry;
mod spec;
mod svt;
#[cfg(test)]
mod tests;
mod traits;

pub use crate::media::Crf;
pub use decode_times::DecodeTimes;
pub use facts::{EncoderMemory, EncoderTraits, Limits, ProbeTraits, QualityScale};
#[cfg(any(test, feature = "internals"))]
pub use registry::inject;
pub use registry::{choose, encoder, is_choice, meant, names};
pub use spec::{EncodeSpec, KeyframeInterval, VideoParams};
pub use svt::{
    CRF_STEP, Draining, EncodedPacket, EncoderConfig, SvtSession, around_opening, check_library_version,
    library_and_origin, library_version, limits, many_encoders, quiet_logs,
};
pub use traits::{Coded, EncoderFactory, KeyRequest, VideoEncoder};
