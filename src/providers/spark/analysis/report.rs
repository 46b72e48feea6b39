//! A readable report made from findings, by a template: the same evidence gives the same words.

use std::fmt::Write as _;

use super::Evidence;
use crate::{
    model::{Finding, Severity},
    providers::spark::words::{counted, duration, size},
};

/// Writes the report as Markdown.
pub(in crate::providers::spark) fn markdown(evidence: &Evidence, findings: &[Finding]) -> String {
    let mut out = String::new();
    let app = &evidence.place.app;
    let _ = write!(out, "# {} (`{}`", escaped(&app.name), app.id);
    if let Some(attempt) = &evidence.place.attempt.attempt_id {
        let _ = write!(out, ", attempt {attempt} of {}", app.attempts.len());
    }
    let _ = writeln!(out, ")\n");
    let _ = writeln!(out, "{}\n", summary(evidence, findings));
    if !evidence.place.attempt.completed {
        let _ = writeln!(
            out,
            "The history server has seen no end of it: it runs, or its driver was killed. Times are as far as was heard of it.\n"
        );
    }
    for missing in &evidence.missing {
        let (what, why) = (&missing.what, escaped(&missing.why));
        let _ = writeln!(out, "Not known: {what} ({why}). Findings that need it are missing.\n");
    }
    for (number, finding) in findings.iter().enumerate() {
        section(&mut out, number + 1, finding);
    }
    out
}

/// Says in a few sentences what ran and what is wrong with it.
fn summary(evidence: &Evidence, findings: &[Finding]) -> String {
    let ran: Vec<_> = evidence.stages.iter().filter(|stage| stage.status != "SKIPPED").collect();
    let sum =
        |of: fn(&super::super::shapes::Stage) -> i64| ran.iter().map(|stage| of(stage)).sum::<i64>() as f64;
    let mut words = format!(
        "It took {} with {}, {} and {}; tasks ran {} in all, read {} and moved {} through shuffles.",
        duration(evidence.duration_ms() as f64),
        counted(evidence.jobs.len(), "job"),
        counted(ran.len(), "stage"),
        counted(usize::try_from(evidence.slots()).unwrap_or_default(), "core"),
        duration(sum(|stage| stage.executor_run_time)),
        size(sum(|stage| stage.input_bytes)),
        size(sum(|stage| stage.shuffle_write_bytes)),
    );
    let grave = findings.iter().filter(|finding| finding.severity >= Severity::Severe).count();
    let _ = match (findings.first(), grave) {
        (None, _) => write!(words, " Nothing stands out by the rules."),
        (Some(first), 0) => {
            write!(words, " {}, none severe. First: {}.", counted(findings.len(), "finding"), first.title)
        }
        (Some(first), grave) => {
            write!(
                words,
                " {}, {grave} severe or worse. First: {}.",
                counted(findings.len(), "finding"),
                first.title
            )
        }
    };
    words
}

fn section(out: &mut String, number: usize, finding: &Finding) {
    let _ = writeln!(out, "## {number}. {} ({})\n", escaped(&finding.title), finding.severity.word());
    for fact in &finding.evidence {
        let value = escaped(&fact.value.replace('\n', " / "));
        let what = escaped(&fact.what);
        let _ = match fact.link.as_str() {
            "" => writeln!(out, "- {what}: {value}"),
            link => writeln!(out, "- [{what}]({link}): {value}"),
        };
    }
    let _ = writeln!(out, "\n{}\n", finding.why);
    for change in &finding.change {
        let _ = writeln!(out, "- {}", escaped(change));
    }
    let _ = writeln!(out, "\nExpected: {} ({}).\n", escaped(&finding.expected), finding.estimated_by);
}

/// Returns a text that Markdown shows as it is. What an application says of itself must not become a
/// link, a picture or a heading.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '\\' | '`' | '[' | ']' | '<' | '>' | '#' | '!' | '|') {
            out.push('\\');
        }
        out.push(if letter.is_control() { ' ' } else { letter });
    }
    out
}
