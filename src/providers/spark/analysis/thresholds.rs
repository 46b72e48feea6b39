//! From where on something is a finding.
//!
//! Sources: DE = Dr. Elephant, DF = DataFlint UI, SA = spark-advisor-rules 0.1.21, DB = Databricks' guide to the
//! Spark UI, KF = Kubeflow's server for Spark, SP = Spark 4.3.0's own defaults; own = chosen here.

use serde::{Deserialize, Serialize};
use serde_json::Value;

const KIB: i64 = 1024;
const MIB: i64 = 1024 * KIB;
const GIB: i64 = 1024 * MIB;

/// From where on something is a finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Thresholds {
    /// Tasks from which on a stage can be skewed (SA 10; fewer tell nothing).
    pub(super) skew_tasks_min: i64,
    /// The longest task over the median one (SP, AQE: 5; SA 5 and 10).
    pub(super) skew_time_ratio: f64,
    /// The longest task, in milliseconds (DF 5 s).
    pub(super) skew_time_ms_min: f64,
    /// The largest read of a task over the median one. Slow starts of a JVM have even reads (SP, AQE: 5).
    pub(super) skew_bytes_ratio: f64,
    /// The largest read of a task, in bytes (own: SP's advisory size of a partition, 64 MiB).
    pub(super) skew_bytes_min: f64,
    /// What a stage spills from memory, in bytes (KF 100 MB; SA 0.1 and 1 GB).
    pub(super) spill_bytes: i64,
    /// From where on spill is severe, in bytes (SA 1 GB).
    pub(super) spill_bytes_severe: i64,
    /// Share of run time that goes into collecting garbage (KF 10 %; DE 8, 10, 15, 20 %).
    pub(super) gc_share: f64,
    /// From where on that is severe (DE 20 %; SA 20 %).
    pub(super) gc_share_severe: f64,
    /// Run time of a stage's tasks from which on garbage counts, in milliseconds (SA: stages over 60 s).
    pub(super) gc_run_time_ms_min: i64,
    /// Files from which on their mean size counts (own; DF 100).
    pub(super) files_min: i64,
    /// Mean size of a file below which files are small, in bytes (DF 3 MiB; SA 10 MB).
    pub(super) file_bytes: i64,
    /// Below this it is more than a nuisance, in bytes (SA 1 MB).
    pub(super) file_bytes_severe: i64,
    /// The largest read or write of a task from which on partitions are too big, in bytes (DF 5 GiB).
    pub(super) partition_bytes: f64,
    /// What partitions should be, in bytes (SA 128 MiB; SP files.maxPartitionBytes 128 MB).
    pub(super) partition_bytes_ideal: i64,
    /// Tasks from which on tiny ones count (DF 5000).
    pub(super) tiny_tasks_min: i64,
    /// The median task below which tasks are tiny, in milliseconds (DF 500 ms).
    pub(super) tiny_task_ms: f64,
    /// Run time of a stage from which on too few tasks count, in milliseconds (own).
    pub(super) few_tasks_duration_ms_min: i64,
    /// Share of failed attempts of tasks from which on failures are severe (DE 10, 30, 50 %).
    pub(super) failed_share_severe: f64,
    /// Share of cores' time without a task (DF 50 %; SA utilization under 40 and 20 %).
    pub(super) idle_share: f64,
    /// Share from which on that is severe (SA utilization under 20 %).
    pub(super) idle_share_severe: f64,
    /// How long an application must run that this counts, in milliseconds (SA 5 min).
    pub(super) idle_duration_ms_min: i64,
    /// Share of the heap in use at its peak from which on memory is short (DF, SA 95 %).
    pub(super) heap_share_high: f64,
    /// Below which it is too much (SA 40 %; DF 70 %).
    pub(super) heap_share_low: f64,
    /// Configured heap from which on too much memory is worth a word, in bytes (own).
    pub(super) heap_low_bytes_min: i64,
    /// The smaller side of a join below which it is sent to all (SP 10 MB; DF up to 100 MiB against 10 GiB).
    pub(super) broadcast_bytes: i64,
    /// The broadcast that is too large, in bytes (DF 1 GiB).
    pub(super) broadcast_bytes_max: i64,
    /// Written into shuffles by an application, in bytes (SA 50 GB).
    pub(super) shuffle_bytes: i64,
    /// Shuffle over input (SA 3).
    pub(super) shuffle_input_ratio: f64,
    /// From which shuffle on that counts, in bytes (own).
    pub(super) shuffle_bytes_min: i64,
    /// Share of a stage's run time that waits for shuffled data (own: no number was found published).
    pub(super) fetch_wait_share: f64,
    /// Run time of a stage's tasks from which on waiting counts, in milliseconds (own).
    pub(super) fetch_wait_run_time_ms_min: i64,
    /// Share of an application's time in which no job runs (own; Sparklens prints it without one).
    pub(super) driver_share: f64,
    /// How long that must be, in milliseconds (own).
    pub(super) driver_ms_min: i64,
    /// How long a stage takes that is too long, in milliseconds (DE 15, 30, 45, 60 min).
    pub(super) stage_ms: i64,
    /// Rows that a join without a condition gives (DF 10¹⁰ is critical).
    pub(super) cross_join_rows: f64,
    /// Rows from which on that is severe (DF).
    pub(super) cross_join_rows_severe: f64,
    /// The longest task of a stage with even reads from which on it is a straggler, in milliseconds (own; SP, speculation:
    /// 3 times the median).
    pub(super) straggler_ms_min: f64,
    /// Share of the driver's heap in use at its peak from which on it is short (DF 95 %).
    pub(super) driver_heap_share_high: f64,
    /// Executors from which on a driver needs more than a little memory (SA 50).
    pub(super) driver_executors: usize,
    /// What it then needs, in bytes (SA 2 GB).
    pub(super) driver_bytes_min: i64,
    /// Cached data on disks of executors, in bytes (own).
    pub(super) cache_disk_bytes: i64,
    /// Share of a stage's slowest tasks that read from other machines (own; SP locality.wait 3 s).
    pub(super) far_share: f64,
    /// Tasks from which on that counts (own).
    pub(super) far_tasks_min: usize,
    /// How long the condition of a filter is that is too long, in characters (DF 1000).
    pub(super) filter_chars: usize,
    /// Share of memory that Spark has for itself below which it is named (own; SP 0.6).
    pub(super) memory_fraction_min: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            skew_tasks_min: 10,
            skew_time_ratio: 5.0,
            skew_time_ms_min: 5_000.0,
            skew_bytes_ratio: 5.0,
            skew_bytes_min: 64.0 * 1024.0 * 1024.0,
            spill_bytes: 100 * MIB,
            spill_bytes_severe: GIB,
            gc_share: 0.10,
            gc_share_severe: 0.20,
            gc_run_time_ms_min: 60_000,
            files_min: 20,
            file_bytes: 3 * MIB,
            file_bytes_severe: MIB,
            partition_bytes: 5.0 * 1024.0 * 1024.0 * 1024.0,
            partition_bytes_ideal: 128 * MIB,
            tiny_tasks_min: 5_000,
            tiny_task_ms: 500.0,
            few_tasks_duration_ms_min: 30_000,
            failed_share_severe: 0.10,
            idle_share: 0.50,
            idle_share_severe: 0.80,
            idle_duration_ms_min: 5 * 60_000,
            heap_share_high: 0.95,
            heap_share_low: 0.40,
            heap_low_bytes_min: 4 * GIB,
            broadcast_bytes: 10 * MIB,
            broadcast_bytes_max: GIB,
            shuffle_bytes: 50 * GIB,
            shuffle_input_ratio: 3.0,
            shuffle_bytes_min: GIB,
            fetch_wait_share: 0.20,
            fetch_wait_run_time_ms_min: 60_000,
            driver_share: 0.30,
            driver_ms_min: 60_000,
            stage_ms: 15 * 60_000,
            cross_join_rows: 1e7,
            cross_join_rows_severe: 1e10,
            straggler_ms_min: 30_000.0,
            driver_heap_share_high: 0.95,
            driver_executors: 50,
            driver_bytes_min: 2 * GIB,
            cache_disk_bytes: 100 * MIB,
            far_share: 0.5,
            far_tasks_min: 10,
            filter_chars: 1_000,
            memory_fraction_min: 0.4,
        }
    }
}

impl Thresholds {
    /// Says which of them cannot be, and what could.
    pub fn check(&self) -> Result<(), String> {
        let Ok(Value::Object(all)) = serde_json::to_value(self) else { return Ok(()) };
        for (name, value) in all {
            // What is no finite number is written as null.
            let Some(number) = value.as_f64() else { return Err(format!("`{name}` must be a number")) };
            if number < 0.0 {
                return Err(format!("`{name}` must not be less than 0"));
            }
            let is_share = name.contains("share") || name.contains("fraction");
            if is_share && number > 1.0 {
                return Err(format!("`{name}` is a share, from 0 to 1"));
            }
        }
        if self.partition_bytes_ideal < 1 || self.stage_ms < 1 {
            return Err("`partition_bytes_ideal` and `stage_ms` divide, and must be 1 at least".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_that_cannot_be_are_named() {
        assert_eq!(Thresholds::default().check(), Ok(()));
        let wrong = [
            (Thresholds { gc_share: 1.5, ..Thresholds::default() }, "`gc_share` is a share, from 0 to 1"),
            (
                Thresholds { spill_bytes: -1, ..Thresholds::default() },
                "`spill_bytes` must not be less than 0",
            ),
            (
                Thresholds { skew_time_ratio: f64::NAN, ..Thresholds::default() },
                "`skew_time_ratio` must be a number",
            ),
        ];
        for (thresholds, says) in wrong {
            assert_eq!(thresholds.check(), Err(says.to_owned()));
        }
        let zero = Thresholds { stage_ms: 0, ..Thresholds::default() };
        assert!(zero.check().unwrap_err().contains("1 at least"));
    }

    #[test]
    fn each_threshold_can_be_said_by_itself_and_no_other_word() {
        let said: Thresholds = serde_json::from_str(r#"{"gc_share": 0.3, "skew_tasks_min": 20}"#).unwrap();
        assert_eq!(said, Thresholds { gc_share: 0.3, skew_tasks_min: 20, ..Thresholds::default() });
        assert!(serde_json::from_str::<Thresholds>(r#"{"gc_shar": 0.3}"#).is_err());
    }
}
