//! Joins as they were planned, and settings that explain them.

use super::{Evidence, Found, Thresholds};
use crate::model::Severity;
use crate::providers::spark::{
    shapes::{Node, Sql},
    words::size,
};

/// How many queries one finding names.
const NAMED: usize = 3;

/// Reads the total of a size as Spark writes metrics: `31.3 KiB`, or with its spread on the line after.
pub(super) fn metric_bytes(text: &str) -> Option<f64> {
    let total = text.rsplit('\n').next()?;
    let mut words = total.split_whitespace();
    let number: f64 = words.next()?.replace(',', "").parse().ok()?;
    let factor = match words.next()? {
        "B" => 1.0,
        "KiB" => 1024.0,
        "MiB" => 1024.0_f64.powi(2),
        "GiB" => 1024.0_f64.powi(3),
        "TiB" => 1024.0_f64.powi(4),
        "PiB" => 1024.0_f64.powi(5),
        _ => return None,
    };
    Some(number * factor)
}

/// Reads a number as Spark writes metrics: `3,000,000`.
pub(super) fn metric_count(text: &str) -> Option<f64> {
    text.trim().replace(',', "").parse().ok()
}

fn metric<'a>(node: &'a Node, name: &str) -> Option<&'a str> {
    node.metrics.iter().find(|metric| metric.name == name).map(|metric| metric.value.as_str())
}

/// Returns the size of what a side of a join sends through its nearest exchange.
fn side_bytes(sql: &Sql, from: i64) -> Option<f64> {
    let mut here = vec![from];
    // A plan is a tree, and no deeper than it has steps.
    for _ in 0..=sql.nodes.len() {
        let at = here.pop()?;
        let node = sql.nodes.iter().find(|node| node.node_id == at)?;
        if let Some(size) = metric(node, "data size").filter(|_| node.node_name.contains("Exchange")) {
            return metric_bytes(size);
        }
        here.extend(sql.edges.iter().filter(|edge| edge.to_id == at).map(|edge| edge.from_id));
    }
    None
}

/// Joins that sort both sides although one is small, and broadcasts that are too large.
pub(super) fn broadcast(evidence: &Evidence, limits: &Thresholds) -> Vec<Found> {
    let mut missed = Vec::new();
    let mut large = Vec::new();
    for sql in &evidence.slowest {
        for node in &sql.nodes {
            if node.node_name.contains("BroadcastExchange")
                && let Some(bytes) = metric(node, "data size").and_then(metric_bytes)
                && bytes > limits.broadcast_bytes_max as f64
            {
                large.push((sql, bytes));
            }
            if !matches!(node.node_name.trim(), "SortMergeJoin" | "ShuffledHashJoin") {
                continue;
            }
            let sides: Vec<f64> = sql
                .edges
                .iter()
                .filter(|edge| edge.to_id == node.node_id)
                .filter_map(|edge| side_bytes(sql, edge.from_id))
                .collect();
            if let [one, other] = sides.as_slice()
                && one.min(*other) < limits.broadcast_bytes as f64
                && one.max(*other) > limits.broadcast_bytes as f64
            {
                missed.push((sql, one.min(*other), one.max(*other)));
            }
        }
    }
    let mut found = Vec::new();
    if let Some((first, small, _)) = missed.first() {
        let facts = missed.iter().take(NAMED).map(|(sql, small, large)| {
            let value = format!("{} and {}", size(*small), size(*large));
            evidence.of_query(sql, format!("Sides of a sorted join in query {}", sql.id), value)
        });
        let mut facts: Vec<_> = facts.collect();
        let threshold = evidence.setting("spark.sql.autoBroadcastJoinThreshold");
        let mut change = Vec::new();
        if let Some(value) = threshold {
            facts.push(evidence.of_page("environment", "spark.sql.autoBroadcastJoinThreshold", value));
            change.push("Leave spark.sql.autoBroadcastJoinThreshold at its default, 10MB".to_owned());
        }
        change.push(
            "Or say it in the query: large.join(broadcast(small), key), or the hint /*+ BROADCAST(small) */"
                .to_owned(),
        );
        change.push(
            "Compute statistics of tables (ANALYZE TABLE … COMPUTE STATISTICS), so that Spark knows sizes"
                .to_owned(),
        );
        let saved: f64 = missed.iter().map(|(_, _, large)| large).sum();
        found.push(Found {
            severity: Severity::Moderate,
            title: format!("Query {} sorts both sides of a join, one of {} only", first.id, size(*small)),
            evidence: facts,
            why: "A small side can be sent to all executors; the large one then needs no shuffle and no sort.",
            change,
            expected: format!("{} less through shuffles", size(saved)),
            estimated: "the data size of the larger sides' exchanges",
        });
    }
    if let Some((first, bytes)) = large.first() {
        found.push(Found {
            severity: Severity::Severe,
            title: format!("Query {} sends {} to every executor", first.id, size(*bytes)),
            evidence: vec![evidence.of_query(
                first,
                format!("Broadcast in query {}", first.id),
                size(*bytes),
            )],
            why: "A broadcast passes through the driver and lies in the memory of each executor.",
            change: vec![
                "Lower spark.sql.autoBroadcastJoinThreshold, or take the hint out of the query".into(),
            ],
            expected: "memory of the driver and of each executor".into(),
            estimated: "the data size of the broadcast",
        });
    }
    found
}

/// Joins without a condition that could be looked up.
pub(super) fn cross_joins(evidence: &Evidence, limits: &Thresholds) -> Vec<Found> {
    let joins = evidence.slowest.iter().flat_map(|sql| sql.nodes.iter().map(move |node| (sql, node)));
    let rows = joins.filter_map(|(sql, node)| {
        let is_cross =
            ["BroadcastNestedLoopJoin", "CartesianProduct"].iter().any(|name| node.node_name.contains(name));
        let rows = metric(node, "number of output rows").and_then(metric_count)?;
        (is_cross && rows > limits.cross_join_rows).then_some((sql, node, rows))
    });
    rows.map(|(sql, node, rows)| Found {
        severity: if rows > limits.cross_join_rows_severe { Severity::Critical } else { Severity::Moderate },
        title: format!("Query {} joins every row with every row", sql.id),
        evidence: vec![evidence.of_query(
            sql,
            format!("Rows out of {} in query {}", node.node_name, sql.id),
            metric(node, "number of output rows").unwrap_or_default(),
        )],
        why: "The work grows with the product of both sides.",
        change: vec![
            "Join by an equality where there is one; a range can be joined by buckets of the value".into(),
        ],
        expected: format!("{rows:.0} rows less to make and to test"),
        estimated: "rows out of the join; what a condition would leave is not known",
    })
    .collect()
}

/// Filters whose condition is a list that somebody wrote out.
pub(super) fn long_filters(evidence: &Evidence, limits: &Thresholds) -> Vec<Found> {
    let conditions = evidence.slowest.iter().flat_map(|sql| {
        let lines = sql.plan_description.lines().filter_map(|line| line.trim().strip_prefix("Condition"));
        lines.map(move |condition| (sql, condition.chars().count()))
    });
    let longest =
        conditions.max_by_key(|(_, length)| *length).filter(|(_, length)| *length > limits.filter_chars);
    let found = longest.map(|(sql, length)| Found {
        severity: Severity::Low,
        title: format!("Query {} filters by a condition of {length} characters", sql.id),
        evidence: vec![evidence.of_query(
            sql,
            format!("Condition in query {}", sql.id),
            format!("{length} characters"),
        )],
        why: "A condition is planned, compiled and tried on each row as it stands.",
        change: vec![
            "Put the values into a table and join with it, sent to all: rows.join(broadcast(values), key)"
                .into(),
        ],
        expected: "less to plan and to compile, and one lookup in place of many comparisons".into(),
        estimated: "not estimated in time",
    });
    found.into_iter().collect()
}

/// Settings that make applications slower than Spark's own defaults would.
pub(super) fn configuration(evidence: &Evidence, _: &Thresholds) -> Vec<Found> {
    if evidence.environment.is_none() {
        return Vec::new();
    }
    let mut settings: Vec<(&str, String, &str)> = Vec::new();
    let mut severity = Severity::Low;
    let uses_sql = !evidence.queries.is_empty();
    if uses_sql && !evidence.is_on("spark.sql.adaptive.enabled", true) {
        let change =
            "spark.sql.adaptive.enabled=true: plans then adapt to the sizes that are seen, skew included";
        settings.push(("spark.sql.adaptive.enabled", "false".to_owned(), change));
        severity = Severity::Moderate;
    }
    if uses_sql
        && let Some(value) =
            evidence.setting("spark.sql.autoBroadcastJoinThreshold").filter(|value| value.trim() == "-1")
    {
        let change = "spark.sql.autoBroadcastJoinThreshold=10MB: small sides of joins are then sent to all";
        settings.push(("spark.sql.autoBroadcastJoinThreshold", value.to_owned(), change));
    }
    let dynamic = evidence.is_on("spark.dynamicAllocation.enabled", false);
    if dynamic && evidence.setting("spark.dynamicAllocation.maxExecutors").is_none() {
        let change = "spark.dynamicAllocation.maxExecutors: a bound, so that one query does not take the whole cluster";
        settings.push(("spark.dynamicAllocation.maxExecutors", "not set".to_owned(), change));
    }
    let uses_rdds =
        evidence.queries.is_empty() && evidence.ran().any(|stage| stage.shuffle_write_bytes > 1 << 30);
    if uses_rdds && evidence.setting("spark.serializer").is_none() {
        let change =
            "spark.serializer=org.apache.spark.serializer.KryoSerializer: RDDs are then smaller in shuffles";
        settings.push(("spark.serializer", "not set: Java's".to_owned(), change));
    }
    if settings.is_empty() {
        return Vec::new();
    }
    let names: Vec<&str> = settings.iter().map(|(name, ..)| *name).collect();
    vec![Found {
        severity,
        title: format!("Settings that cost time: {}", names.join(", ")),
        evidence: settings
            .iter()
            .map(|(name, value, _)| evidence.of_page("environment", *name, value.clone()))
            .collect(),
        why: "Spark's defaults since version 3.2 adapt plans while they run; these settings keep it from doing so, or from staying in bounds.",
        change: settings.iter().map(|(_, _, change)| format!("Set {change}")).collect(),
        expected: "as the findings about skew, joins and partitions say, where there are any".into(),
        estimated: "not estimated by itself",
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_read_as_spark_writes_them() {
        let spread = "total (min, med, max (stageId: taskId))\n31.3 KiB (15.6 KiB, 15.6 KiB, 15.6 KiB (stage 1.0: task 2))";
        assert_eq!(metric_bytes(spread), Some(31.3 * 1024.0));
        assert_eq!(metric_bytes("1180.0 B"), Some(1180.0));
        assert_eq!((metric_bytes("soon"), metric_count("3,000,000")), (None, Some(3e6)));
    }
}
