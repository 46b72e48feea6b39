//! The rules, tried with values: where each begins to speak, and where it must not.

use serde_json::{Value, json};

use super::{Evidence, Thresholds, findings, kinds, markdown};
use crate::{
    model::{Finding, Missing, Severity},
    providers::spark::{
        client::Place,
        shapes::{Application, Attempt, Environment, Executor, Job, Sql, Stage, Task},
    },
};

/// Ten minutes of an application with two cores that were never without a task, in which nothing is
/// wrong.
fn quiet() -> Evidence {
    let stage = json!({"stageId": 1, "status": "COMPLETE", "name": "collect", "numTasks": 20, "numCompleteTasks": 20,
        "submissionTime": "2026-11-21T04:00:00.000GMT", "completionTime": "2026-11-21T04:10:00.000GMT",
        "executorRunTime": 1_200_000, "inputBytes": 2_000_000_000_i64});
    let job = json!({"jobId": 0, "status": "SUCCEEDED", "stageIds": [1],
        "submissionTime": "2026-11-21T04:00:00.000GMT", "completionTime": "2026-11-21T04:10:00.000GMT"});
    let executor =
        json!({"id": "driver", "totalCores": 2, "maxTasks": 2, "addTime": "2026-11-21T04:00:00.000GMT"});
    let start: i64 = 1_795_233_600_000;
    let attempt = Attempt {
        start_time_epoch: start,
        end_time_epoch: start + 600_000,
        duration: 600_000,
        completed: true,
        ..Attempt::default()
    };
    let app = Application { id: "app-1".into(), name: "quiet".into(), attempts: vec![attempt.clone()] };
    Evidence {
        place: Place { app, attempt },
        base: "http://spark:18080/shs".into(),
        jobs: vec![read::<Job>(job)],
        stages: vec![read::<Stage>(stage)],
        executors: vec![read::<Executor>(executor)],
        environment: Some(Environment::default()),
        tasks: Vec::new(),
        queries: Vec::new(),
        slowest: Vec::new(),
        missing: Vec::new(),
    }
}

fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("a shape")
}

fn found(evidence: &Evidence) -> Vec<(&'static str, Severity)> {
    let found = findings(evidence, &Thresholds::default());
    found.iter().map(named).collect()
}

fn named(finding: &Finding) -> (&'static str, Severity) {
    let kind = kinds().into_iter().find(|kind| *kind == finding.kind);
    (kind.expect("a finding is of a kind that there is"), finding.severity)
}

fn one(evidence: &Evidence) -> Finding {
    let mut found = findings(evidence, &Thresholds::default());
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

fn set(evidence: &mut Evidence, name: &str, value: &str) {
    let environment = evidence.environment.get_or_insert_default();
    environment.spark_properties.push((name.to_owned(), value.to_owned()));
}

#[test]
fn where_nothing_is_wrong_nothing_is_found() {
    let evidence = quiet();
    assert_eq!(found(&evidence), []);
    assert!(markdown(&evidence, &[]).contains("It took 10 min 0 s with 1 job, 1 stage and 2 cores"));
    assert_eq!(kinds().len(), 15);
}

#[test]
fn skew_needs_time_and_bytes() {
    let with = |time: [f64; 5], bytes: [f64; 5]| {
        let mut evidence = quiet();
        evidence.stages[0].task_metrics_distributions = Some(read(json!({
            "quantiles": [0.0, 0.25, 0.5, 0.75, 1.0], "executorRunTime": time,
            "shuffleReadMetrics": {"readBytes": bytes},
        })));
        evidence
    };
    let (slow, large) = ([1e3, 1e4, 2e4, 3e4, 5.9e5], [1e6, 1e6, 2e6, 2e6, 4e8]);
    let skew = one(&with(slow, large));
    assert_eq!(named(&skew), ("skew", Severity::Severe));
    assert!(skew.evidence[0].link.ends_with("/shs/history/app-1/stages/stage/?id=1&attempt=0"), "{skew:?}");
    // A JVM that starts slowly: time is uneven and bytes are even.
    assert_eq!(found(&with(slow, [1e8; 5])), []);
    assert_eq!(found(&with(slow, [0.0; 5])), []);
    // Uneven, but over in no time.
    assert_eq!(found(&with([10.0, 20.0, 30.0, 40.0, 4e3], large)), []);
    let mut few = with(slow, large);
    few.stages[0].num_tasks = 9;
    assert_eq!(found(&few), []);
}

#[test]
fn spill_names_the_setting_that_explains_it() {
    let mut evidence = quiet();
    evidence.stages[0].memory_bytes_spilled = 100 << 20;
    assert_eq!(found(&evidence), []);
    evidence.stages[0].memory_bytes_spilled += 1;
    set(&mut evidence, "spark.memory.fraction", "0.05");
    let spill = one(&evidence);
    assert_eq!(named(&spill), ("spill", Severity::Moderate));
    assert!(spill.change[0].contains("spark.memory.fraction"), "{spill:?}");
    evidence.stages[0].memory_bytes_spilled = 2 << 30;
    assert_eq!(found(&evidence), [("spill", Severity::Severe)]);
}

#[test]
fn garbage_counts_in_stages_that_run_long() {
    let mut evidence = quiet();
    evidence.stages[0].jvm_gc_time = 120_000;
    assert_eq!(found(&evidence), []);
    evidence.stages[0].jvm_gc_time = 130_000;
    assert_eq!(found(&evidence), [("gc_pressure", Severity::Moderate)]);
    evidence.stages[0].jvm_gc_time = 300_000;
    assert_eq!(found(&evidence), [("gc_pressure", Severity::Severe)]);
}

#[test]
fn work_is_cut_into_neither_too_many_nor_too_few_tasks() {
    let mut small = quiet();
    small.stages[0].input_bytes = 20 << 20;
    assert_eq!(found(&small), [("small_files", Severity::Low)]);
    small.stages[0].num_tasks = 19;
    assert_eq!(found(&small), []);

    let mut few = quiet();
    few.executors[0].total_cores = 2;
    few.executors[0].max_tasks = 64;
    assert_eq!(found(&few), [("too_few_tasks", Severity::Moderate)]);

    let mut tiny = quiet();
    tiny.stages[0].num_tasks = 5001;
    tiny.stages[0].input_bytes = 0;
    tiny.stages[0].task_metrics_distributions =
        Some(read(json!({"executorRunTime": [1.0, 2.0, 3.0, 4.0, 5.0]})));
    assert_eq!(found(&tiny), [("tiny_tasks", Severity::Moderate)]);

    let mut large = quiet();
    let most = 6.0 * f64::from(1 << 30);
    large.stages[0].task_metrics_distributions =
        Some(read(json!({"inputMetrics": {"bytesRead": [1.0, 1.0, 1.0, 1.0, most]}})));
    assert_eq!(found(&large), [("large_partitions", Severity::Severe)]);
}

#[test]
fn what_failed_is_told_with_its_error() {
    let mut evidence = quiet();
    evidence.stages[0].num_failed_tasks = 2;
    evidence.tasks =
        vec![(1, vec![Task { error_message: Some("ValueError: bad record".into()), ..Task::default() }])];
    let failed = one(&evidence);
    assert_eq!(named(&failed), ("failures", Severity::Moderate));
    assert!(failed.evidence.iter().any(|fact| fact.value.contains("bad record")), "{failed:?}");
    evidence.jobs[0].status = "FAILED".into();
    assert_eq!(found(&evidence), [("failures", Severity::Critical)]);

    let mut lost = quiet();
    lost.executors.push(Executor {
        id: "1".into(),
        remove_reason: Some(
            "Container killed by YARN for exceeding memory limits. 5.5 GB of 5.5 GB used".into(),
        ),
        ..Executor::default()
    });
    assert_eq!(found(&lost), [("memory_size", Severity::Critical)]);
    // One that was given back is none that was lost.
    lost.executors[1].remove_reason = Some("Executor was idle".into());
    assert_eq!(found(&lost), []);
}

#[test]
fn heaps_are_neither_full_nor_empty() {
    let with = |memory: &str, peak: i64| {
        let mut evidence = quiet();
        set(&mut evidence, "spark.executor.memory", memory);
        for id in ["1", "2"] {
            let executor = json!({"id": id, "peakMemoryMetrics": {"JVMHeapMemory": peak}});
            evidence.executors.push(read(executor));
        }
        found(&evidence)
    };
    assert_eq!(with("4g", 2 << 30), []);
    assert_eq!(with("4g", 4 << 30), [("memory_size", Severity::Moderate)]);
    assert_eq!(with("4g", 1 << 30), [("memory_size", Severity::Low)]);
    assert_eq!(with("1g", 1 << 20), []);
}

#[test]
fn cores_that_wait_count_in_applications_that_run_long() {
    let mut idle = quiet();
    idle.stages[0].executor_run_time = 500_000;
    assert_eq!(found(&idle), [("idle_executors", Severity::Moderate)]);
    set(&mut idle, "spark.dynamicAllocation.enabled", "true");
    set(&mut idle, "spark.dynamicAllocation.maxExecutors", "8");
    assert!(one(&idle).change[0].contains("executorIdleTimeout"));

    let mut alone = quiet();
    alone.jobs[0].completion_time = Some("2026-11-21T04:06:00.000GMT".into());
    assert_eq!(found(&alone), [("driver_bound", Severity::Moderate)]);
}

#[test]
fn shuffles_are_found_by_size_and_by_waiting() {
    let mut much = quiet();
    much.stages[0].shuffle_write_bytes = 7 << 30;
    much.queries = vec![Sql { status: "COMPLETED".into(), ..Sql::default() }];
    assert_eq!(found(&much), [("shuffle", Severity::Moderate)]);
    let mut waits = quiet();
    waits.stages[0].shuffle_fetch_wait_time = 300_000;
    assert_eq!(found(&waits), [("shuffle", Severity::Moderate)]);
}

#[test]
fn a_join_of_something_small_is_found_in_its_plan() {
    let query = |small: &str| -> Sql {
        read(json!({"id": 3, "status": "COMPLETED", "nodes": [
            {"nodeId": 1, "nodeName": "SortMergeJoin", "metrics": []},
            {"nodeId": 2, "nodeName": "Sort", "metrics": []}, {"nodeId": 3, "nodeName": "Sort", "metrics": []},
            {"nodeId": 4, "nodeName": "Exchange", "metrics": [{"name": "data size", "value": small}]},
            {"nodeId": 5, "nodeName": "Exchange", "metrics": [{"name": "data size", "value": "total (min)\n1.5 GiB (1 B)"}]},
        ], "edges": [{"fromId": 2, "toId": 1}, {"fromId": 3, "toId": 1}, {"fromId": 4, "toId": 2}, {"fromId": 5, "toId": 3}]}))
    };
    let mut evidence = quiet();
    evidence.slowest = vec![query("31.3 KiB")];
    let missed = one(&evidence);
    assert_eq!(named(&missed), ("broadcast", Severity::Moderate));
    assert!(missed.title.contains("31.3 KiB"), "{missed:?}");
    evidence.slowest = vec![query("800.0 MiB")];
    assert_eq!(found(&evidence), []);

    let cross = |rows: &str| -> Sql {
        read(json!({"id": 4, "nodes": [{"nodeId": 1, "nodeName": "CartesianProduct",
            "metrics": [{"name": "number of output rows", "value": rows}]}]}))
    };
    evidence.slowest = vec![cross("20,000,000")];
    assert_eq!(found(&evidence), [("plan", Severity::Moderate)]);
    evidence.slowest = vec![cross("10,000,000")];
    assert_eq!(found(&evidence), []);
}

#[test]
fn settings_are_found_that_switch_off_what_helps() {
    let mut evidence = quiet();
    evidence.queries = vec![Sql { status: "COMPLETED".into(), ..Sql::default() }];
    assert_eq!(found(&evidence), []);
    set(&mut evidence, "spark.sql.adaptive.enabled", "false");
    assert_eq!(found(&evidence), [("configuration", Severity::Moderate)]);
    evidence.environment = None;
    assert_eq!(found(&evidence), []);
}

/// Two executors beside the driver.
fn on_a_cluster() -> Evidence {
    let mut evidence = quiet();
    let executor = |id: &str| {
        let cores = i64::from(id != "driver");
        read(
            json!({"id": id, "totalCores": cores, "maxTasks": cores, "addTime": "2026-11-21T04:00:00.000GMT"}),
        )
    };
    evidence.executors = ["driver", "0", "1"].map(executor).to_vec();
    evidence
}

#[test]
fn a_driver_needs_memory_for_its_own_work_and_for_many_executors() {
    let mut evidence = on_a_cluster();
    let peak = |bytes: i64| Some(read(json!({"JVMHeapMemory": bytes})));
    evidence.executors[0].peak_memory_metrics = peak(1 << 30);
    let short = one(&evidence);
    assert_eq!(named(&short), ("driver_bound", Severity::Moderate));
    assert!(short.change[0].contains("spark.driver.memory=1536m"), "{short:?}");
    set(&mut evidence, "spark.driver.memory", "1200m");
    assert_eq!(found(&evidence), []);

    let one_more = evidence.executors[1].clone();
    evidence.executors.extend(std::iter::repeat_n(Executor { total_cores: 0, ..one_more }, 49));
    assert_eq!(found(&evidence), [("driver_bound", Severity::Low)]);
    evidence.executors.pop();
    assert_eq!(found(&evidence), []);
    let mut local = quiet();
    local.executors[0].peak_memory_metrics = peak(1 << 40);
    assert_eq!(found(&local), [], "in local mode it is no driver alone");
}

#[test]
fn a_straggler_reads_no_more_than_others_and_is_not_of_the_first_stage() {
    let with = |stage: &mut Stage, most: f64, bytes: f64| {
        stage.submission_time = Some("2026-11-21T04:01:00.000GMT".into());
        stage.task_metrics_distributions = Some(read(json!({
            "quantiles": [0.0, 0.25, 0.5, 0.75, 1.0], "executorRunTime": [1e3, 2e3, 5e3, 6e3, most],
            "inputMetrics": {"bytesRead": [1e6, 1e6, 1e6, 1e6, bytes]},
        })));
    };
    let mut evidence = on_a_cluster();
    let mut later = evidence.stages[0].clone();
    later.stage_id = 2;
    with(&mut later, 31e3, 1e6);
    evidence.stages.push(later);
    let straggler = one(&evidence);
    assert_eq!(named(&straggler), ("configuration", Severity::Low));
    assert!(straggler.title.starts_with("Stage 2: one task takes 6.2 times as long"), "{straggler:?}");
    assert_eq!(straggler.expected, "up to 26.0 s less in that stage");

    with(&mut evidence.stages[1], 29e3, 1e6);
    assert_eq!(found(&evidence), [], "it is over soon");
    with(&mut evidence.stages[1], 31e3, 6e6);
    assert_eq!(found(&evidence), [], "it reads more");
    with(&mut evidence.stages[1], 31e3, 1e6);
    evidence.stages[1].submission_time = evidence.stages[0].submission_time.clone();
    assert_eq!(found(&evidence), [], "JVMs start slowly");
    with(&mut evidence.stages[1], 31e3, 1e6);
    set(&mut evidence, "spark.speculation", "true");
    assert_eq!(found(&evidence), []);
    let mut local = evidence.clone();
    local.environment = Some(Environment::default());
    local.executors = quiet().executors;
    assert_eq!(found(&local), [], "there is no other place to run it in");
}

#[test]
fn cached_data_on_disks_and_input_from_other_machines_are_found() {
    let mut evidence = on_a_cluster();
    evidence.executors[1].disk_used = 100 << 20;
    assert_eq!(found(&evidence), []);
    evidence.executors[2].disk_used = 1;
    assert_eq!(found(&evidence), [("plan", Severity::Moderate)]);

    let mut evidence = on_a_cluster();
    let task = |locality: &str| Task { task_locality: locality.into(), ..Task::default() };
    let tasks =
        |far: usize| (0..10).map(|at| task(if at < far { "ANY" } else { "NODE_LOCAL" })).collect::<Vec<_>>();
    evidence.tasks = vec![(1, tasks(5))];
    assert_eq!(found(&evidence), []);
    evidence.tasks = vec![(1, tasks(6))];
    assert_eq!(found(&evidence), [("plan", Severity::Low)]);
    evidence.stages[0].shuffle_read_bytes = 1;
    assert_eq!(found(&evidence), [], "a shuffle is read from everywhere");
}

#[test]
fn a_condition_as_long_as_a_list_is_found() {
    let mut evidence = quiet();
    let query = |length: usize| Sql {
        id: 7,
        plan_description: format!("(2) Filter\nCondition{}\n", "x".repeat(length)),
        ..Sql::default()
    };
    evidence.slowest = vec![query(1000)];
    assert_eq!(found(&evidence), []);
    evidence.slowest.push(query(1001));
    let long = one(&evidence);
    assert_eq!(named(&long), ("plan", Severity::Low));
    assert!(long.title.contains("1001 characters"), "{long:?}");
}

#[test]
fn a_report_says_what_is_not_known_and_cannot_be_written_by_an_application() {
    let mut evidence = quiet();
    evidence.place.app.name = "x](http://evil) ![i](y) <script>\n# h".into();
    evidence.place.attempt.completed = false;
    let why = "the history server answered 500: oops".to_owned();
    evidence.missing = vec![Missing { what: "environment".to_owned(), why }];

    let report = markdown(&evidence, &[]);

    assert!(report.contains("Not known: environment (the history server answered 500: oops)"), "{report}");
    assert!(report.contains("its driver was killed"), "{report}");
    assert!(!report.contains("](http://evil)") || report.contains("\\](http://evil)"), "{report}");
    assert!(!report.contains("<script>") && !report.contains("\n# h"), "{report}");
}
