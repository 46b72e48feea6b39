//! What got better or worse between two analyses. Pure.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use crate::{
    model::{AnalysisReport, Finding, ReportedStage, Totals, words},
    providers::spark::is_of_the_run,
};

/// A measured value that differs by less than this share of the larger one is the same: no two runs take equally long.
const NOISE_SHARE: f64 = 0.05;

/// What differs between two analyses.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Comparison {
    /// The sums over each application.
    pub sums: Vec<SumChange>,
    /// Findings that only the first has, what matters most first.
    pub gone: Vec<Finding>,
    /// Findings that only the second has, what matters most first.
    pub new: Vec<Finding>,
    /// Findings that both have, and that matter more or less in the second.
    pub changed: Vec<FindingChange>,
    /// Findings that both have, and that matter as much.
    pub same: Vec<FindingChange>,
    /// Settings that differ, by name. Those that differ in each run are left out.
    pub settings: Vec<SettingChange>,
    /// Stages of both, matched by name: in the order of the second, then those that only the first has.
    pub stages: Vec<StageChange>,
}

/// A sum over an application, before and after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SumChange {
    /// What, for people: `duration`.
    pub what: &'static str,
    /// What it is counted in.
    pub unit: Unit,
    /// In the first.
    pub before: i64,
    /// In the second.
    pub after: i64,
    /// Whether that is better.
    pub verdict: Verdict,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Milliseconds.
    Ms,
    /// Bytes.
    Bytes,
    /// Things.
    Count,
}
words!(Unit { Ms = "ms", Bytes = "bytes", Count = "count" });

/// Whether a difference is one for the better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// For the better.
    Better,
    /// For the worse.
    Worse,
    /// There is none, or none to speak of.
    Same,
    /// It is another, and that is neither better nor worse.
    Other,
}
words!(Verdict { Better = "better", Worse = "worse", Same = "same", Other = "other" });

/// A finding of both analyses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FindingChange {
    /// In the first.
    pub before: Finding,
    /// In the second.
    pub after: Finding,
}

/// A setting of Spark that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SettingChange {
    /// Its name.
    pub name: String,
    /// In the first; `None` = not set.
    pub before: Option<String>,
    /// In the second; `None` = not set.
    pub after: Option<String>,
}

/// A stage of one or both analyses.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StageChange {
    /// What it does.
    pub name: String,
    /// In the first; `None` = there is none of the name.
    pub before: Option<ReportedStage>,
    /// In the second; `None` = there is none of the name.
    pub after: Option<ReportedStage>,
    /// Whether it takes less time; `Other` if it is in one alone, or its time is not known.
    pub verdict: Verdict,
}

/// Compares two analyses, the earlier one first.
pub fn compare(before: &AnalysisReport, after: &AnalysisReport) -> Comparison {
    let mut comparison = Comparison {
        sums: sums(&before.totals, &after.totals),
        settings: settings(&before.settings, &after.settings),
        stages: stages(&before.stages, &after.stages),
        ..Comparison::default()
    };
    findings(&before.findings, &after.findings, &mut comparison);
    comparison
}

/// Says whether a value of which less is better got better.
fn less_is_better(before: i64, after: i64) -> Verdict {
    let (before, after) = (before as f64, after as f64);
    if (after - before).abs() <= NOISE_SHARE * before.abs().max(after.abs()) {
        Verdict::Same
    } else if after < before {
        Verdict::Better
    } else {
        Verdict::Worse
    }
}

fn sums(before: &Totals, after: &Totals) -> Vec<SumChange> {
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let less = |what, unit, before, after| SumChange {
        what,
        unit,
        before,
        after,
        verdict: less_is_better(before, after),
    };
    let other = |what, unit, before, after| {
        let verdict = if before == after { Verdict::Same } else { Verdict::Other };
        SumChange { what, unit, before, after, verdict }
    };
    vec![
        less("duration", Unit::Ms, before.duration_ms, after.duration_ms),
        less("task time", Unit::Ms, before.task_time_ms, after.task_time_ms),
        less("time in garbage collection", Unit::Ms, before.gc_time_ms, after.gc_time_ms),
        less("shuffle read", Unit::Bytes, before.shuffle_read_bytes, after.shuffle_read_bytes),
        less("shuffle written", Unit::Bytes, before.shuffle_write_bytes, after.shuffle_write_bytes),
        less("spilled from memory", Unit::Bytes, before.spilled_memory_bytes, after.spilled_memory_bytes),
        less("spilled to disk", Unit::Bytes, before.spilled_disk_bytes, after.spilled_disk_bytes),
        less("failed jobs", Unit::Count, count(before.failed_jobs), count(after.failed_jobs)),
        less("failed attempts of tasks", Unit::Count, before.failed_tasks, after.failed_tasks),
        other("input", Unit::Bytes, before.input_bytes, after.input_bytes),
        other("output", Unit::Bytes, before.output_bytes, after.output_bytes),
        other("jobs", Unit::Count, count(before.jobs), count(after.jobs)),
        other("stages", Unit::Count, count(before.stages), count(after.stages)),
        other("tasks", Unit::Count, before.tasks, after.tasks),
        other("cores", Unit::Count, before.cores, after.cores),
    ]
}

/// Says whether two findings are the same one of two runs.
type Fits = fn(&Finding, &Finding) -> bool;

/// Pairs findings of the same kind: first those with the same words apart from numbers, then in the order in which they
/// matter, since stages have other numbers in another run.
fn findings(before: &[Finding], after: &[Finding], comparison: &mut Comparison) {
    let mut left: Vec<Option<&Finding>> = before.iter().map(Some).collect();
    let mut partners: Vec<Option<&Finding>> = vec![None; after.len()];
    let rules: [Fits; 2] = [have_same_words, are_of_one_kind];
    for fits in rules {
        for (partner, finding) in partners.iter_mut().zip(after) {
            if partner.is_none() {
                let found = left.iter_mut().find(|one| one.is_some_and(|one| fits(one, finding)));
                *partner = found.and_then(Option::take);
            }
        }
    }
    for (partner, finding) in partners.into_iter().zip(after) {
        let Some(partner) = partner else {
            comparison.new.push(finding.clone());
            continue;
        };
        let list =
            if partner.severity == finding.severity { &mut comparison.same } else { &mut comparison.changed };
        list.push(FindingChange { before: partner.clone(), after: finding.clone() });
    }
    comparison.gone = left.into_iter().flatten().cloned().collect();
    comparison.gone.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    comparison.new.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
}

fn have_same_words(one: &Finding, other: &Finding) -> bool {
    one.kind == other.kind && without_digits(&one.title) == without_digits(&other.title)
}

fn are_of_one_kind(one: &Finding, other: &Finding) -> bool {
    one.kind == other.kind
}

fn without_digits(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_ascii_digit()).collect()
}

fn settings(before: &[(String, String)], after: &[(String, String)]) -> Vec<SettingChange> {
    let mut names: BTreeMap<&str, (Option<&str>, Option<&str>)> = BTreeMap::new();
    for (name, value) in before {
        names.entry(name).or_default().0 = Some(value);
    }
    for (name, value) in after {
        names.entry(name).or_default().1 = Some(value);
    }
    names
        .into_iter()
        .filter(|(name, (before, after))| before != after && !is_of_the_run(name))
        .map(|(name, (before, after))| SettingChange {
            name: name.to_owned(),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
        })
        .collect()
}

/// Matches stages of one name in their order.
fn stages(before: &[ReportedStage], after: &[ReportedStage]) -> Vec<StageChange> {
    let mut left: BTreeMap<&str, VecDeque<&ReportedStage>> = BTreeMap::new();
    for stage in before {
        left.entry(&stage.name).or_default().push_back(stage);
    }
    let mut changes: Vec<StageChange> = after
        .iter()
        .map(|stage| {
            let partner = left.get_mut(stage.name.as_str()).and_then(VecDeque::pop_front);
            let times = partner.and_then(time_of).zip(time_of(stage));
            StageChange {
                name: stage.name.clone(),
                before: partner.cloned(),
                after: Some(stage.clone()),
                verdict: times.map_or(Verdict::Other, |(before, after)| less_is_better(before, after)),
            }
        })
        .collect();
    let mut gone: Vec<&ReportedStage> = left.into_values().flatten().collect();
    gone.sort_by_key(|stage| (stage.id, stage.attempt));
    changes.extend(gone.into_iter().map(|stage| StageChange {
        name: stage.name.clone(),
        before: Some(stage.clone()),
        after: None,
        verdict: Verdict::Other,
    }));
    changes
}

/// Returns how long a stage took by the clock; `None` if that is not known.
fn time_of(stage: &ReportedStage) -> Option<i64> {
    Some(stage.ended_at_ms?.saturating_sub(stage.begun_at_ms?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Severity;

    #[test]
    fn two_equal_reports_differ_in_nothing() {
        let report = AnalysisReport {
            totals: Totals { duration_ms: 900, tasks: 4, ..Totals::default() },
            findings: vec![finding("skew", Severity::Severe, "Stage 2 is skewed")],
            stages: vec![stage(1, "load", 100)],
            settings: vec![("spark.master".into(), "local".into())],
            ..AnalysisReport::default()
        };

        let comparison = compare(&report, &report);

        assert!(comparison.sums.iter().all(|sum| sum.verdict == Verdict::Same));
        assert_eq!((comparison.gone.len(), comparison.new.len(), comparison.changed.len()), (0, 0, 0));
        assert_eq!((comparison.same.len(), comparison.settings.len()), (1, 0));
        assert_eq!(comparison.stages[0].verdict, Verdict::Same);
    }

    #[test]
    fn less_time_is_better_and_noise_is_neither() {
        let verdict = |before, after| less_is_better(before, after);

        assert_eq!(verdict(100, 90), Verdict::Better);
        assert_eq!(verdict(100, 110), Verdict::Worse);
        assert_eq!(verdict(100, 104), Verdict::Same);
        assert_eq!(verdict(0, 0), Verdict::Same);
        assert_eq!(verdict(0, 1), Verdict::Worse);
    }

    #[test]
    fn sums_that_say_nothing_of_quality_are_other() {
        let before = Totals { cores: 4, failed_tasks: 3, ..Totals::default() };
        let after = Totals { cores: 8, failed_tasks: 0, ..Totals::default() };

        let sums = sums(&before, &after);

        let of = |what: &str| sums.iter().find(|sum| sum.what == what).unwrap().verdict;
        assert_eq!((of("cores"), of("failed attempts of tasks")), (Verdict::Other, Verdict::Better));
    }

    #[test]
    fn findings_are_paired_by_their_words_before_their_order() {
        let before = [
            finding("skew", Severity::Severe, "Stage 2 (join) is skewed"),
            finding("skew", Severity::Moderate, "Stage 5 (count) is skewed"),
            finding("spill", Severity::Low, "Stage 5 spills"),
        ];
        let after = [
            finding("gc", Severity::Critical, "Garbage"),
            finding("skew", Severity::Severe, "Stage 7 (count) is skewed"),
        ];
        let mut comparison = Comparison::default();

        findings(&before, &after, &mut comparison);

        let titles = |all: &[Finding]| all.iter().map(|one| one.title.clone()).collect::<Vec<_>>();
        assert_eq!(titles(&comparison.new), ["Garbage"]);
        assert_eq!(titles(&comparison.gone), ["Stage 2 (join) is skewed", "Stage 5 spills"]);
        let [change] = comparison.changed.as_slice() else { panic!("{comparison:?}") };
        assert_eq!((&change.before, &change.after), (&before[1], &after[1]));
    }

    #[test]
    fn a_finding_without_a_twin_is_paired_with_one_of_its_kind() {
        let before = [finding("skew", Severity::Severe, "Stage 2 (join) is skewed")];
        let after = [finding("skew", Severity::Severe, "Stage 2 (sort) is skewed")];
        let mut comparison = Comparison::default();

        findings(&before, &after, &mut comparison);

        assert_eq!((comparison.same.len(), comparison.gone.len(), comparison.new.len()), (1, 0, 0));
    }

    #[test]
    fn settings_that_differ_are_named_and_those_of_each_run_are_not() {
        let set = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let before = set(&[("spark.app.id", "1"), ("spark.sql.shuffle.partitions", "200"), ("spark.x", "1")]);
        let after = set(&[("spark.app.id", "2"), ("spark.sql.shuffle.partitions", "64"), ("spark.y", "1")]);

        let changes = settings(&before, &after);

        let named: Vec<_> = changes
            .iter()
            .map(|change| (change.name.as_str(), change.before.as_deref(), change.after.as_deref()))
            .collect();
        assert_eq!(
            named,
            [
                ("spark.sql.shuffle.partitions", Some("200"), Some("64")),
                ("spark.x", Some("1"), None),
                ("spark.y", None, Some("1")),
            ]
        );
    }

    #[test]
    fn stages_of_one_name_are_matched_in_their_order() {
        let before = [stage(0, "load", 100), stage(1, "join", 400), stage(2, "load", 50), stage(3, "old", 1)];
        let after = [stage(4, "load", 101), stage(5, "load", 90), stage(6, "new", 7), stage(7, "join", 100)];

        let changes = stages(&before, &after);

        let id = |stage: &Option<ReportedStage>| stage.as_ref().map(|stage| stage.id);
        let matched: Vec<_> =
            changes.iter().map(|change| (id(&change.before), id(&change.after), change.verdict)).collect();
        assert_eq!(
            matched,
            [
                (Some(0), Some(4), Verdict::Same),
                (Some(2), Some(5), Verdict::Worse),
                (None, Some(6), Verdict::Other),
                (Some(1), Some(7), Verdict::Better),
                (Some(3), None, Verdict::Other),
            ]
        );
    }

    fn finding(kind: &str, severity: Severity, title: &str) -> Finding {
        Finding {
            kind: kind.into(),
            severity,
            title: title.into(),
            evidence: Vec::new(),
            why: String::new(),
            change: Vec::new(),
            expected: String::new(),
            estimated_by: String::new(),
        }
    }

    fn stage(id: i64, name: &str, took_ms: i64) -> ReportedStage {
        ReportedStage {
            id,
            name: name.into(),
            begun_at_ms: Some(1000),
            ended_at_ms: Some(1000 + took_ms),
            ..ReportedStage::default()
        }
    }
}
