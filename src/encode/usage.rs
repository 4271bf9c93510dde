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

/// Leaves this thread, and those it begins, as many of its cores as are `percent` of them, at least one. What asks how many
/// there are is told so many.
///
/// Where the system has no such limits, and where it refuses, all stay.
#[cfg(target_os = "linux")]
pub(crate) fn limit_cores(percent: u8) {
    use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
    use nix::unistd::Pid;
    /// The calling thread (sched_setaffinity(2)).
    const THIS: Pid = Pid::from_raw(0);
    if percent >= 100 {
        return;
    }
    let limited = sched_getaffinity(THIS).and_then(|all| {
        let cores: Vec<usize> = (0..CpuSet::count()).filter(|&core| all.is_set(core).unwrap_or(false)).collect();
        let mut kept = CpuSet::new();
        // The last ones: the first is busy with interrupts on many machines.
        for &core in cores.iter().rev().take(cores_kept(cores.len(), percent)) {
            kept.set(core)?;
        }
        sched_setaffinity(THIS, &kept)
    });
    if let Err(error) = limited {
        tracing::warn!(%error, percent, "cannot limit the cores of the run");
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn limit_cores(percent: u8) {
    if percent < 100 {
        tracing::warn!(percent, "this system has no limit for the cores of a thread");
    }
}

/// How many of `cores` are at most `percent` of them.
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
fn cores_kept(cores: usize, percent: u8) -> usize {
    (cores * usize::from(percent) / 100).max(1)
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

    #[test]
    fn a_part_of_the_cores_is_rounded_down_but_never_none() {
        let kept = |cores, percent| cores_kept(cores, percent);
        assert_eq!([kept(16, 50), kept(2, 75), kept(3, 1), kept(1, 99), kept(8, 100)], [8, 1, 1, 1, 8]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_limited_thread_and_those_it_begins_see_fewer_cores() {
        let cores = || std::thread::available_parallelism().unwrap().get();
        let all = cores();
        let seen = std::thread::spawn(move || {
            limit_cores(50);
            (cores(), std::thread::spawn(cores).join().unwrap())
        });
        assert_eq!(seen.join().unwrap(), (cores_kept(all, 50), cores_kept(all, 50)));
        assert_eq!(cores(), all);
    }
}
