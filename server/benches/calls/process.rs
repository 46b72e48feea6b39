//! What a process and its children have used, as Linux accounts it.

use std::{fs, time::Duration};

/// CPU time of a process and its children that are alive.
pub fn cpu(pid: u32) -> Duration {
    family(pid).into_iter().map(own_cpu).sum()
}

/// Resident memory of a process and its children that are alive, in MiB.
pub fn resident_mib(pid: u32) -> f64 {
    family(pid)
        .into_iter()
        .filter_map(|pid| fs::read_to_string(format!("/proc/{pid}/status")).ok())
        .filter_map(|status| {
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
            line.trim().trim_end_matches(" kB").trim().parse::<f64>().ok()
        })
        .sum::<f64>()
        / 1024.0
}

fn own_cpu(pid: u32) -> Duration {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let nanos = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}

fn family(pid: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let mut found = vec![pid];
    found.extend(
        children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()).flat_map(self::family),
    );
    found
}
