//! What ran, and what runs.

use super::{Arguments, Client, LENGTH_MAX, Result};
use crate::providers::spark::{
    client::Query,
    shapes::{Application, Attempt},
    words::Row,
};

/// How many applications are listed unless more are asked for.
const LENGTH: usize = 25;

pub(super) async fn list(client: &Client, given: &Arguments) -> Result<Row> {
    if let Some(id) = given.text("app_id") {
        let place = client.place(&id, None).await?;
        return Ok(Row::new("applications", vec![application(&place.app).finish()]));
    }
    let length = given.length("limit", LENGTH, LENGTH_MAX);
    // One more than is shown tells whether there are more.
    let limit = (length + 1).to_string();
    let dates = ["min_date", "max_date", "min_end_date", "max_end_date"].map(|name| (name, given.text(name)));
    let states: Vec<String> = given.states("status").iter().map(|state| state.to_lowercase()).collect();
    let mut query: Vec<(&str, &str)> = vec![("limit", &limit)];
    for (name, date) in &dates {
        let theirs = match *name {
            "min_date" => "minDate",
            "max_date" => "maxDate",
            "min_end_date" => "minEndDate",
            _ => "maxEndDate",
        };
        query.extend(date.as_deref().map(|date| (theirs, date)));
    }
    query.extend(states.iter().map(|state| ("status", state.as_str())));
    let query: Query<'_> = &query;
    let found: Vec<Application> = client.get(&["applications"], query).await?;
    let more = (found.len() > length).then(|| {
        let last = found.get(length - 1).and_then(|app| app.attempts.first());
        let before = last.map_or_else(String::new, |attempt| format!(", or max_date={}", attempt.start_time));
        format!("there are more: limit={}{before}", (length * 2).min(LENGTH_MAX))
    });
    let shown: Vec<_> = found.iter().take(length).map(|app| application(app).finish()).collect();
    Ok(Row::new("applications", shown).maybe("more", more))
}

fn application(app: &Application) -> Row {
    let row = Row::new("id", app.id.clone()).set("name", app.name.clone());
    match app.attempts.as_slice() {
        [one] if one.attempt_id.is_none() => attempt(row, one),
        attempts => {
            let draw = |one: &Attempt| {
                attempt(Row::default().maybe("attempt_id", one.attempt_id.clone()), one).finish()
            };
            row.set("attempts", attempts.iter().map(draw).collect::<Vec<_>>())
        }
    }
}

fn attempt(row: Row, attempt: &Attempt) -> Row {
    let row = row.set("completed", attempt.completed).text("started", &attempt.start_time);
    let row = match attempt.duration_ms() {
        Some(ms) => row.text("ended", &attempt.end_time).time("duration", ms),
        None => row.set("note", "runs, or its driver was killed: the history server has seen no end"),
    };
    row.text("user", &attempt.spark_user).text("spark", &attempt.app_spark_version)
}
