//! Whether too much of a source was lost.

use crate::base::{Error, ErrorKind, Result, Timestamp};
use crate::media::MediaInfo;
use crate::source::DecodeStats;
use crate::stages::demux::DemuxFindings;

/// More lost pictures than this fail a run, unless damage was accepted.
const MAX_DAMAGE: f64 = 0.01;

/// Fails a run that lost too much of its source, unless it is to `accept` that; the warning about what was lost, if anything.
///
/// # Errors
/// `Input`, with the first error that was met.
pub(super) fn judge(
    info: &MediaInfo,
    demux: &DemuxFindings,
    decode: &DecodeStats,
    accept: bool,
) -> Result<Option<String>> {
    let mut damage = decode.damage();
    let mut words = Vec::new();
    if decode.damaged_packets + decode.damaged_frames > 0 {
        words.push(format!(
            "{} packets cannot be decoded and {} of {} pictures are damaged",
            decode.damaged_packets, decode.damaged_frames, decode.frames
        ));
    }
    if let Some(stopped) = &demux.stopped {
        words.push(format!("reading stopped early: {stopped}"));
    }
    // What the container promises of a clock that jumps means nothing.
    if let Some(missing) = missing(info, demux.end_s).filter(|_| demux.jumps == 0) {
        damage = damage.max(missing);
        words.push(format!("{:.1} % of the film is missing at its end", missing * 100.0));
    }
    if words.is_empty() {
        return Ok(None);
    }
    let message = format!("the source is damaged: {}", words.join("; "));
    if damage > MAX_DAMAGE && !accept {
        let cause = decode.first_error.clone().map(|e| format!(" (first: {e})")).unwrap_or_default();
        return Err(Error::new(ErrorKind::Input, format!("{message}{cause}; --accept-damage encodes it all the same")));
    }
    Ok(Some(message))
}

/// The share of the film that the container promises and the packets do not hold.
fn missing(info: &MediaInfo, end_s: f64) -> Option<f64> {
    let start = info.streams.iter().filter_map(|s| s.start).map(Timestamp::as_secs_f64).fold(0.0, f64::min);
    let promised = info.duration_s?;
    let short = promised - (end_s - start);
    (short > 1.0 && short > promised * MAX_DAMAGE).then_some(short / promised)
}
