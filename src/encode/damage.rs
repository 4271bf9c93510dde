//! Whether too much of a source was lost.
//!
//! Lost is what decoding refused or concealed, and what is missing at the end of the video that is encoded, by its own times.
//! What a header says of the whole is not enough: another track may be longer, the last picture may stay, and headers are
//! wrong. So pictures are missing only from a file that breaks off: by its own structure
//! ([`is_cut_short`](crate::container::is_cut_short)), by an error, or, where its structure is not known, in the middle of
//! a packet or long before its last byte.

use std::path::Path;

use crate::base::{Error, ErrorKind, Result, Timestamp};
use crate::media::MediaInfo;
use crate::plan::SourceFacts;
use crate::source::DecodeStats;
use crate::stages::demux::DemuxFindings;

/// More lost pictures than this fail a run, unless damage was accepted.
const MAX_DAMAGE: f64 = 0.01;
/// What follows the last packet of a file that is whole (an index) is no larger part of it than this, nor larger than so
/// many bytes.
const TAIL: (f64, u64) = (0.02, 64 << 10);

/// What a file promises of its film.
pub(super) struct FilmPromise {
    /// When the main video ends, in seconds, by the container's word for it or else for the whole.
    end_s: Option<f64>,
    /// Whether that was said for the main video itself.
    own: bool,
    /// Whether the file breaks off by its structure, where that is known.
    cut_short: Option<bool>,
    /// Pictures by the index or header of a format whose packets are pictures.
    pictures: Option<u64>,
    bytes: u64,
}

impl FilmPromise {
    /// Of the video stream `main` of the file at `path`.
    pub(super) fn of(info: &MediaInfo, main: usize, facts: &SourceFacts, path: &Path) -> Self {
        let own = info.streams.get(main).and_then(|s| s.promised_end()).map(Timestamp::as_secs_f64);
        let start = info.streams.iter().filter_map(|s| s.start).map(Timestamp::as_secs_f64).fold(0.0, f64::min);
        let whole = info.duration_s.map(|duration| start + duration);
        let bytes = std::fs::metadata(path).map_or(0, |m| m.len());
        // FFmpeg shortens the duration of an AVI that is cut, and leaves its count.
        let counted = info.streams.get(main).filter(|_| info.container == "avi");
        let pictures = counted.and_then(|s| s.frames);
        FilmPromise { end_s: own.or(whole), own: own.is_some(), cut_short: facts.cut_short, pictures, bytes }
    }

    /// The share of the pictures that are counted in a file that breaks off, and are not there.
    fn uncounted(&self, demux: &DemuxFindings) -> Option<f64> {
        let promised = self.pictures.filter(|n| *n > demux.picture_packets && self.breaks_off(demux))?;
        let share = (promised - demux.picture_packets) as f64 / promised as f64;
        (share > MAX_DAMAGE).then_some(share)
    }

    fn breaks_off(&self, demux: &DemuxFindings) -> bool {
        let unread = self.bytes.saturating_sub(demux.end_position);
        let long_tail = demux.end_position > 0 && unread > TAIL.1 && unread as f64 > self.bytes as f64 * TAIL.0;
        match self.cut_short {
            _ if demux.stopped.is_some() => true,
            Some(cut_short) => cut_short,
            None => demux.broken || long_tail,
        }
    }

    /// How many seconds of the promise the pictures do not hold, and the share of it; `None` for what is no matter.
    fn missing(&self, demux: &DemuxFindings, shown: Option<Timestamp>) -> Option<(f64, f64)> {
        // What the container promises of a clock that jumps means nothing.
        let end = self.end_s.filter(|end| demux.jumps == 0 && *end > 0.0)?;
        // The last picture may stay for longer than its packet says, in a file that was read to its end.
        let shown = shown.filter(|_| demux.stopped.is_none()).map_or(0.0, Timestamp::as_secs_f64);
        let short = end - demux.picture_end_s.max(shown);
        (short > 1.0 && short > end * MAX_DAMAGE).then_some((short, short / end))
    }
}

/// Fails a run that lost too much of its source, unless it is to `accept` that; what is to be known, if anything. `shown` is
/// when the last encoded picture is no longer shown.
///
/// # Errors
/// `Input`, with the first error that was met.
pub(super) fn judge(
    film: &FilmPromise,
    (demux, decode): (&DemuxFindings, &DecodeStats),
    shown: Option<Timestamp>,
    accept: bool,
) -> Result<Vec<String>> {
    let mut damage = decode.damage();
    let mut words = Vec::new();
    let mut warnings = Vec::new();
    if decode.damaged_packets + decode.damaged_frames > 0 {
        words.push(format!(
            "{} packets cannot be decoded and {} of {} pictures are damaged",
            decode.damaged_packets, decode.damaged_frames, decode.frames
        ));
    }
    if let Some(stopped) = &demux.stopped {
        words.push(format!("reading stopped early: {stopped}"));
    }
    let missing = film.missing(demux, shown);
    if let Some(share) = film.uncounted(demux).filter(|_| missing.is_none()) {
        damage = damage.max(share);
        words.push(format!("{:.1} % of its pictures are missing", share * 100.0));
    }
    match missing {
        Some((_, share)) if film.breaks_off(demux) => {
            damage = damage.max(share);
            words.push(format!("{:.1} % of the film is missing at its end", share * 100.0));
        }
        // Another track may be what is longer.
        Some((short, _)) if film.own || demux.end_s + 1.0 < demux.picture_end_s + short => warnings.push(format!(
            "the file says that its pictures end {short:.1} s later than they do, and it is whole: it is taken at its pictures' word"
        )),
        _ => {}
    }
    if words.is_empty() {
        return Ok(warnings);
    }
    let message = format!("the source is damaged: {}", words.join("; "));
    if damage > MAX_DAMAGE && !accept {
        let cause = decode.first_error.clone().map(|e| format!(" (first: {e})")).unwrap_or_default();
        return Err(Error::new(ErrorKind::Input, format!("{message}{cause}; --accept-damage encodes it all the same")));
    }
    warnings.push(message);
    Ok(warnings)
}
