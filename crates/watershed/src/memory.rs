//! How much memory this process may use.

use std::fs;

/// The least of what its control groups and the machine allow; `None` where neither says.
pub(crate) fn available() -> Option<u64> {
    let read = |path: &str| fs::read_to_string(path).ok();
    let groups = read("/proc/self/cgroup").unwrap_or_default();
    let limits = group_files(&groups).into_iter().filter_map(|path| read(&path)).filter_map(|text| group_limit(&text));
    limits.chain(read("/proc/meminfo").as_deref().and_then(total)).min()
}

/// The files with the limits of the groups that `/proc/self/cgroup` names, and of those around them: version 2, and version 1.
fn group_files(groups: &str) -> Vec<String> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let (base, file, path) = match line.splitn(3, ':').collect::<Vec<_>>()[..] {
            ["0", "", path] => ("/sys/fs/cgroup", "memory.max", path),
            [_, "memory", path] => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", path),
            _ => continue,
        };
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        files.extend(ends.map(|end| format!("{base}{}/{file}", &path[..end].trim_end_matches('/'))));
    }
    files
}

/// A group without a limit says `max`, in version 1 a number close to 2^63.
fn group_limit(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|bytes| *bytes < 1 << 62)
}

/// `MemTotal` of `/proc/meminfo`.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_groups_and_of_the_machine_are_read() {
        let files = group_files("12:cpu:/x\n4:memory:/docker/a\n0::/\n");
        let version_1 =
            ["", "/docker", "/docker/a"].map(|at| format!("/sys/fs/cgroup/memory{at}/memory.limit_in_bytes"));
        let version_2 = "/sys/fs/cgroup/memory.max".to_owned();
        let expected: Vec<_> = version_1.into_iter().chain([version_2.clone(), version_2]).collect();
        assert_eq!(files, expected);
        assert_eq!(
            (group_limit("1048576\n"), group_limit("max\n"), group_limit("9223372036854771712\n")),
            (Some(1 << 20), None, None)
        );
        assert_eq!(total("MemTotal:       24689124 kB\nMemFree: 1 kB\n"), Some(24_689_124 * 1024));
        assert_eq!(total(""), None);
        assert!(available().is_some_and(|bytes| bytes > 16 << 20));
    }
}
