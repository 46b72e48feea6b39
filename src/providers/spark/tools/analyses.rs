//! What is wrong with applications, and what got better or worse between two.

use serde_json::{Value, json};

use super::{
    Arguments, Client, Place, Result, Told, about,
    compare::{differences, whole},
    place,
};
use crate::{
    model::{AnalysisId, AnalysisReport, Finding, Missing, Severity},
    providers::spark::{
        SparkError,
        analysis::{self, Evidence, Thresholds},
        arguments::wrong,
        words::Row,
    },
};

async fn analysed(client: &Client, limits: &Thresholds, place: &Place) -> Result<(Evidence, Vec<Finding>)> {
    let attempt = place.attempt.attempt_id.as_deref();
    let reading = Box::pin(analysis::gather(client, &place.app.id, attempt)).await?;
    let late =
        || SparkError::Argument("the history server did not say in time what the application is".to_owned());
    reading.evidence(limits).ok_or_else(late)
}

/// Writes findings, and what could not be looked at.
fn drawn<'a>(row: Row, missing: &[Missing], findings: impl IntoIterator<Item = &'a Finding>) -> Row {
    let missing: Vec<String> =
        missing.iter().map(|missing| format!("{}: {}", missing.what, missing.why)).collect();
    row.set("findings", findings.into_iter().map(|finding| json!(finding)).collect::<Vec<Value>>())
        .maybe("missing", (!missing.is_empty()).then_some(missing))
}

/// Tells what an analysis that was kept under this name found.
pub(in crate::providers::spark) fn analyzed(kept: AnalysisId, report: &AnalysisReport, text: String) -> Told {
    let application = &report.application;
    let row = Row::new("app_id", application.id.clone())
        .maybe("app_attempt_id", application.attempt.clone())
        .maybe("completed", (!application.is_completed).then_some(false))
        .set("name", application.name.clone())
        .time("duration", report.totals.duration_ms)
        .set("analysis", kept.to_string());
    Told { facts: drawn(row, &report.missing, &report.findings).finish(), text: Some(text) }
}

pub(super) async fn list(client: &Client, limits: &Thresholds, given: &Arguments) -> Result<Row> {
    let least = match given.text("severity") {
        None => Severity::Low,
        Some(word) => Severity::from_word(&word.to_lowercase())
            .ok_or_else(|| wrong("`severity` must be low, moderate, severe or critical"))?,
    };
    let kind = given.text("kind");
    if let Some(kind) = &kind
        && !analysis::kinds().contains(&kind.as_str())
    {
        return Err(wrong(format!("`kind` must be one of {}", analysis::kinds().join(", "))));
    }
    let (evidence, findings) = analysed(client, limits, &place(client, given).await?).await?;
    let is_chosen = |finding: &&Finding| {
        finding.severity >= least && kind.as_deref().is_none_or(|kind| kind == finding.kind)
    };
    Ok(drawn(about(&evidence.place), &evidence.missing, findings.iter().filter(is_chosen)))
}

pub(super) async fn compare(client: &Client, limits: &Thresholds, given: &Arguments) -> Result<Row> {
    let (one, other) = (given.required("app_a"), given.required("app_b"));
    let (one, other) = futures::try_join!(client.place(&one, None), client.place(&other, None))?;
    let (side_1, side_2) = futures::try_join!(whole(client, &one), whole(client, &other))?;
    let ((first, before), (second, after)) =
        futures::try_join!(analysed(client, limits, &one), analysed(client, limits, &other))?;
    let brief = |finding: &Finding| {
        Row::new("kind", finding.kind.clone())
            .set("severity", finding.severity.word())
            .set("title", finding.title.clone())
            .finish()
    };
    // Stages have other numbers in another run, so findings are told apart by their kind.
    let worst =
        |all: &[Finding], kind: &str| all.iter().filter(|one| one.kind == kind).map(|one| one.severity).max();
    let (mut better, mut worse, mut same) = (Vec::new(), Vec::new(), Vec::new());
    for kind in analysis::kinds() {
        let (was, is) = (worst(&before, kind), worst(&after, kind));
        let of_kind =
            |all: &[Finding]| all.iter().filter(|one| one.kind == kind).map(brief).collect::<Vec<_>>();
        match was.cmp(&is) {
            std::cmp::Ordering::Greater => better.extend(of_kind(&before)),
            std::cmp::Ordering::Less => worse.extend(of_kind(&after)),
            std::cmp::Ordering::Equal => same.extend(of_kind(&after)),
        }
    }
    let missing: Vec<String> = first
        .missing
        .iter()
        .chain(&second.missing)
        .map(|missing| format!("{}: {}", missing.what, missing.why))
        .collect();
    Ok(Row::new("app_a", about(&first.place).set("name", first.place.app.name.clone()).finish())
        .set("app_b", about(&second.place).set("name", second.place.app.name.clone()).finish())
        .set("differences", differences(&side_1, &side_2))
        .set("better", better)
        .set("worse", worse)
        .set("same", same)
        .maybe("missing", (!missing.is_empty()).then_some(missing)))
}
