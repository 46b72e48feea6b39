//! Analyses in the words and shapes of the pages.

use doorward::model::{Analysis, AnalysisState, Severity, Tally};
use leptos::prelude::*;

use crate::ui::{Badge, Icon, Tone};

/// Writes a duration in milliseconds, as in `840 ms`, `12.2 s`, `3 min 4 s` or `2 h 5 min`.
pub(super) fn long(ms: f64) -> String {
    let ms = ms.max(0.0);
    if ms < 999.5 {
        return format!("{ms:.0}\u{202f}ms");
    }
    if ms < 59_950.0 {
        let seconds = format!("{:.1}", ms / 1000.0);
        return format!("{}\u{202f}s", seconds.trim_end_matches(".0"));
    }
    let whole = (ms / 1000.0).round() as i64;
    let (days, hours, minutes, seconds) = (whole / 86_400, whole / 3600 % 24, whole / 60 % 60, whole % 60);
    let parts = match (days, hours) {
        (0, 0) => [(minutes, "min"), (seconds, "s")],
        (0, _) => [(hours, "h"), (minutes, "min")],
        (_, _) => [(days, "d"), (hours, "h")],
    };
    let parts = parts.into_iter().filter(|(count, _)| *count > 0);
    parts.map(|(count, unit)| format!("{count}\u{202f}{unit}")).collect::<Vec<_>>().join(" ")
}

/// Writes a number of things: `1 stage`, `12 stages`.
pub(super) fn counted(count: usize, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}

/// Returns a link if it leads to a page of the web: sources write them, and browsers follow other kinds, too.
pub(super) fn outward(link: &str) -> Option<String> {
    let begins =
        |scheme: &str| link.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme));
    (begins("http://") || begins("https://")).then(|| link.to_owned())
}

/// Returns the settings of Spark that a text says to set, as `name=value`.
pub(super) fn settings_in(text: &str) -> Vec<String> {
    let mut words = text.split_whitespace().peekable();
    let mut found = Vec::new();
    while let Some(word) = words.next() {
        let word = word.trim_start_matches('(').trim_end_matches([',', ';', ':', ')', '.']);
        if !word.starts_with("spark.") {
            continue;
        }
        if word.contains('=') {
            found.push(word.to_owned());
            continue;
        }
        if words.next_if_eq(&"to").is_none() {
            continue;
        }
        words.next_if_eq(&"about");
        let value = words.peek().map(|value| value.trim_end_matches([',', ';', ':', '.']));
        if let Some(value) = value.filter(|value| value.starts_with(|first: char| first.is_ascii_digit())) {
            found.push(format!("{word}={value}"));
        }
    }
    found.retain(|setting| setting.split_once('=').is_some_and(|(_, value)| !value.is_empty()));
    found
}

/// Says how an analysis is.
pub(super) fn state_badge(state: AnalysisState) -> impl IntoView {
    match state {
        AnalysisState::Running => view! { <Badge tone=Tone::Plain word="Running" icon=Icon::Held/> },
        AnalysisState::Done => view! { <Badge tone=Tone::Good word="Done"/> },
        AnalysisState::Failed => view! { <Badge tone=Tone::Bad word="Failed"/> },
        AnalysisState::Cancelled => view! { <Badge tone=Tone::Off word="Cancelled"/> },
    }
}

/// Says how much a finding matters.
pub(super) fn severity_badge(severity: Severity) -> impl IntoView {
    let (tone, icon) = severity_shape(severity);
    view! { <Badge tone word=severity_word(severity) icon/> }
}

/// Says how many findings there are of each severity; of those there are none of, nothing.
pub(super) fn tally_badges(tally: Tally) -> AnyView {
    let counts = [
        (Severity::Critical, tally.critical),
        (Severity::Severe, tally.severe),
        (Severity::Moderate, tally.moderate),
        (Severity::Low, tally.low),
    ];
    let any = counts.iter().any(|(_, count)| *count > 0);
    let badges = counts
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(severity, count)| {
            let (tone, icon) = severity_shape(severity);
            view! { <Badge tone word=format!("{count} {}", severity.word()) icon/> }
        })
        .collect_view();
    if any { badges.into_any() } else { view! { <Badge tone=Tone::Good word="Nothing found"/> }.into_any() }
}

/// Returns what an application is called, as far as that is known.
pub(super) fn title(analysis: &Analysis) -> String {
    if analysis.app_name.is_empty() { analysis.app_id.clone() } else { analysis.app_name.clone() }
}

/// Returns the id of an application, with which of its runs.
pub(super) fn app_words(app_id: &str, attempt: Option<&str>) -> String {
    attempt.map_or_else(|| app_id.to_owned(), |attempt| format!("{app_id}, attempt {attempt}"))
}

fn severity_shape(severity: Severity) -> (Tone, Icon) {
    match severity {
        Severity::Critical => (Tone::Bad, Icon::Failing),
        Severity::Severe => (Tone::Bad, Icon::Alert),
        Severity::Moderate => (Tone::Warn, Icon::Alert),
        Severity::Low => (Tone::Off, Icon::Info),
    }
}

fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "Critical",
        Severity::Severe => "Severe",
        Severity::Moderate => "Moderate",
        Severity::Low => "Low",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_reads_as_people_say_it() {
        let plain = |ms: f64| long(ms).replace('\u{202f}', " ");

        assert_eq!(plain(0.0), "0 ms");
        assert_eq!(plain(840.4), "840 ms");
        assert_eq!(plain(12_171.0), "12.2 s");
        assert_eq!(plain(30_000.0), "30 s");
        assert_eq!(plain(59_960.0), "1 min");
        assert_eq!(plain(184_000.0), "3 min 4 s");
        assert_eq!(plain(7_500_000.0), "2 h 5 min");
        assert_eq!(plain(86_400_000.0), "1 d");
    }

    #[test]
    fn what_a_change_says_to_set_can_be_taken_along() {
        let of = |text: &str| settings_in(text).join(" ");

        assert_eq!(
            of("Set spark.sql.adaptive.enabled=true: Spark then splits"),
            "spark.sql.adaptive.enabled=true"
        );
        assert_eq!(
            of("partitions smaller: spark.sql.shuffle.partitions=12 (stage 1 has 4)"),
            "spark.sql.shuffle.partitions=12"
        );
        assert_eq!(
            of("Set spark.sql.shuffle.partitions to about 200, or repartition"),
            "spark.sql.shuffle.partitions=200"
        );
        assert_eq!(of("Leave spark.memory.fraction at its default, 0.6"), "");
        assert_eq!(of("Raise spark.executor.memory, or spark.executor.cores="), "");
        assert_eq!(of("Set spark.a to"), "");
    }

    #[test]
    fn only_links_to_the_web_are_links() {
        assert!(outward("http://spark:18080/history").is_some());
        assert!(outward("HTTPS://spark/").is_some());
        for other in ["", "javascript:alert(1)", "/sources", "data:text/html,x", "https:evil"] {
            assert_eq!(outward(other), None, "{other}");
        }
    }
}
