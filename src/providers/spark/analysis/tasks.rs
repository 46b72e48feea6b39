//! How work is cut into tasks: skew, partitions, files, too many and too few.

use super::{Evidence, Found, Thresholds};
use crate::model::Severity;
use crate::providers::spark::{
    shapes::{Distributions, Stage},
    words::{duration, percent, size, time_ms},
};

/// How many stages one finding names.
const NAMED: usize = 3;

/// What the quantiles of a stage say: median, three quarters, most.
fn spread(values: &[f64]) -> Option<(f64, f64, f64)> {
    match values {
        [_, _, median, upper, most] => Some((*median, *upper, *most)),
        _ => None,
    }
}

/// How often the larger is the smaller.
fn ratio(most: f64, median: f64) -> f64 {
    if median > 0.0 {
        most / median
    } else if most > 0.0 {
        f64::INFINITY
    } else {
        0.0
    }
}

fn times(ratio: f64) -> String {
    if ratio.is_finite() {
        format!("{ratio:.1} times")
    } else {
        "all, where half of the tasks have none,".to_owned()
    }
}

/// Tasks of which one has far more to do than the others, in time and in bytes. Time alone would name
/// the first tasks of a JVM.
pub(super) fn skew(evidence: &Evidence, limits: &Thresholds) -> Vec<Found> {
    evidence.ran().filter_map(|stage| skew_of(evidence, limits, stage)).collect()
}

/// Work of a stage that is spread unevenly: the median and the longest task, and what they read.
pub(super) struct Uneven {
    what: &'static str,
    median: f64,
    upper: f64,
    most: f64,
    bytes: (f64, f64),
}

/// Says how unevenly the work of a stage is spread; `None` = evenly enough, or not known.
pub(super) fn uneven(limits: &Thresholds, stage: &Stage) -> Option<Uneven> {
    let spreads = stage.task_metrics_distributions.as_ref()?;
    let (median, upper, most) = spread(&spreads.executor_run_time)?;
    let is_slow = stage.num_tasks >= limits.skew_tasks_min
        && ratio(most, median) > limits.skew_time_ratio
        && most > limits.skew_time_ms_min;
    let (what, bytes) = reads(spreads).into_iter().filter(|_| is_slow).find_map(|(what, values)| {
        let (median, _, most) = spread(values)?;
        let uneven = ratio(most, median) > limits.skew_bytes_ratio && most > limits.skew_bytes_min;
        uneven.then_some((what, (median, most)))
    })?;
    Some(Uneven { what, median, upper, most, bytes })
}

/// A stage of which one task takes far longer than the others although it reads no more, on one of several executors.
pub(super) fn stragglers(evidence: &Evidence, limits: &Thresholds) -> Vec<Found> {
    let is_alone = evidence.workers().count() < 2;
    if is_alone || evidence.environment.is_none() || evidence.is_on("spark.speculation", false) {
        return Vec::new();
    }
    // The first stage has the tasks that each JVM starts with, which take long everywhere.
    let first = evidence.ran().filter_map(|stage| time_ms(stage.submission_time.as_deref()?)).min();
    let later = evidence.ran().filter(|stage| {
        stage.submission_time.as_deref().and_then(time_ms).is_some_and(|begun| Some(begun) > first)
    });
    let late = later.filter_map(|stage| {
        let spreads = stage.task_metrics_distributions.as_ref()?;
        let (median, _, most) = spread(&spreads.executor_run_time)?;
        let is_late = stage.num_tasks >= limits.skew_tasks_min
            && ratio(most, median) > limits.skew_time_ratio
            && most > limits.straggler_ms_min;
        let is_even = reads(spreads)
            .into_iter()
            .filter_map(|(_, values)| spread(values))
            .all(|(median, _, most)| ratio(most, median) <= limits.skew_bytes_ratio);
        (is_late && is_even).then_some((stage, median, most))
    });
    let late: Vec<_> = late.collect();
    let Some((worst, median, most)) =
        late.iter().copied().max_by(|(_, _, one), (_, _, other)| one.total_cmp(other))
    else {
        return Vec::new();
    };
    let fact = |(stage, median, most): &(&Stage, f64, f64)| {
        let what = format!("Longest task of stage {}", stage.stage_id);
        evidence.of_stage(stage, what, format!("{} against {}", duration(*most), duration(*median)))
    };
    let mut facts: Vec<_> = late.iter().take(NAMED).map(fact).collect();
    facts.push(evidence.of_page("environment", "spark.speculation", "not set: off"));
    vec![Found {
        severity: Severity::Low,
        title: format!(
            "Stage {}: one task takes {} as long as the median one, and reads no more",
            worst.stage_id,
            times(ratio(most, median))
        ),
        evidence: facts,
        why: "A slow machine, or one that others use, holds up the whole stage.",
        change: vec![
            "Set spark.speculation=true: a task that takes far longer than the others runs a second time elsewhere; not \
             where tasks write to other systems"
                .into(),
            "Look at the executor of that task: its disks, its neighbours, its garbage".into(),
        ],
        expected: format!("up to {} less in that stage", duration(most - median)),
        estimated: "the longest task less the median one",
    }]
}

fn skew_of(evidence: &Evidence, limits: &Thresholds, stage: &Stage) -> Option<Found> {
    let Uneven { what, median, upper, most, bytes } = uneven(limits, stage)?;
    let time_ratio = ratio(most, median);
    // With even work the stage takes as long as all cores together need, and no less than its usual tasks.
    let even = (stage.executor_run_time as f64 / evidence.slots() as f64).max(upper);
    let saved = (most - even).max(0.0);
    let whole = evidence.duration_ms() as f64;
    let severity = match (time_ratio > 10.0, whole > 0.0 && saved / whole > 0.25) {
        (true, true) => Severity::Critical,
        (true, false) => Severity::Severe,
        (false, _) => Severity::Moderate,
    };
    let mut facts = vec![
        evidence.of_stage(
            stage,
            format!("Longest task of stage {} against the median", stage.stage_id),
            format!("{} against {}: {}", duration(most), duration(median), times(time_ratio)),
        ),
        evidence.of_stage(
            stage,
            format!("Largest {what} of a task against the median"),
            format!("{} against {}: {}", size(bytes.1), size(bytes.0), times(ratio(bytes.1, bytes.0))),
        ),
    ];
    let tasks = evidence.tasks.iter().find(|(id, _)| *id == stage.stage_id).map(|(_, tasks)| tasks);
    if let Some(task) = tasks.and_then(|tasks| tasks.iter().max_by_key(|task| task.duration)) {
        let value = format!("partition {}, on executor {}", task.index, task.executor_id);
        facts.push(evidence.of_stage(stage, format!("Longest task: task {}", task.task_id), value));
    }
    let mut change = Vec::new();
    if !evidence.is_on("spark.sql.adaptive.enabled", true) {
        change.push(
            "Set spark.sql.adaptive.enabled=true: Spark then splits skewed partitions of joins by itself"
                .into(),
        );
    } else if !evidence.is_on("spark.sql.adaptive.skewJoin.enabled", true) {
        change.push("Set spark.sql.adaptive.skewJoin.enabled=true".into());
    } else {
        change.push(
            "Lower spark.sql.adaptive.skewJoin.skewedPartitionThresholdInBytes (256MB) below the largest partition"
                .into(),
        );
    }
    change.push("If one side of the join is small, send it to all: df.join(broadcast(small), key)".into());
    change.push(
        "Else salt the key: add a random number of 0 to n to the large side, repeat the small side n times, join on both"
            .into(),
    );
    Some(Found {
        severity,
        title: format!(
            "Stage {}: one task has {} the work of the median one",
            stage.stage_id,
            times(time_ratio)
        ),
        evidence: facts,
        why: "A stage ends when its longest task ends; meanwhile the other cores wait, and the large task spills.",
        change,
        expected: format!("about {} less, of {}", duration(saved), duration(whole)),
        estimated: "longest task less what all cores would need together if the work were even",
    })
}

fn reads(spreads: &Distributions) -> [(&'static str, &[f64]); 2] {
    [("shuffle read", &spreads.shuffle_read_metrics.read_bytes), ("input", &spreads.input_metrics.bytes_read)]
}

/// Tasks that read or write more than they should.
pub(super) fn large_partitions(evidence: &Evidence, limits: &Thresholds) -> Vec<Found> {
    let most = |stage: &Stage| {
        let spreads = stage.task_metrics_distributions.as_ref()?;
        let written = &spreads.output_metrics.bytes_written;
        let all = reads(spreads).into_iter().chain([("output", written.as_slice())]);
        all.filter_map(|(what, values)| Some((what, values.last().copied()?)))
            .max_by(|one, other| one.1.total_cmp(&other.1))
    };
    let mut large: Vec<_> = evidence
        .ran()
        .filter_map(|stage| Some((stage, most(stage)?)))
        .filter(|(_, (_, bytes))| *bytes > limits.partition_bytes)
        .collect();
    large.sort_by(|one, other| other.1.1.total_cmp(&one.1.1));
    let Some((first, (_, bytes))) = large.first() else { return Vec::new() };
    let wanted = (first.shuffle_read_bytes.max(first.input_bytes) / limits.partition_bytes_ideal).max(1);
    let facts = large.iter().take(NAMED).map(|(stage, (what, bytes))| {
        evidence.of_stage(
            stage,
            format!("Largest {what} of a task of stage {}", stage.stage_id),
            size(*bytes),
        )
    });
    vec![Found {
        severity: Severity::Severe,
        title: format!("Tasks handle up to {} each", size(*bytes)),
        evidence: facts.collect(),
        why: "A task holds its partition's share in memory to sort, join or aggregate it; too much spills or fails.",
        change: vec![
            format!("Set spark.sql.shuffle.partitions to about {wanted}, or repartition before this step"),
            "Files: set spark.sql.files.maxPartitionBytes=128MB, and use a format that can be split".into(),
        ],
        expected: "less spill and fewer tasks that fail for want of memory".into(),
        estimated: "not estimated in time; the number of partitions is the data divided by 128 MiB",
    }]
}

/// Files that are too small, read or written.
pub(super) fn small_files(evidence: &Evidence, limits: &Thresholds) -> Vec<Found> {
    let mut found = Vec::new();
    for (kind, bytes_of) in [
        ("write", (|stage: &Stage| stage.output_bytes) as fn(&Stage) -> i64),
        ("read", |stage| stage.input_bytes),
    ] {
        let small = |stage: &&Stage| {
            let bytes = bytes_of(stage);
            bytes > 0 && stage.num_tasks >= limits.files_min && bytes / stage.num_tasks < limits.file_bytes
        };
        let mut stages: Vec<&Stage> = evidence.ran().filter(small).collect();
        stages.sort_by_key(|stage| bytes_of(stage) / stage.num_tasks);
        let Some(first) = stages.first() else { continue };
        let mean = bytes_of(first) / first.num_tasks;
        let facts = stages.iter().take(NAMED).map(|stage| {
            let value = format!(
                "{} tasks {kind} {}: {} each",
                stage.num_tasks,
                size(bytes_of(stage) as f64),
                size((bytes_of(stage) / stage.num_tasks) as f64)
            );
            evidence.of_stage(stage, format!("Stage {}", stage.stage_id), value)
        });
        let files = (bytes_of(first) / limits.partition_bytes_ideal).max(1);
        let change = match kind {
            "write" => vec![
                format!("Write fewer files: df.coalesce({files}).write…, or df.repartition({files}) if the work before it is heavy"),
                "Or let Spark choose: the hint /*+ REBALANCE */ before the write, with spark.sql.adaptive.enabled=true".into(),
            ],
            _ => vec![
                "Compact the input (OPTIMIZE of the table format, or a job that rewrites it into files of about 128 MiB)".into(),
                "Raise spark.sql.files.openCostInBytes, so that more small files are read by one task".into(),
            ],
        };
        found.push(Found {
            severity: if mean < limits.file_bytes_severe { Severity::Moderate } else { Severity::Low },
            title: format!("Stage {}: tasks {kind} {} each", first.stage_id, size(mean as f64)),
            evidence: facts.collect(),
            why: "Opening, listing and planning costs the same for a small file as for a large one, for every later reader too.",
            change,
            expected: format!("about {files} files in place of {}", first.num_tasks),
            estimated: "bytes divided by 128 MiB; one file for each task is assumed",
        });
    }
    found
}

/// Very many tasks that each do next to nothing.
pub(super) fn tiny_tasks(evidence: &Evidence, limits: &Thresholds) -> Vec<Found> {
    let tiny = |stage: &&Stage| {
        let median = stage.task_metrics_distributions.as_ref().and_then(|all| spread(&all.executor_run_time));
        stage.num_tasks > limits.tiny_tasks_min
            && median.is_some_and(|(median, ..)| median < limits.tiny_task_ms)
    };
    evidence
        .ran()
        .filter(tiny)
        .map(|stage| Found {
            severity: Severity::Moderate,
            title: format!("Stage {} has {} tiny tasks", stage.stage_id, stage.num_tasks),
            evidence: vec![evidence.of_stage(
                stage,
                format!("Tasks of stage {}", stage.stage_id),
                format!("{}, {} of run time in all", stage.num_tasks, duration(stage.executor_run_time as f64)),
            )],
            why: "Each task costs the driver some milliseconds to start and to hear of; it becomes the bottleneck.",
            change: vec![
                "Lower spark.sql.shuffle.partitions, or df.coalesce(n) after a filter that leaves little".into(),
                "Keep spark.sql.adaptive.coalescePartitions.enabled=true".into(),
            ],
            expected: "a shorter stage, by the time that the driver spends on starting tasks".into(),
            estimated: "not estimated in time",
        })
        .collect()
}

/// Long stages that leave cores without a task.
pub(super) fn too_few_tasks(evidence: &Evidence, limits: &Thresholds) -> Vec<Found> {
    let slots = evidence.slots();
    let few = |stage: &&Stage| {
        stage.duration_ms().is_some_and(|ms| ms > limits.few_tasks_duration_ms_min)
            && stage.num_tasks < slots
            && stage.status == "COMPLETE"
    };
    let mut stages: Vec<&Stage> = evidence.ran().filter(few).collect();
    stages.sort_by_key(|stage| std::cmp::Reverse(stage.duration_ms()));
    let Some(first) = stages.first() else { return Vec::new() };
    let saved = |stage: &Stage| {
        let even = stage.executor_run_time / slots;
        (stage.duration_ms().unwrap_or_default() - even).max(0)
    };
    let facts = stages.iter().take(NAMED).map(|stage| {
        let took = duration(stage.duration_ms().unwrap_or_default() as f64);
        let used = percent(stage.num_tasks as f64 / slots as f64);
        let value = format!("{} tasks for {slots} cores ({used}), {took}", stage.num_tasks);
        evidence.of_stage(stage, format!("Stage {}", stage.stage_id), value)
    });
    vec![Found {
        severity: Severity::Moderate,
        title: format!("Stage {} has fewer tasks than there are cores", first.stage_id),
        evidence: facts.collect(),
        why: "A core without a task waits until the stage ends. Spark's guide recommends 2 to 3 tasks for each core.",
        change: vec![
            format!("Repartition before this step: df.repartition({})", slots * 2),
            "Input that cannot be split (gzip): store it in a format that can, or as more files".into(),
        ],
        expected: format!(
            "up to {} less",
            duration(stages.iter().map(|stage| saved(stage)).sum::<i64>() as f64)
        ),
        estimated: "the stages' time less what all cores together would need, if the work can be split",
    }]
}
