//! Values of settings as text.

use std::fmt::Display;
use std::mem;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::de::DeserializeOwned;

use crate::base::{Error, ErrorKind, Rational, Result};

fn usage(message: String) -> Error {
    Error::new(ErrorKind::Usage, message)
}

/// A number from `min` to `max`.
pub(super) fn number(what: &str, text: &str, min: f64, max: f64) -> Result<f64> {
    let number: f64 = text.trim().parse().map_err(|_| usage(format!("{what}: {text:?} is no number")))?;
    if (min..=max).contains(&number) {
        return Ok(number);
    }
    Err(usage(format!("{what} {number} is not within {min} to {max}")))
}

/// A whole number from `min` to `max`.
pub(super) fn whole<T: FromStr + PartialOrd + Display>(what: &str, text: &str, min: T, max: T) -> Result<T> {
    let range: RangeInclusive<T> = min..=max;
    let (min, max) = (range.start(), range.end());
    match text.trim().parse::<i128>() {
        Err(_) => Err(usage(format!("{what}: {text:?} is no whole number"))),
        Ok(n) => match text.trim().parse::<T>() {
            Ok(n) if range.contains(&n) => Ok(n),
            _ => Err(usage(format!("{what} {n} is not within {min} to {max}"))),
        },
    }
}

/// One of `words`, as serde reads it.
pub(super) fn choice<T: DeserializeOwned>(what: &str, text: &str, words: &[&str]) -> Result<T> {
    let wrong = || usage(format!("{what}: {text:?} is not one of {}", words.join(", ")));
    if !words.contains(&text) {
        return Err(wrong());
    }
    serde_json::from_value(serde_json::Value::from(text)).map_err(|_| wrong())
}

/// A type that reads itself.
pub(super) fn parsed<T: FromStr<Err = Error>>(text: &str) -> Result<T> {
    text.parse()
}

/// `true` or `false`.
pub(super) fn flag(what: &str, text: &str) -> Result<bool> {
    match text {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(usage(format!("{what}: {text:?} is neither true nor false"))),
    }
}

/// A part of a file's name: not empty, and within one folder.
pub(super) fn part_of_name(what: &str, text: &str) -> Result<String> {
    if text.is_empty() || text.contains(['/', '\\', '\0']) {
        return Err(usage(format!("{what}: {text:?} cannot be a part of a file's name")));
    }
    Ok(text.to_owned())
}

/// Bytes: a whole number, or one with K, M, G or T (powers of 1024), as `4G`.
///
/// # Errors
/// [`ErrorKind::Usage`] for what is none, and for 0.
pub fn size(text: &str) -> Result<u64> {
    let wrong = || usage(format!("{text:?} is no size; write 4G or 1500M"));
    let trimmed = text.trim();
    let digits = trimmed.trim_end_matches(|c: char| !c.is_ascii_digit());
    let shift = match trimmed[digits.len()..].to_ascii_uppercase().trim_end_matches('B').trim_end_matches('I') {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return Err(wrong()),
    };
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    let bytes = number.checked_mul(1 << shift).filter(|&bytes| bytes > 0);
    bytes.ok_or_else(|| usage(format!("{text:?} is out of range")))
}

/// A size as [`size`] reads it: in MiB where it is a whole number of them.
pub(super) fn megabytes(bytes: u64) -> String {
    if bytes.is_multiple_of(1 << 20) { format!("{}M", bytes >> 20) } else { bytes.to_string() }
}

/// `name=value:name=value`, in its order; `\:` is a colon within a value.
pub(crate) fn parameters(text: &str) -> Result<Vec<(String, String)>> {
    let (mut parts, mut part) = (Vec::new(), String::new());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' if rest.peek() == Some(&':') => part.push(rest.next().unwrap_or(':')),
            ':' => parts.push(mem::take(&mut part)),
            c => part.push(c),
        }
    }
    parts.push(part);
    let given = parts.iter().filter(|part| !part.is_empty());
    given
        .map(|part| match part.split_once('=') {
            Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok((name.to_owned(), value.to_owned())),
            _ => Err(usage(format!("{part:?} is not of the form name=value"))),
        })
        .collect()
}

/// As [`parameters`] reads it.
pub(crate) fn parameters_text(parameters: &[(String, String)]) -> String {
    let parts = parameters.iter().map(|(name, value)| format!("{name}={value}").replace(':', "\\:"));
    parts.collect::<Vec<_>>().join(":")
}

/// Frames a second: a whole number, one with a fraction, or two with a slash. Decimals of the rates of NTSC (23.976, 29.97,
/// 59.94) mean those rates (SMPTE ST 12-1: 24, 30 and 60 times 1000/1001).
pub(super) fn rate(text: &str) -> Result<Rational> {
    let wrong = || Error::new(ErrorKind::Usage, format!("frame rate {text:?} is not a number or two with a slash"));
    let exact = match text.split_once('/') {
        Some((num, den)) => num.parse().ok().zip(den.parse().ok()),
        None => match text.parse::<f64>().map_err(|_| wrong())? {
            n if n.fract() == 0.0 => Some((n as i32, 1)),
            n => [24, 30, 60, 120]
                .into_iter()
                .find(|whole| (n - f64::from(*whole) / 1.001).abs() < 0.005)
                .map(|whole| (whole * 1000, 1001))
                .or(Some(((n * 1000.0).round() as i32, 1000))),
        },
    };
    let rate = exact.and_then(|(num, den)| Rational::positive(num, den));
    rate.filter(|rate| (0.001..=1000.0).contains(&rate.as_f64())).ok_or_else(wrong)
}

/// Names of encoders with commas between them; which there are is for the room of encoders to say.
///
/// # Errors
/// `Usage` for what is no name.
pub(super) fn encoders(text: &str) -> Result<String> {
    let is_name =
        |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    let names: Vec<&str> = text.split(',').map(str::trim).collect();
    match names.iter().find(|name| !is_name(name)) {
        None => Ok(names.join(",")),
        Some(name) => Err(Error::new(ErrorKind::Usage, format!("{name:?} is no name of an encoder"))),
    }
}

#[cfg(test)]
mod rate_tests {
    use super::*;

    #[test]
    fn frame_rates_are_read_as_they_are_written() {
        for (text, num, den) in [
            ("24", 24, 1),
            ("24000/1001", 24000, 1001),
            ("23.976", 24000, 1001),
            ("23.98", 24000, 1001),
            ("29.97", 30000, 1001),
            ("12.5", 12500, 1000),
        ] {
            assert_eq!(rate(text).unwrap(), Rational::positive(num, den).unwrap(), "{text}");
        }
        for wrong in ["0", "-1", "fast", "1/0", "24/", "1e9", "nan"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_bytes_or_powers_of_1024() {
        for (text, bytes) in [("4G", 4u64 << 30), ("1500M", 1500 << 20), ("2GiB", 2 << 30), ("1k", 1024), ("77", 77)] {
            assert_eq!(size(text).unwrap(), bytes, "{text}");
            assert_eq!(size(&megabytes(bytes)).unwrap(), bytes, "{text}");
        }
        for text in ["", "G", "-1G", "4X", "1.5G", "0", "99999999999T"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn encoder_parameters_keep_their_order_and_colons_and_a_wrong_one_is_named() {
        let list = parameters("film-grain=8:tune=1:x=a\\:b").unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(list, [pair("film-grain", "8"), pair("tune", "1"), pair("x", "a:b")]);
        assert_eq!(parameters(&parameters_text(&list)).unwrap(), list);
        assert!(parameters("film-grain").unwrap_err().to_string().contains("film-grain"));
    }
}
