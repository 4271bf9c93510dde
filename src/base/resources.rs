//! What a machine offers, and what is left of it.

use std::path::Path;

/// Where the system tells of the group of processes this one is in (cgroups(7)): its folder, the file with its limit and the
/// one with what it uses, in versions 2 and 1.
const GROUPS: [(&str, &str, &str); 2] = [
    ("/sys/fs/cgroup", "memory.max", "memory.current"),
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
];

/// Memory of the machine, or of the group of processes this one is limited to.
pub fn machine_memory() -> Option<u64> {
    let limit = GROUPS.iter().find_map(|(folder, limit, _)| number(Path::new(folder), limit));
    least(limit, meminfo("MemTotal:"))
}

/// Memory that can still be had before anything is swapped out: of the machine, or of the group of processes this one is
/// limited to. What is kept of files until somebody needs the room counts as free.
pub fn memory_left() -> Option<u64> {
    let of_group = GROUPS.iter().find_map(|(folder, limit, used)| {
        let folder = Path::new(folder);
        let (limit, used) = (number(folder, limit)?, number(folder, used)?);
        let stat = std::fs::read_to_string(folder.join("memory.stat")).ok();
        let files = stat.and_then(|text| field(&text, "inactive_file")).unwrap_or(0);
        Some(limit.saturating_sub(used.saturating_sub(files)))
    });
    least(of_group, meminfo("MemAvailable:"))
}

fn least(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// The number a file holds; a group without a limit says `max`.
fn number(folder: &Path, file: &str) -> Option<u64> {
    std::fs::read_to_string(folder.join(file)).ok()?.trim().parse().ok()
}

/// A line of /proc/meminfo, in bytes.
fn meminfo(name: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    field(&text, name).map(|kib| kib * 1024)
}

/// The number behind `name` in a text of a name and a number a line.
fn field(text: &str, name: &str) -> Option<u64> {
    let mut words =
        text.lines().map(str::split_whitespace).find_map(|mut words| (words.next() == Some(name)).then_some(words))?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let text = "inactive_files 1\ninactive_file 4096\nMemAvailable:    12 kB\n";
        assert_eq!(field(text, "inactive_file"), Some(4096));
        assert_eq!(field(text, "MemAvailable:"), Some(12));
        assert_eq!(field(text, "active_file"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn less_is_left_than_there_is() {
        let (all, left) = (machine_memory().unwrap(), memory_left().unwrap());
        assert!(left > 0 && left <= all, "{left} of {all}");
    }
}
