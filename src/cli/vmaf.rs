//! `drapto vmaf`.

use drapto::{CancelToken, Result, VmafOptions};

use super::args::VmafArgs;
use super::places::input;
use super::progress::ProgressSink;
use super::signals;
use super::text::{print, print_json};

pub fn run(args: &VmafArgs) -> Result<()> {
    let cancel = CancelToken::new();
    signals::install(&cancel)?;
    let options = VmafOptions { stride: Some(args.stride), model: args.model.clone() };
    let progress = ProgressSink::choose(false, false);
    let scores = drapto::vmaf(input(&args.reference), input(&args.distorted), &options, &progress, &cancel);
    progress.finish();
    let scores = scores?;
    if args.json {
        return print_json(&scores);
    }
    print(&format!(
        "VMAF {:.4}  harmonic mean {:.4}  5th percentile {:.4}  min {:.4}  ({} frames, stride {}, {})\n",
        scores.mean,
        scores.harmonic_mean,
        scores.p5,
        scores.min,
        scores.frames,
        scores.stride.get(),
        scores.metric
    ))
}
