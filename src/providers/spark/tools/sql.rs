//! SQL queries, their plans and what was measured of each step.

use std::cmp::Reverse;

use serde_json::Value;

use super::{
    Arguments, Client, Place, Result, about,
    compare::{Side, differences},
    jobs, place, stages,
};
use crate::providers::spark::{
    arguments::wrong,
    shapes::{Sql, Stage},
    words::{Row, cut},
};

/// How many queries are listed unless more are asked for.
const LENGTH: usize = 20;
/// How many queries are asked for at a time.
pub(super) const PAGE: usize = 100;
/// How many pages of queries are read.
const PAGES_MAX: usize = 50;
/// How much of a plan is told unless more is asked for, in characters.
const PLAN: usize = 4000;
const PLAN_MAX: usize = 60_000;
/// How many steps are told with their metrics.
const STEPS_MAX: usize = 60;
/// How many lines of the difference of two plans are told.
const LINES_MAX: usize = 120;

/// Returns every query of an application without its steps, page by page.
pub(in crate::providers::spark) async fn all(
    client: &Client,
    place: &Place,
    page: usize,
) -> Result<Vec<Sql>> {
    let mut found: Vec<Sql> = Vec::new();
    for _ in 0..PAGES_MAX {
        let (offset, length) = (found.len().to_string(), page.to_string());
        let query =
            [("details", "false"), ("planDescription", "false"), ("offset", &offset), ("length", &length)];
        let next: Vec<Sql> = client.of(place, &["sql"], &query).await?;
        let is_last = next.len() < page;
        found.extend(next);
        if is_last {
            break;
        }
    }
    Ok(found)
}

pub(in crate::providers::spark) async fn one(
    client: &Client,
    place: &Place,
    id: i64,
    plan: bool,
) -> Result<Sql> {
    let query = [("details", "true"), ("planDescription", if plan { "true" } else { "false" })];
    client.of(place, &["sql", &id.to_string()], &query).await
}

pub(super) async fn list(client: &Client, given: &Arguments) -> Result<Row> {
    let place = place(client, given).await?;
    let mut found = all(client, &place, given.length("page_size", PAGE, PAGE * 10)).await?;
    let total = found.len();
    let status = given.text("status").map(|status| status.to_uppercase());
    let words = given.text("description").map(|words| words.to_lowercase());
    found.retain(|sql| {
        status.as_ref().is_none_or(|status| sql.status == *status)
            && words.as_ref().is_none_or(|words| sql.description.to_lowercase().contains(words.as_str()))
    });
    match given.text("sort_by").as_deref().map(|by| by.trim_start_matches('-')) {
        None | Some("duration") => found.sort_by_key(|sql| Reverse(sql.duration)),
        Some("id" | "execution_id") => found.sort_by_key(|sql| sql.id),
        Some(_) => return Err(wrong("`sort_by` must be duration or id")),
    }
    let limit = given.length("limit", LENGTH, super::LENGTH_MAX);
    let more = (found.len() > limit)
        .then(|| format!("{} more: raise limit, or choose by status or description", found.len() - limit));
    let shown: Vec<Value> = found.iter().take(limit).map(|sql| execution(sql).finish()).collect();
    Ok(about(&place).set("total", total).set("executions", shown).maybe("more", more))
}

fn execution(sql: &Sql) -> Row {
    let jobs: Vec<i64> = [&sql.running_job_ids, &sql.success_job_ids, &sql.failed_job_ids]
        .into_iter()
        .flatten()
        .copied()
        .collect();
    let row = Row::new("id", sql.id)
        .set("status", sql.status.clone())
        .text("description", &cut(&sql.description, 200))
        .maybe("submitted", sql.submission_time.clone())
        .time("duration", sql.duration)
        .set("job_ids", jobs)
        .maybe(
            "error",
            sql.error_message.as_deref().map(stages::error_words).filter(|text| !text.is_empty()),
        );
    if sql.failed_job_ids.is_empty() { row } else { row.set("failed_job_ids", sql.failed_job_ids.clone()) }
}

pub(super) async fn get(client: &Client, given: &Arguments) -> Result<Row> {
    let place = place(client, given).await?;
    let id = given.number("execution_id").unwrap_or_default();
    let wants_plan = given.is_not_unset("include_plan") || given.is_set("include_initial_plan");
    let sql = one(client, &place, id, wants_plan).await?;
    let length = given.length("plan_max_length", PLAN, PLAN_MAX);
    let mut row = execution(&sql);
    if wants_plan {
        let (last, initial) = plans(&sql.plan_description);
        if given.is_not_unset("include_plan") {
            row = row.text("plan", &cut(last, length));
        }
        if given.is_set("include_initial_plan") {
            row = row.maybe("initial_plan", initial.map(|plan| cut(plan, length)));
        }
    }
    if given.is_set("include_aggregated_metrics") {
        let (shown, more) = steps(&sql);
        row = row.set("steps", shown).maybe("more_steps", more);
    }
    if given.is_set("include_stages") {
        let of_it = stages_of(client, &place, &sql).await?;
        row = row.set("stages", of_it.iter().map(|stage| stages::stage(stage).finish()).collect::<Vec<_>>());
    }
    Ok(about(&place).set("execution", row.finish()))
}

/// Returns the stages of a query's jobs.
pub(super) async fn stages_of(client: &Client, place: &Place, sql: &Sql) -> Result<Vec<Stage>> {
    let (jobs, mut found) = futures::try_join!(jobs::all(client, place), stages::all(client, place, false))?;
    let ids: Vec<i64> =
        jobs.iter().filter(|job| job.is_of(sql)).flat_map(|job| job.stage_ids.iter().copied()).collect();
    found.retain(|stage| ids.contains(&stage.stage_id) && stage.status != "SKIPPED");
    found.sort_by_key(|stage| stage.stage_id);
    Ok(found)
}

/// Parts a plan into the one that ran and the one before it was adapted, if both are told.
fn plans(text: &str) -> (&str, Option<&str>) {
    let text = text.trim();
    match text.find("== Initial Plan ==") {
        None => (text, None),
        Some(at) => {
            let initial = text[at..].trim();
            // The details of the steps follow the second of the two trees.
            (text, Some(initial.split("\n\n\n").next().unwrap_or(initial)))
        }
    }
}

fn steps(sql: &Sql) -> (Vec<Value>, Option<String>) {
    let measured: Vec<_> = sql.nodes.iter().filter(|node| !node.metrics.is_empty()).collect();
    let draw = |node: &&crate::providers::spark::shapes::Node| {
        let metrics = node
            .metrics
            .iter()
            .fold(Row::default(), |row, metric| row.set(&metric.name, total_of(&metric.value)));
        Row::new("id", node.node_id)
            .set("step", node.node_name.clone())
            .set("metrics", metrics.finish())
            .finish()
    };
    let more = (measured.len() > STEPS_MAX).then(|| format!("{} more steps", measured.len() - STEPS_MAX));
    (measured.iter().take(STEPS_MAX).map(draw).collect(), more)
}

/// Returns the total of a metric that is written as `total (min, med, max …)\n12.8 s (71 ms, …)`, or
/// the whole text of one that is not.
fn total_of(text: &str) -> String {
    let Some((_, rest)) = text.split_once('\n') else { return text.to_owned() };
    let spread = rest.split_once(" (stage").map_or(rest, |(spread, _)| spread);
    format!("{}{}", spread, if spread.contains('(') && !spread.ends_with(')') { ")" } else { "" })
}

pub(super) async fn compare(client: &Client, given: &Arguments) -> Result<Row> {
    let (one, other) = (given.required("app_id1"), given.required("app_id2"));
    let (one, other) = futures::try_join!(client.place(&one, None), client.place(&other, None))?;
    let (first, second) = futures::try_join!(
        chosen(client, &one, given.number("execution_id1")),
        chosen(client, &other, given.number("execution_id2"))
    )?;
    let (stages_1, stages_2) =
        futures::try_join!(stages_of(client, &one, &first), stages_of(client, &other, &second))?;
    let mut side_1 = Side::of_stages(&stages_1);
    let mut side_2 = Side::of_stages(&stages_2);
    side_1.put("duration_ms", first.duration);
    side_2.put("duration_ms", second.duration);
    let row = Row::new("execution_1", execution(&first).finish())
        .set("execution_2", execution(&second).finish())
        .set("differences", differences(&side_1, &side_2));
    if !given.is_set("include_plan_diff") {
        return Ok(row);
    }
    Ok(row.set(
        "plan_diff",
        plan_difference(plans(&first.plan_description).0, plans(&second.plan_description).0),
    ))
}

async fn chosen(client: &Client, place: &Place, id: Option<i64>) -> Result<Sql> {
    let id = match id {
        Some(id) => id,
        None => {
            let slowest = all(client, place, PAGE).await?.into_iter().max_by_key(|sql| sql.duration);
            slowest.ok_or_else(|| wrong(format!("application {} ran no SQL", place.app.id)))?.id
        }
    };
    one(client, place, id, true).await
}

/// Tells the steps of two plans that only one of them has, by name and without numbers.
fn plan_difference(one: &str, other: &str) -> Vec<String> {
    let steps = |plan: &str| -> Vec<String> {
        let tree = plan.split("\n\n\n").next().unwrap_or(plan).lines();
        let step = |line: &str| {
            let name = line.trim_start_matches(|letter: char| " :+-*".contains(letter));
            name.split(" (").next().unwrap_or(name).trim().to_owned()
        };
        tree.map(step).filter(|line| !line.is_empty() && !line.starts_with("==")).collect()
    };
    let (first, mut second) = (steps(one), steps(other));
    let mut told = Vec::new();
    for step in first {
        match second.iter().position(|theirs| *theirs == step) {
            Some(at) => drop(second.remove(at)),
            None => told.push(format!("- {step}")),
        }
    }
    told.extend(second.into_iter().map(|step| format!("+ {step}")));
    told.truncate(LINES_MAX);
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_keeps_its_total_and_spread() {
        let text =
            "total (min, med, max (stageId: taskId))\n12.8 s (71 ms, 192 ms, 9.7 s (stage 2.0: task 5))";
        assert_eq!(total_of(text), "12.8 s (71 ms, 192 ms, 9.7 s)");
        assert_eq!(total_of("1,000"), "1,000");
    }

    #[test]
    fn a_plan_that_was_adapted_has_two_trees() {
        let text = "== Physical Plan ==\nA (1)\n+- == Final Plan ==\n   B (2)\n+- == Initial Plan ==\n   C (3)\n\n\n(1) A\n";
        assert_eq!(plans(text).1, Some("== Initial Plan ==\n   C (3)"));
        assert_eq!(plans("A (1)"), ("A (1)", None));
    }

    #[test]
    fn plans_differ_by_their_steps() {
        let one = "== Physical Plan ==\n* Sort (2)\n+- SortMergeJoin Inner (1)\n   :- Range (3)\n\n\n(1) x";
        let other =
            "== Physical Plan ==\n* Sort (9)\n+- BroadcastHashJoin Inner BuildRight (1)\n   :- Range (3)";
        let told = plan_difference(one, other);
        assert_eq!(told, ["- SortMergeJoin Inner", "+ BroadcastHashJoin Inner BuildRight"]);
    }
}
