//! What a history server answers, as far as it is used (Spark's `/api/v1`, seen with 4.3.0).
//!
//! Members that older or newer servers leave out are zero or empty.

use serde::{Deserialize, Serialize};

use super::words::between_ms;

/// Makes shapes whose members are named as the server names them and may be absent.
macro_rules! shapes {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        pub struct $name { $($(#[$field_doc])* pub $field: $kind,)* }
    )*};
}

shapes! {
    /// The answer to `/version`.
    Version { spark: String, }

    /// An application.
    Application { id: String, name: String, attempts: Vec<Attempt>, }

    /// A run of an application.
    Attempt {
        attempt_id: Option<String>,
        start_time: String,
        end_time: String,
        start_time_epoch: i64,
        end_time_epoch: i64,
        /// Milliseconds; zero while it runs, and of one that was killed.
        duration: i64,
        spark_user: String,
        completed: bool,
        app_spark_version: String,
    }

    /// A job.
    Job {
        job_id: i64,
        name: String,
        description: Option<String>,
        submission_time: Option<String>,
        completion_time: Option<String>,
        stage_ids: Vec<i64>,
        status: String,
        num_tasks: i64,
        num_completed_tasks: i64,
        num_skipped_tasks: i64,
        num_failed_tasks: i64,
        num_killed_tasks: i64,
        num_completed_stages: i64,
        num_skipped_stages: i64,
        num_failed_stages: i64,
    }

    /// An attempt of a stage.
    Stage {
        stage_id: i64,
        attempt_id: i64,
        status: String,
        name: String,
        num_tasks: i64,
        num_complete_tasks: i64,
        num_failed_tasks: i64,
        num_killed_tasks: i64,
        submission_time: Option<String>,
        completion_time: Option<String>,
        failure_reason: Option<String>,
        executor_run_time: i64,
        /// Nanoseconds.
        executor_cpu_time: i64,
        jvm_gc_time: i64,
        memory_bytes_spilled: i64,
        disk_bytes_spilled: i64,
        peak_execution_memory: i64,
        input_bytes: i64,
        input_records: i64,
        output_bytes: i64,
        output_records: i64,
        shuffle_read_bytes: i64,
        shuffle_read_records: i64,
        shuffle_write_bytes: i64,
        shuffle_write_records: i64,
        /// Milliseconds.
        shuffle_fetch_wait_time: i64,
        scheduling_pool: String,
        task_metrics_distributions: Option<Distributions>,
    }

    /// How a stage's tasks are spread, one number for each of `quantiles`.
    Distributions {
        quantiles: Vec<f64>,
        duration: Vec<f64>,
        executor_run_time: Vec<f64>,
        jvm_gc_time: Vec<f64>,
        scheduler_delay: Vec<f64>,
        peak_execution_memory: Vec<f64>,
        memory_bytes_spilled: Vec<f64>,
        disk_bytes_spilled: Vec<f64>,
        input_metrics: ReadDistributions,
        output_metrics: WriteDistributions,
        shuffle_read_metrics: ShuffleReadDistributions,
        shuffle_write_metrics: ShuffleWriteDistributions,
    }

    /// What tasks read.
    ReadDistributions { bytes_read: Vec<f64>, records_read: Vec<f64>, }

    /// What tasks write.
    WriteDistributions { bytes_written: Vec<f64>, records_written: Vec<f64>, }

    /// What tasks read of a shuffle.
    ShuffleReadDistributions { read_bytes: Vec<f64>, read_records: Vec<f64>, fetch_wait_time: Vec<f64>, }

    /// What tasks write into a shuffle.
    ShuffleWriteDistributions { write_bytes: Vec<f64>, write_records: Vec<f64>, }

    /// An attempt of a task.
    Task {
        task_id: i64,
        index: i64,
        attempt: i64,
        launch_time: Option<String>,
        duration: Option<i64>,
        executor_id: String,
        host: String,
        status: String,
        task_locality: String,
        speculative: bool,
        error_message: Option<String>,
    }

    /// An executor, or the driver.
    Executor {
        id: String,
        host_port: String,
        is_active: bool,
        rdd_blocks: i64,
        memory_used: i64,
        disk_used: i64,
        total_cores: i64,
        max_tasks: i64,
        active_tasks: i64,
        failed_tasks: i64,
        completed_tasks: i64,
        total_tasks: i64,
        /// Milliseconds, of all tasks together.
        total_duration: i64,
        #[serde(rename = "totalGCTime")]
        total_gc_time: i64,
        total_input_bytes: i64,
        total_shuffle_read: i64,
        total_shuffle_write: i64,
        max_memory: i64,
        add_time: Option<String>,
        remove_time: Option<String>,
        remove_reason: Option<String>,
        peak_memory_metrics: Option<PeakMemory>,
        is_excluded: bool,
    }

    /// The most memory that an executor was seen to use, in bytes.
    PeakMemory {
        #[serde(rename = "JVMHeapMemory")]
        jvm_heap_memory: i64,
        #[serde(rename = "JVMOffHeapMemory")]
        jvm_off_heap_memory: i64,
        #[serde(rename = "OnHeapExecutionMemory")]
        on_heap_execution_memory: i64,
        #[serde(rename = "OnHeapStorageMemory")]
        on_heap_storage_memory: i64,
        #[serde(rename = "ProcessTreeJVMRSSMemory")]
        process_tree_jvm_rss_memory: i64,
        #[serde(rename = "ProcessTreePythonRSSMemory")]
        process_tree_python_rss_memory: i64,
    }

    /// The settings that an application ran with.
    Environment {
        runtime: Runtime,
        spark_properties: Vec<(String, String)>,
        hadoop_properties: Vec<(String, String)>,
        system_properties: Vec<(String, String)>,
        metrics_properties: Vec<(String, String)>,
        classpath_entries: Vec<(String, String)>,
    }

    /// What an application ran on.
    Runtime { java_version: String, scala_version: String, }

    /// An execution of a query.
    Sql {
        id: i64,
        status: String,
        description: String,
        plan_description: String,
        submission_time: Option<String>,
        duration: i64,
        running_job_ids: Vec<i64>,
        success_job_ids: Vec<i64>,
        failed_job_ids: Vec<i64>,
        nodes: Vec<Node>,
        edges: Vec<Edge>,
        error_message: Option<String>,
    }

    /// A step of a query's plan.
    Node { node_id: i64, node_name: String, metrics: Vec<Metric>, }

    /// What was measured of a step, as text: `1,000`, `12.3 MiB`.
    Metric { name: String, value: String, }

    /// Which step feeds which.
    Edge { from_id: i64, to_id: i64, }

    /// A thread of an executor.
    Thread {
        thread_id: i64,
        thread_name: String,
        thread_state: String,
        stack_trace: StackTrace,
        blocked_by_lock: Option<serde_json::Value>,
        blocked_by_thread_id: Option<i64>,
    }

    /// Where a thread is.
    StackTrace { elems: Vec<String>, }
}

impl Attempt {
    /// Returns how long it took; `None` while it runs, and of one that was killed.
    pub fn duration_ms(&self) -> Option<i64> {
        (self.completed && self.end_time_epoch > 0).then_some(self.duration)
    }
}

impl Job {
    /// Returns how long it took; `None` if it has not ended.
    pub fn duration_ms(&self) -> Option<i64> {
        between_ms(self.submission_time.as_deref(), self.completion_time.as_deref())
    }

    /// Says whether a query has started it.
    pub fn is_of(&self, sql: &Sql) -> bool {
        [&sql.running_job_ids, &sql.success_job_ids, &sql.failed_job_ids]
            .iter()
            .any(|ids| ids.contains(&self.job_id))
    }
}

impl Stage {
    /// Returns how long it took by the clock; `None` if it has not ended.
    pub fn duration_ms(&self) -> Option<i64> {
        between_ms(self.submission_time.as_deref(), self.completion_time.as_deref())
    }
}

impl Executor {
    /// Returns how many tasks it runs at the same time.
    pub fn slots(&self) -> i64 {
        self.max_tasks.max(self.total_cores)
    }

    /// Says whether it is the driver, which runs tasks in local mode only.
    pub fn is_driver(&self) -> bool {
        self.id == "driver"
    }
}
