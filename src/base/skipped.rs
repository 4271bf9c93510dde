//! What tests say that cannot run here.

use std::fmt::Display;
use std::io::Write;

/// Says, also when output is captured, that a test is left out.
pub(crate) fn skipped(why: impl Display) {
    // `eprintln!` would be shown for tests that fail alone.
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}

/// Says that a test is left out because something is not there that every machine that judges changes has; there, with
/// `CI` set, it is a failure.
#[track_caller]
pub(crate) fn missing(what: impl Display) {
    judge(what, std::env::var("CI").is_ok_and(|ci| !matches!(ci.as_str(), "" | "0" | "false")));
}

#[track_caller]
fn judge(what: impl Display, ci: bool) {
    assert!(!ci, "{what}, and CI is set: nothing may be left out");
    skipped(what);
}

#[test]
#[should_panic = "there is no film, and CI is set"]
fn what_is_missing_fails_where_changes_are_judged() {
    judge("there is no film", true);
}

#[test]
fn what_is_missing_is_left_out_elsewhere() {
    judge("this line belongs to a test of itself", false);
}
