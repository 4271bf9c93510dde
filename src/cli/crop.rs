//! `drapto crop`.

use drapto::data::CropReport;
use drapto::{CancelToken, Result};

use super::args::CropArgs;
use super::places::input;
use super::signals;
use super::text::{print, print_json};

pub fn run(args: &CropArgs) -> Result<()> {
    let cancel = CancelToken::new();
    signals::install(&cancel)?;
    let crop = drapto::crop(input(&args.input), &cancel)?;
    if args.json { print_json(&crop) } else { print(&describe(&crop)) }
}

pub(super) fn describe(c: &CropReport) -> String {
    let votes = format!("({} samples, confidence {:.2})", c.samples, c.confidence);
    if (c.width, c.height) == (c.source_width, c.source_height) {
        return format!("nothing to crop of {}x{}  {votes}\n", c.width, c.height);
    }
    let (width, height, x, y) = (c.width, c.height, c.x, c.y);
    format!("{width}:{height}:{x}:{y} of {}x{}  {votes}\n", c.source_width, c.source_height)
}
