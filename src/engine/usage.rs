//! What this process has used.

/// Memory and processor time of the whole process so far.
pub(super) struct Usage {
    pub(super) peak_memory_bytes: Option<u64>,
    pub(super) cpu_s: Option<f64>,
}

#[cfg(unix)]
pub(super) fn of_this_process() -> Usage {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeValLike;
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else {
        return Usage { peak_memory_bytes: None, cpu_s: None };
    };
    // Linux and the BSDs count kilobytes, macOS bytes.
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Usage { peak_memory_bytes: u64::try_from(usage.max_rss()).ok().map(|m| m * unit), cpu_s: Some(micros as f64 / 1e6) }
}

#[cfg(not(unix))]
pub(super) fn of_this_process() -> Usage {
    Usage { peak_memory_bytes: None, cpu_s: None }
}
