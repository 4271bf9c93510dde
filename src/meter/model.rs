//! Which VMAF models there are, their names, and what they ask of a picture.
#![deny(unsafe_code)]

use std::ffi::CStr;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::{Error, ErrorKind, Result};

/// The widest and highest picture scored, in luma samples; libvmaf counts samples of a plane in 32 bits.
const MAX_SIDE: u32 = 16_384;

macro_rules! models {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A model built into libvmaf.
        ///
        /// The names after `v1.0.16` are viewing distance (`3d0h`: 3.0 picture heights), `2160` for a display
        /// of 2160 lines, and `hfr` for high frame rate. The library decides which are there: 2.x has v0.6.1 only.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Model {
            $($(#[$doc])* $variant,)*
        }

        impl Model {
            /// All of them, the default first.
            pub const ALL: &'static [Model] = &[$(Model::$variant,)*];

            /// The name libvmaf knows it by.
            pub fn name(self) -> &'static str {
                match self { $(Model::$variant => $name,)* }
            }

            pub(super) fn c_name(self) -> &'static CStr {
                match self {
                    $(Model::$variant => const {
                        match CStr::from_bytes_with_nul(concat!($name, "\0").as_bytes()) {
                            Ok(name) => name,
                            Err(_) => panic!("a model name holds a NUL"),
                        }
                    },)*
                }
            }
        }
    };
}

models! {
    /// The default: 1080p at three picture heights.
    V061 = "vmaf_v0.6.1",
    /// The default, without credit for enhancement (sharpening, contrast).
    V061Neg = "vmaf_v0.6.1neg",
    /// 2160p at one and a half picture heights.
    V0614k = "vmaf_4k_v0.6.1",
    /// 2160p at one and a half picture heights, without credit for enhancement.
    V0614kNeg = "vmaf_4k_v0.6.1neg",
    /// Model 1 at 3 picture heights; 1080p. Sees banding and chroma too.
    V1D30 = "vmaf_v1.0.16_3d0h",
    /// Model 1 at 3 picture heights; 2160p.
    V1D30Uhd = "vmaf_v1.0.16_3d0h_2160",
    /// Model 1 at 5 picture heights; 1080p.
    V1D50 = "vmaf_v1.0.16_5d0h",
    /// Model 1 at 1.5 picture heights; 2160p.
    V1D15Uhd = "vmaf_v1.0.16_1d5h_2160",
    /// Model 1 for high frame rates at 3 picture heights; 1080p.
    V1HfrD30 = "vmaf_v1.0.16_hfr_3d0h",
    /// Model 1 for high frame rates at 3 picture heights; 2160p. Its scores can pass 100 a little.
    V1HfrD30Uhd = "vmaf_v1.0.16_hfr_3d0h_2160",
    /// Model 1 for high frame rates at 5 picture heights; 1080p.
    V1HfrD50 = "vmaf_v1.0.16_hfr_5d0h",
    /// Model 1 for high frame rates at 1.5 picture heights; 2160p.
    V1HfrD15Uhd = "vmaf_v1.0.16_hfr_1d5h_2160",
}

impl Model {
    /// The model of that name: libvmaf's, with or without the leading `vmaf_`.
    ///
    /// # Errors
    /// `Usage`, listing the names, for any other.
    pub fn parse(name: &str) -> Result<Model> {
        let known = |m: &&Model| m.name() == name || m.name().strip_prefix("vmaf_") == Some(name);
        Model::ALL.iter().find(known).copied().ok_or_else(|| {
            let names: Vec<_> = Model::ALL.iter().map(|m| m.name()).collect();
            Error::new(ErrorKind::Usage, format!("no VMAF model {name:?}; there are {}", names.join(", ")))
        })
    }

    /// The model meant for pictures of this size: the 4K one above 2560×1440, whichever way they stand.
    pub fn for_size(width: u32, height: u32) -> Model {
        if width.max(height) > 2560 || width.min(height) > 1440 { Model::V0614k } else { Model::V061 }
    }

    /// Whether it computes with banding and chroma features (model 1); v0.6.1 looks at luma only.
    pub(super) fn is_v1(self) -> bool {
        !matches!(self, Model::V061 | Model::V061Neg | Model::V0614k | Model::V0614kNeg)
    }

    /// Refuses sizes at which libvmaf 3.2.0 does not answer.
    ///
    /// Found by scoring noise at every size up to 140 (v0.6.1) and around 160 and 216 (model 1) under an address
    /// sanitizer, with AVX-512, AVX2 and no SIMD: below these libvmaf writes outside of its buffers in the
    /// fourth scale of the detail-loss feature, or refuses to start the banding feature.
    pub(super) fn check_size(self, width: u32, height: u32) -> Result<()> {
        let (min_w, min_h, min_long) = if self.is_v1() { (160, 160, 216) } else { (33, 17, 33) };
        if width < min_w || height < min_h || width.max(height) < min_long {
            let also = if self.is_v1() { ", 216 on the longer side" } else { "" };
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("a picture of {width}x{height} is too small for {self} (at least {min_w}x{min_h}{also})"),
            ));
        }
        if width > MAX_SIDE || height > MAX_SIDE {
            let message = format!("a picture of {width}x{height} is too large for VMAF (up to {MAX_SIDE} on a side)");
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        Ok(())
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Model {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Model {
    /// From a name, as [`Model::parse`].
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Model::parse(&String::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}
