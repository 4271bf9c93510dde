//! The rate factor of constant-quality encodes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::base::{Error, ErrorKind, Result};

/// Constant rate factor in quarter steps: lower is better and larger. From 1 to 63.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Crf(u16);

impl Crf {
    /// The best quality: 1.
    pub const MIN: Crf = Crf(4);
    /// The smallest output: 63.
    pub const MAX: Crf = Crf(252);

    /// `quarters / 4`; [`ErrorKind::Usage`] unless that is from 1 to 63.
    pub fn from_quarters(quarters: u16) -> Result<Self> {
        match Crf(quarters) {
            crf if (Self::MIN..=Self::MAX).contains(&crf) => Ok(crf),
            crf => Err(Error::new(ErrorKind::Usage, format!("CRF {crf} is not between 1 and 63"))),
        }
    }

    /// A whole number; [`ErrorKind::Usage`] unless it is from 1 to 63.
    pub fn whole(crf: u8) -> Result<Self> {
        Self::from_quarters(u16::from(crf) * 4)
    }

    /// A number such as 27.25; [`ErrorKind::Usage`] unless it is a multiple of 0.25 from 1 to 63.
    pub fn from_f64(crf: f64) -> Result<Self> {
        let quarters = crf * 4.0;
        if !(4.0..=252.0).contains(&quarters) || quarters.fract() != 0.0 {
            return Err(Error::new(ErrorKind::Usage, format!("CRF {crf} is not a multiple of 0.25 between 1 and 63")));
        }
        Self::from_quarters(quarters as u16)
    }

    /// Four times the CRF.
    pub fn quarters(self) -> u16 {
        self.0
    }

    /// The CRF as a number.
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / 4.0
    }
}

impl fmt::Display for Crf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_f64())
    }
}

impl FromStr for Crf {
    type Err = Error;

    /// A number such as `27.25`; else a `Usage` error with the number as it was written and the nearest that would do.
    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        let number: f64 = text
            .parse()
            .map_err(|_| Error::new(ErrorKind::Usage, format!("CRF {text:?} is no number; write one from 1 to 63")))?;
        Self::from_f64(number).map_err(|_| {
            let message = if (1.0..=63.0).contains(&number) {
                let low = (number * 4.0).floor() / 4.0;
                format!("CRF {text} is not a multiple of 0.25; {low} and {} are the nearest", low + 0.25)
            } else {
                format!("CRF {text} is not within 1 to 63")
            };
            Error::new(ErrorKind::Usage, message)
        })
    }
}

impl From<Crf> for f64 {
    fn from(crf: Crf) -> f64 {
        crf.as_f64()
    }
}

impl TryFrom<f64> for Crf {
    type Error = Error;

    fn try_from(crf: f64) -> Result<Self> {
        Self::from_f64(crf)
    }
}
