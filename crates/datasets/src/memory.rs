//! Memory that is available to this process.

use std::fs;
use std::path::Path;

/// Memory that this process can still get, in bytes: of the machine, or of its control group if that has
/// less. None where the system does not tell.
pub fn available_memory() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| of_meminfo(&text));
    let groups = [
        // The second version of control groups, and the first.
        of_group(
            Path::new("/sys/fs/cgroup"),
            ["memory.max", "memory.current"],
            ["active_file", "inactive_file"],
        ),
        of_group(
            Path::new("/sys/fs/cgroup/memory"),
            ["memory.limit_in_bytes", "memory.usage_in_bytes"],
            ["total_active_file", "total_inactive_file"],
        ),
    ];
    groups.into_iter().chain([machine]).flatten().min()
}

/// What the kernel says is available, and what it could swap out.
fn of_meminfo(text: &str) -> Option<u64> {
    let kibibytes = |name: &str| {
        field(text, name)?
            .strip_suffix("kB")?
            .trim()
            .parse::<u64>()
            .ok()
    };
    let available = kibibytes("MemAvailable:")?;
    let swap = kibibytes("SwapFree:").unwrap_or(0);
    available.saturating_add(swap).checked_mul(1024)
}

/// What is left of the limit of a control group. Cached files count as used there, but the kernel drops them
/// when memory is short.
fn of_group(dir: &Path, [limit, used]: [&str; 2], cached: [&str; 2]) -> Option<u64> {
    let read = |name: &str| fs::read_to_string(dir.join(name)).ok();
    let number = |name: &str| read(name)?.trim().parse::<u64>().ok();
    let (limit, used) = (number(limit)?, number(used)?);
    let stat = read("memory.stat").unwrap_or_default();
    let cached = cached.map(|name| field(&stat, name)?.parse::<u64>().ok());
    let cached: u64 = cached.into_iter().flatten().sum();
    Some(limit.saturating_sub(used.saturating_sub(cached)))
}

/// What is behind the name at the start of a line.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    let (_, value) = lines.find(|(first, _)| *first == name)?;
    Some(value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn linux_says_how_much_memory_is_available() {
        assert!(available_memory().unwrap() > 1 << 20);
    }

    #[test]
    fn available_memory_is_read_in_kibibytes() {
        let text = "MemTotal:  16 kB\nMemAvailable:    5 kB\nSwapFree:        2 kB\n";
        assert_eq!(of_meminfo(text), Some(7 * 1024));
        assert_eq!(of_meminfo("MemTotal: 16 kB\n"), None);
    }

    #[test]
    fn a_control_group_has_what_is_neither_used_nor_can_be_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        let left = || of_group(dir.path(), ["max", "current"], ["active", "inactive"]);
        put("max", "max\n");
        put("current", "700\n");
        assert_eq!(left(), None);
        put("max", "1000\n");
        assert_eq!(left(), Some(300));
        put(
            "memory.stat",
            "anon 400\nactive 50\nactive_anon 9\ninactive 200\n",
        );
        assert_eq!(left(), Some(550));
        put("current", "1700\n");
        put("memory.stat", "");
        assert_eq!(left(), Some(0));
    }
}
