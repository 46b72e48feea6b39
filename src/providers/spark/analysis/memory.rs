//! Memory: spill, garbage, and how large executors are.

use super::{Evidence, Found, Thresholds};
use crate::model::Severity;
use crate::providers::spark::{
    shapes::{Executor, Stage},
    words::{cut, duration, percent, size},
};

/// How many things one finding names.
const NAMED: usize = 3;

/// Data that did not fit into memory.
pub(super) fn spill(evidence: &Evidence, limits: &Thresholds) -> Vec<Found> {
    let mut stages: Vec<&Stage> =
        evidence.ran().filter(|stage| stage.memory_bytes_spilled > limits.spill_bytes).collect();
    stages.sort_by_key(|stage| std::cmp::Reverse(stage.memory_bytes_spilled));
    let Some(first) = stages.first() else { return Vec::new() };
    let facts = stages.iter().take(NAMED).map(|stage| {
        let memory = size(stage.memory_bytes_spilled as f64);
        let value = format!("{memory} of memory, {} on disk", size(stage.disk_bytes_spilled as f64));
        evidence.of_stage(stage, format!("Spilled by stage {}", stage.stage_id), value)
    });
    let mut facts: Vec<_> = facts.collect();
    let mut change = Vec::new();
    if let Some(fraction) = evidence.setting("spark.memory.fraction")
        && fraction.parse::<f64>().is_ok_and(|fraction| fraction < limits.memory_fraction_min)
    {
        facts.push(evidence.of_page("environment", "spark.memory.fraction", fraction));
        change.push(
            "Leave spark.memory.fraction at its default, 0.6: it is what sorts and joins may use".to_owned(),
        );
    }
    let data = first.shuffle_read_bytes.max(first.input_bytes).max(first.memory_bytes_spilled);
    let partitions = (data / limits.partition_bytes_ideal + 1).max(first.num_tasks * 2);
    change.push(format!(
        "Make partitions smaller: spark.sql.shuffle.partitions={partitions} (stage {} has {} tasks)",
        first.stage_id, first.num_tasks
    ));
    change.push("Or give executors more memory: spark.executor.memory, or fewer cores for each".to_owned());
    let on_disk: i64 = stages.iter().map(|stage| stage.disk_bytes_spilled).sum();
    vec![Found {
        severity: if first.memory_bytes_spilled > limits.spill_bytes_severe {
            Severity::Severe
        } else {
            Severity::Moderate
        },
        title: format!("Stage {} spills {}", first.stage_id, size(first.memory_bytes_spilled as f64)),
        evidence: facts,
        why: "What does not fit is written to disk, read again and merged: disk in place of memory.",
        change,
        expected: format!("{} less to write and to read again on disk", size(on_disk as f64)),
        estimated: "the bytes that were spilled to disk; how much time that is depends on the disks",
    }]
}

/// Time that goes into collecting garbage.
pub(super) fn gc(evidence: &Evidence, limits: &Thresholds) -> Vec<Found> {
    let share = |stage: &Stage| stage.jvm_gc_time as f64 / stage.executor_run_time.max(1) as f64;
    let under_pressure = |stage: &&Stage| {
        stage.executor_run_time >= limits.gc_run_time_ms_min && share(stage) > limits.gc_share
    };
    let mut stages: Vec<&Stage> = evidence.ran().filter(under_pressure).collect();
    stages.sort_by_key(|stage| std::cmp::Reverse(stage.jvm_gc_time));
    let Some(first) = stages.first() else { return Vec::new() };
    let facts = stages.iter().take(NAMED).map(|stage| {
        let (gc, run) = (duration(stage.jvm_gc_time as f64), duration(stage.executor_run_time as f64));
        let value = format!("{gc} of {run}, {}", percent(share(stage)));
        evidence.of_stage(stage, format!("Garbage collection in stage {}", stage.stage_id), value)
    });
    let lost: i64 = stages.iter().map(|stage| stage.jvm_gc_time).sum();
    vec![Found {
        severity: if share(first) > limits.gc_share_severe { Severity::Severe } else { Severity::Moderate },
        title: format!("Stage {} spends {} of its time on garbage", first.stage_id, percent(share(first))),
        evidence: facts.collect(),
        why: "While garbage is collected, tasks of that executor wait.",
        change: vec![
            "Raise spark.executor.memory, or lower spark.executor.cores so that fewer tasks share the heap".into(),
            "Avoid Python or Scala objects for rows where DataFrame functions do; unpersist caches that are done with".into(),
        ],
        expected: format!("up to {} less", duration(lost as f64 / evidence.slots() as f64)),
        estimated: "time spent on garbage, divided by the tasks that run at the same time",
    }]
}

/// Reads a size as Spark's settings write it: `4g`, `512m`, without a unit mebibytes.
fn setting_bytes(text: &str) -> Option<i64> {
    let text = text.trim().to_lowercase();
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let number: i64 = text[..digits].parse().ok()?;
    let unit = match text[digits..].trim_end_matches('b').trim() {
        "k" => 1 << 10,
        "" | "m" => 1 << 20,
        "g" => 1 << 30,
        "t" => 1 << 40,
        _ => return None,
    };
    number.checked_mul(unit)
}

/// Executors that were lost for want of memory, and heaps that are too small or too large.
pub(super) fn sizes(evidence: &Evidence, limits: &Thresholds) -> Vec<Found> {
    lost(evidence).into_iter().chain(heaps(evidence, limits)).collect()
}

fn lost(evidence: &Evidence) -> Option<Found> {
    let says = |text: &str| {
        let text = text.to_lowercase();
        ["outofmemory", "out of memory", "memory limits", "exit code 137", "exit status: 137", "oomkilled"]
            .iter()
            .any(|sign| text.contains(sign))
    };
    let gone = evidence.executors.iter().filter_map(|executor| {
        let reason = executor.remove_reason.as_deref().filter(|reason| says(reason))?;
        Some(evidence.of_page("executors", format!("Executor {} was lost", executor.id), cut(reason, 160)))
    });
    let failed = evidence.tasks.iter().flat_map(|(stage, tasks)| tasks.iter().map(move |task| (stage, task)));
    let failed = failed.filter_map(|(stage, task)| {
        task.error_message.as_deref().filter(|error| says(error))?;
        let what = format!("Task {} of stage {stage}", task.task_id);
        Some(evidence.of_page("stages", what, "failed for want of memory"))
    });
    let facts: Vec<_> = gone.chain(failed).take(NAMED).collect();
    (!facts.is_empty()).then(|| Found {
        severity: Severity::Critical,
        title: "Executors or tasks were lost for want of memory".into(),
        evidence: facts,
        why: "What a lost executor had computed is computed again; after four failures of a task the job fails.",
        change: vec![
            "Killed by the cluster (137, memory limits): raise spark.executor.memoryOverhead; with Python, \
             spark.executor.pyspark.memory"
                .into(),
            "OutOfMemoryError in the heap: raise spark.executor.memory, or make partitions smaller".into(),
        ],
        expected: "no repeated work".into(),
        estimated: "not estimated in time",
    })
}

fn heaps(evidence: &Evidence, limits: &Thresholds) -> Option<Found> {
    let configured = setting_bytes(evidence.setting("spark.executor.memory")?)?;
    let peaks: Vec<(&str, i64)> = evidence
        .executors
        .iter()
        .filter(|executor| !executor.is_driver())
        .filter_map(|executor| {
            Some((executor.id.as_str(), executor.peak_memory_metrics.as_ref()?.jvm_heap_memory))
        })
        .filter(|(_, peak)| *peak > 0)
        .collect();
    let (id, most) = peaks.iter().copied().max_by_key(|(_, peak)| *peak)?;
    let share = most as f64 / configured as f64;
    let value = format!("{} of {}, {}", size(most as f64), size(configured as f64), percent(share));
    let fact = evidence.of_page("executors", format!("Highest use of the heap, on executor {id}"), value);
    if share > limits.heap_share_high {
        return Some(Found {
            severity: Severity::Moderate,
            title: format!("Executors use {} of their heap", percent(share)),
            evidence: vec![fact],
            why: "A heap that is full is collected again and again, and the next larger partition does not fit.",
            change: vec![format!("Set spark.executor.memory={}m", configured / (1 << 20) * 5 / 4)],
            expected: "room for growth of the data".into(),
            estimated: "a quarter more than is configured",
        });
    }
    let is_large = configured >= limits.heap_low_bytes_min && peaks.len() > 1;
    (share < limits.heap_share_low && is_large).then(|| {
        let enough = (most / (1 << 20) * 3 / 2).max(1024);
        Found {
            severity: Severity::Low,
            title: format!("Executors use {} of their heap at most", percent(share)),
            evidence: vec![fact],
            why: "Memory that is reserved and not used is paid for, or missing for other applications.",
            change: vec![format!("Try spark.executor.memory={enough}m, or more cores for each executor")],
            expected: format!("{} less for each executor", size((configured - (enough << 20)).max(0) as f64)),
            estimated: "one and a half times the highest use",
        }
    })
}

/// A driver whose memory is short, or little for so many executors.
pub(super) fn driver(evidence: &Evidence, limits: &Thresholds) -> Vec<Found> {
    /// Spark's default.
    const DEFAULT: &str = "1g";
    let executors = evidence.executors.iter().filter(|executor| !executor.is_driver()).count();
    let given = evidence.setting("spark.driver.memory").unwrap_or(DEFAULT);
    let Some(configured) = setting_bytes(given).filter(|bytes| *bytes > 0 && executors > 0) else {
        return Vec::new();
    };
    let fact = evidence.of_page("environment", "spark.driver.memory", given);
    let peak = evidence.executors.iter().find(|executor| executor.is_driver());
    let peak =
        peak.and_then(|driver| Some(driver.peak_memory_metrics.as_ref()?.jvm_heap_memory)).unwrap_or(0);
    let share = peak as f64 / configured as f64;
    if share > limits.driver_heap_share_high {
        let value = format!("{} of {}, {}", size(peak as f64), size(configured as f64), percent(share));
        return vec![Found {
            severity: Severity::Moderate,
            title: format!("The driver uses {} of its heap", percent(share)),
            evidence: vec![evidence.of_page("executors", "Highest use of the driver's heap", value), fact],
            why: "A driver that runs out of memory ends the application, and one that collects garbage stops all tasks.",
            change: vec![
                format!("Set spark.driver.memory={}m", configured / (1 << 20) * 3 / 2),
                "Leave rows where they are: no collect() or toPandas() of large results; smaller broadcasts"
                    .into(),
            ],
            expected: "room for growth of what is collected and sent to all".into(),
            estimated: "half more than is configured",
        }];
    }
    if executors <= limits.driver_executors || configured >= limits.driver_bytes_min {
        return Vec::new();
    }
    vec![Found {
        severity: Severity::Low,
        title: format!("The driver has {} for {executors} executors", size(configured as f64)),
        evidence: vec![fact, evidence.of_page("executors", "Executors", executors.to_string())],
        why: "The driver keeps what every task of every executor reports.",
        change: vec![format!("Set spark.driver.memory={}g", (limits.driver_bytes_min >> 30).max(1))],
        expected: "a driver that does not wait for its own garbage".into(),
        estimated: "not estimated in time",
    }]
}

/// Cached data that did not fit into memory.
pub(super) fn cache(evidence: &Evidence, limits: &Thresholds) -> Vec<Found> {
    let sum = |of: fn(&Executor) -> i64| evidence.executors.iter().map(of).sum::<i64>();
    let (disk, memory) = (sum(|executor| executor.disk_used), sum(|executor| executor.memory_used));
    if disk <= limits.cache_disk_bytes {
        return Vec::new();
    }
    vec![Found {
        severity: Severity::Moderate,
        title: format!("{} of cached data lie on disks", size(disk as f64)),
        evidence: vec![
            evidence.of_page("storage", "Cached on disk", size(disk as f64)),
            evidence.of_page("storage", "Cached in memory", size(memory as f64)),
        ],
        why: "What is read again from a disk is seldom worth having cached.",
        change: vec![
            "Cache fewer columns and rows, and unpersist() what is done with".into(),
            "Or keep it smaller: persist(StorageLevel.MEMORY_AND_DISK_SER), or raise spark.executor.memory"
                .into(),
        ],
        expected: format!("{} read from memory in place of disks", size(disk as f64)),
        estimated: "the bytes that executors keep on disk",
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_settings_are_read() {
        let read = ["4g", "512m", "1024", "2GB", "1t", "x", "4q"].map(setting_bytes);
        assert_eq!(
            read,
            [Some(4 << 30), Some(512 << 20), Some(1 << 30), Some(2 << 30), Some(1 << 40), None, None]
        );
    }
}
