//! `drapto verify`.

use drapto::{CancelToken, Error, ErrorKind, Result};

use super::args::VerifyArgs;
use super::places::input;
use super::signals;
use super::text::{print, print_json};

pub fn run(args: &VerifyArgs) -> Result<()> {
    let cancel = CancelToken::new();
    signals::install(&cancel)?;
    let verification = drapto::verify(input(&args.source), &args.output, &cancel)?;
    if args.json {
        print_json(&verification)?;
    } else {
        let lines = verification.checks.iter().map(|c| match c.pass {
            true => format!("✓ {}\n", c.name),
            false => format!("✗ {}: expected {}, found {}\n", c.name, c.expected, c.found),
        });
        print(&lines.collect::<String>())?;
    }
    match verification.first_failure() {
        None => Ok(()),
        Some(why) => Err(Error::new(ErrorKind::Verification, why).with_file(&args.output)),
    }
}
