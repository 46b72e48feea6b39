//! From what was measured of an application to what is wrong with it and what to change. Pure:
//! `gather` and `question` read, everything else here only thinks, so that each rule is tried with values.
//!
//! What is read, and in which order, is said by a [`Reading`]. It knows two manners: a history server itself, and an MCP
//! server with the tools of the Kubeflow project's.
//!
//! Each finding has numbers with the pages that show them, why they matter, what to set or to write,
//! and what that is expected to bring and how that was estimated. Nothing here asks a model. A new
//! rule is a function from evidence and thresholds to findings, a kind, and a line in [`RULES`].

mod evidence;
mod failures;
mod gather;
mod memory;
mod numbers;
mod plan;
mod question;
mod reading;
mod report;
mod resources;
mod tasks;
#[cfg(test)]
mod tests;
mod thresholds;
mod through_tools;

use crate::model::Finding;
use evidence::Found;

pub(super) use evidence::Evidence;
pub(super) use gather::gather;
pub(super) use question::{METHOD as EVIDENCE_METHOD, answer as evidence};
pub use reading::{Ask, Manner, Part, Reading, Request};
pub(super) use report::markdown;
pub use thresholds::Thresholds;

type Rule = fn(&Evidence, &Thresholds) -> Vec<Found>;

/// Every rule with the kind of its findings.
const RULES: [(&str, Rule); 21] = [
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
    ("driver_bound", memory::driver),
    ("configuration", plan::configuration),
    ("configuration", tasks::stragglers),
    ("plan", resources::slow_stages),
    ("plan", resources::far_reads),
    ("plan", memory::cache),
    ("plan", plan::cross_joins),
    ("plan", plan::long_filters),
];

/// Returns what is wrong with an application, what matters most first.
pub(super) fn findings(evidence: &Evidence, limits: &Thresholds) -> Vec<Finding> {
    let of_rule = |(kind, rule): &(&str, Rule)| {
        rule(evidence, limits).into_iter().map(|found| found.of_kind(kind)).collect::<Vec<_>>()
    };
    let mut found: Vec<Finding> = RULES.iter().flat_map(of_rule).collect();
    found.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    found
}

/// Returns the kinds of findings that there are.
pub(super) fn kinds() -> Vec<&'static str> {
    let mut kinds: Vec<&str> = RULES.iter().map(|(kind, _)| *kind).collect();
    kinds.dedup();
    kinds
}
