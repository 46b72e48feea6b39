//! From what was measured of an application to what is wrong with it and what to change. Pure:
//! `gather` reads, everything else here only thinks, so that each rule is tried with values.
//!
//! Each finding has numbers with the pages that show them, why they matter, what to set or to write,
//! and what that is expected to bring and how that was estimated. Nothing here asks a model. A new
//! rule is a function from evidence and thresholds to findings, a kind, and a line in [`RULES`].

mod evidence;
mod failures;
mod gather;
mod memory;
mod plan;
mod report;
mod resources;
mod tasks;
#[cfg(test)]
mod tests;
mod thresholds;

pub(super) use evidence::{Evidence, Finding, Severity};
pub(super) use gather::gather;
pub(super) use report::markdown;
pub(super) use thresholds::Thresholds;

type Rule = fn(&Evidence, &Thresholds) -> Vec<Finding>;

/// Every rule with the kind of its findings.
const RULES: [(&str, Rule); 16] = [
    ("skew", tasks::skew),
    ("spill", memory::spill),
    ("gc_pressure", memory::gc),
    ("small_files", tasks::small_files),
    ("large_partitions", tasks::large_partitions),
    ("tiny_tasks", tasks::tiny_tasks),
    ("too_few_tasks", tasks::too_few_tasks),
    ("failures", failures::failures),
    ("idle_executors", resources::idle),
    ("memory_size", memory::sizes),
    ("broadcast", plan::broadcast),
    ("shuffle", resources::shuffle),
    ("driver_bound", resources::driver),
    ("configuration", plan::configuration),
    ("plan", resources::slow_stages),
    ("plan", plan::cross_joins),
];

/// Returns what is wrong with an application, what matters most first.
pub(super) fn findings(evidence: &Evidence, limits: &Thresholds) -> Vec<Finding> {
    let mut found: Vec<Finding> = RULES.iter().flat_map(|(_, rule)| rule(evidence, limits)).collect();
    found.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    found
}

/// Returns the kinds of findings that there are.
pub(super) fn kinds() -> Vec<&'static str> {
    let mut kinds: Vec<&str> = RULES.iter().map(|(kind, _)| *kind).collect();
    kinds.dedup();
    kinds
}
