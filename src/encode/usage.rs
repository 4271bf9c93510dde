//! What this process has used.

use std::time::{Duration, Instant};

/// Memory and processor time of the whole process so far.
pub(crate) struct Usage {
    pub(crate) peak_memory_bytes: Option<u64>,
    pub(crate) cpu_s: Option<f64>,
}

impl Usage {
    /// Processor time since `then`.
    fn cpu_since(&self, then: Option<f64>) -> Option<f64> {
        self.cpu_s.zip(then).map(|(now, then)| now - then)
    }
}

/// Wall and processor time from a moment on: a process may have done other work before it.
pub(crate) struct Stopwatch {
    begun: Instant,
    cpu_s: Option<f64>,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Stopwatch { begun: Instant::now(), cpu_s: of_this_process().cpu_s }
    }

    pub(crate) fn wall(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Of all threads of the process.
    pub(crate) fn cpu_s(&self) -> Option<f64> {
        of_this_process().cpu_since(self.cpu_s)
    }
}

#[cfg(unix)]
pub(crate) fn of_this_process() -> Usage {
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
pub(crate) fn of_this_process() -> Usage {
    Usage { peak_memory_bytes: None, cpu_s: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_before_does_not_count() {
        let now = Usage { peak_memory_bytes: None, cpu_s: Some(70.5) };
        assert_eq!(now.cpu_since(Some(60.0)), Some(10.5));
        assert_eq!(now.cpu_since(None), None);
    }
}
