//! The checks of one file and what they came to.
#![deny(unsafe_code)]

use serde::Serialize;

use crate::base::{Error, ErrorKind};

/// One thing that was checked.
#[derive(Clone, Debug, Serialize)]
pub struct CheckResult {
    /// What was checked.
    pub name: String,
    /// Whether it is as it has to be.
    pub pass: bool,
    /// What it has to be.
    pub expected: String,
    /// What it is.
    pub found: String,
}

/// All checks of one file.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verification {
    /// Whether every check passed.
    pub pass: bool,
    /// Each check.
    pub checks: Vec<CheckResult>,
}

impl Verification {
    pub(super) fn check(&mut self, name: impl Into<String>, pass: bool, expected: impl ToString, found: impl ToString) {
        let result = CheckResult { name: name.into(), pass, expected: expected.to_string(), found: found.to_string() };
        self.pass = self.checks.iter().all(|c| c.pass) && pass;
        self.checks.push(result);
    }

    pub(super) fn equal<T: PartialEq + std::fmt::Debug>(&mut self, name: impl Into<String>, expected: &T, found: &T) {
        self.check(name, expected == found, format!("{expected:?}"), format!("{found:?}"));
    }

    /// The first check that failed, in words.
    pub fn first_failure(&self) -> Option<String> {
        let failed = self.checks.iter().find(|c| !c.pass)?;
        Some(format!("{}: expected {}, found {}", failed.name, failed.expected, failed.found))
    }
}

/// The error of a run whose output failed.
pub(crate) fn failure(verification: &Verification) -> Error {
    let why = verification.first_failure().unwrap_or_default();
    Error::new(ErrorKind::Verification, format!("the output failed verification: {why}"))
}
