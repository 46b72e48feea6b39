//! `cargo xtask test`: everything that must hold before a change is taken.
//!
//! Steps run one after the other and all of them run, also after a failure. Nothing is left out silently: what a
//! step needs is installed or named as missing, and a skipped test counts as a failed one. A test that fails is tried
//! once more, since a busy machine is no fault of the change; the summary names what needed it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::assets::{self, Islands};
use crate::process::{cargo, quiet, root, run as show, tee};
use crate::{machine, measure, node, peers};

/// One step: its name, what it shows, and how.
struct Step {
    name: &'static str,
    shows: &'static str,
    run: fn() -> Result<Found>,
}

/// The steps in their order: what fails quickly stands first, what needs a build stands behind it.
const STEPS: &[Step] = &[
    Step { name: "install", shows: "the machine has what the tests need", run: install },
    Step { name: "format", shows: "rustfmt has nothing to change", run: format },
    Step { name: "lint", shows: "clippy has nothing to say", run: lint },
    Step { name: "rust", shows: "tests of all crates, on SQLite and PostgreSQL", run: rust },
    Step { name: "islands", shows: "the browser's half builds", run: islands },
    Step { name: "browser", shows: "every flow in Chromium, with and without JavaScript", run: browser },
    Step { name: "peers", shows: "real MCP clients and servers in all era pairs", run: real_peers },
    Step { name: "matrix", shows: "every feature between all eras and transports", run: matrix },
    Step { name: "suites", shows: "the official conformance suites", run: suites },
];

/// How many checks of a step held, and figures for the summary when that says too little.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) note: String,
}

const ONE: Found = Found { passed: 1, failed: 0, note: String::new() };

struct Row {
    name: &'static str,
    shows: &'static str,
    found: Found,
    trouble: Option<String>,
    took: Duration,
}

/// Runs the named steps, or all.
pub(crate) fn run(names: &[String]) -> Result<()> {
    if let Some(name) = names.iter().find(|name| !STEPS.iter().any(|step| step.name == *name)) {
        let known: Vec<_> = STEPS.iter().map(|step| step.name).collect();
        bail!("no step `{name}`; there are: {}", known.join(", "));
    }
    let chosen = STEPS.iter().filter(|step| names.is_empty() || names.iter().any(|name| name == step.name));

    let begin = Instant::now();
    let mut rows = Vec::new();
    for step in chosen {
        println!("==> {}: {}", step.name, step.shows);
        let begin = Instant::now();
        let nothing = Found { failed: 1, ..Found::default() };
        let (found, trouble) = match (step.run)() {
            Ok(found) if found == Found::default() => (nothing, Some("nothing was tested".to_owned())),
            Ok(found) => (found, None),
            Err(error) => (nothing, Some(format!("{error:#}"))),
        };
        if let Some(trouble) = &trouble {
            println!("    {trouble}");
        }
        rows.push(Row { name: step.name, shows: step.shows, found, trouble, took: begin.elapsed() });
    }
    summary(&rows, begin.elapsed(), names.is_empty())
}

/// Prints the table and the last line, and fails when anything did.
fn summary(rows: &[Row], took: Duration, complete: bool) -> Result<()> {
    println!("\n{:<9} {:>6} {:>6} {:>8}", "step", "passed", "failed", "time");
    for row in rows {
        let trouble = row.trouble.as_deref().and_then(|trouble| trouble.lines().next());
        let Found { passed, failed, note } = &row.found;
        let shows = if note.is_empty() { row.shows } else { note };
        let verdict = trouble.unwrap_or(shows);
        println!("{:<9} {passed:>6} {failed:>6} {:>7.1}s  {verdict}", row.name, row.took.as_secs_f64());
    }
    if !complete {
        println!("only the steps above were asked for");
    }
    println!("in {:.0} s", took.as_secs_f64());
    let passed: u32 = rows.iter().map(|row| row.found.passed).sum();
    let failed: u32 = rows.iter().map(|row| row.found.failed).sum();
    println!("{passed} passed, {failed} failed");
    if failed > 0 {
        std::process::exit(1);
    }
    Ok(())
}

/// What a run from nothing leaves in the target folder, in GiB.
const TARGET: u64 = 18;

fn install() -> Result<Found> {
    machine::has_room(TARGET)?;
    machine::provide(machine::TESTS)?;
    peers::provide()?;
    if quiet(cargo().args(["nextest", "--version"])).is_none() {
        show(cargo().args(["install", "--locked", "cargo-nextest"]))?;
    }
    Ok(ONE)
}

fn format() -> Result<Found> {
    show(cargo().args(["fmt", "--all", "--check"]))?;
    Ok(ONE)
}

fn lint() -> Result<Found> {
    // As part of the workspace `app` has its server half; alone it has the browser's.
    show(cargo().args(["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    show(
        cargo()
            .args(["clippy", "--quiet", "--package", "app", "--no-default-features", "--features", "hydrate"])
            .args(["--", "-D", "warnings"]),
    )?;
    let load = ["clippy", "--quiet", "--package", "xtask", "--features", "load", "--", "-D", "warnings"];
    show(cargo().args(load))?;
    Ok(Found { passed: 3, ..Found::default() })
}

fn rust() -> Result<Found> {
    let mut tests = cargo();
    tests.args(["nextest", "run", "--workspace", "--no-fail-fast", "--status-level=retry", "--color=never"]);
    tests.args(["--retries=1", "--final-status-level=flaky"]);
    tests.env("DOORWARD_REQUIRE_PG", "1").env("DOORWARD_PEERS", root().join("peers"));
    if let Some(programs) = machine::postgres() {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(programs).chain(std::env::split_paths(&path));
        tests.env("PATH", std::env::join_paths(folders)?);
    }
    let (success, text) = tee(&mut tests)?;
    let count = nextest_count(&text).context("the tests did not run to their end")?;
    if !success && count.failed == 0 {
        bail!("the test run failed");
    }
    Ok(Found { note: second_tries(&flaky(&text)), ..count })
}

fn islands() -> Result<Found> {
    match assets::build()? {
        Islands::Built => Ok(ONE),
        Islands::Left(reason) => bail!(reason),
    }
}

fn browser() -> Result<Found> {
    node::all_of("end2end/flows")
}

fn real_peers() -> Result<Found> {
    node::all_of("end2end/peers")
}

fn matrix() -> Result<Found> {
    measure::matrix(false)
}

fn suites() -> Result<Found> {
    measure::suites(false)
}

/// Says in the summary what did not hold at once; nothing if all did.
pub(crate) fn second_tries(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!("tried twice: {}", names.join(", ")) }
}

/// Reads nextest's last line: `Summary [ 1.2s] 5 tests run: 3 passed (1 slow), 1 failed, 1 timed out, 2 skipped`.
fn nextest_count(text: &str) -> Option<Found> {
    let line = text.lines().rev().find(|line| line.trim_start().starts_with("Summary ["))?;
    let (_, results) = line.split_once("run: ")?;
    let mut count = Found::default();
    for part in results.split(", ") {
        let mut words = part.trim().splitn(2, ' ');
        let number: u32 = words.next()?.parse().ok()?;
        match words.next()? {
            kind if kind.starts_with("passed") => count.passed += number,
            _ => count.failed += number,
        }
    }
    Some(count)
}

/// Reads which tests held at the second try only: `   FLAKY 2/2 [   0.294s] (868/908) server::it threats::a_name`, each
/// told when it happens and again after the summary.
fn flaky(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| line.trim_start().starts_with("FLAKY "));
    let mut names: Vec<_> = lines.filter_map(|line| line.split(' ').next_back()).map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_of_nextest_is_read() {
        let text = "x\n     Summary [   0.406s] 25 tests run: 20 passed (2 slow), 3 failed, 1 timed out, 1 skipped\n";
        assert_eq!(nextest_count(text), Some(Found { passed: 20, failed: 5, ..Found::default() }));
        assert_eq!(nextest_count("error: could not compile"), None);
        let again = "   FLAKY 2/2 [   0.002s] (1/2) probe tests::b\n  FLAKY 2/2 [   0.002s] probe tests::b\n PASS x\n";
        assert_eq!(flaky(again), ["tests::b"]);
    }
}
