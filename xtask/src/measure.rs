//! Measurements that are compared with what was kept in the repository: the matrix of eras and the official suites.
//!
//! The measuring itself is done by programs in `end2end/`, which start the fixture and a real gateway and leave a report.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use serde_json::Value;

use crate::peers;
use crate::process::{command, programs, root, target, tee};
use crate::test::Found;

/// What can be measured and kept.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Kept {
    /// The table of MATRIX.md.
    Matrix,
    /// The checks of the suites that do not hold yet, a list that only shrinks, and the figures of SUITES.md.
    Suites,
}

/// Measures again and writes what later tests compare with.
pub(crate) fn keep(what: Kept) -> Result<()> {
    peers::provide()?;
    let found = match what {
        Kept::Matrix => matrix(true)?,
        Kept::Suites => suites(true)?,
    };
    println!("{}", found.note);
    Ok(())
}

/// Tries every feature between all eras and transports, and compares with MATRIX.md.
pub(crate) fn matrix(keep: bool) -> Result<Found> {
    measure("matrix", keep)
}

/// Runs the official suites directly and through the gateway, and compares the two.
pub(crate) fn suites(keep: bool) -> Result<Found> {
    measure("suites", keep)
}

fn measure(name: &str, keep: bool) -> Result<Found> {
    programs()?;
    let begin = Instant::now();
    let report = target().join(format!("{name}.json"));
    let mut program = command(peers::node()?);
    program.arg(root().join(format!("end2end/{name}/run.mjs")));
    if keep {
        program.arg("--keep");
    }
    // What an earlier run left must not be taken for this one's.
    let _ = fs::remove_file(&report);
    program
        .env("DOORWARD_PROGRAM", target().join("debug/doorward"))
        .env("DOORWARD_FIXTURE", target().join("debug/fixture"))
        .env("DOORWARD_PEERS", root().join("peers"))
        .env("DOORWARD_REPORT", &report);
    let (success, _) = tee(&mut program)?;
    let text = fs::read_to_string(&report).context("the measurement did not run to its end")?;
    let found = read(&text).context("the report of the measurement is not what it should be")?;
    if !success && found.failed == 0 {
        bail!("the measurement failed");
    }
    let took = Duration::from_secs(begin.elapsed().as_secs());
    println!("    measured in {took:?}");
    Ok(found)
}

fn read(report: &str) -> Option<Found> {
    let report: Value = serde_json::from_str(report).ok()?;
    let number = |name: &str| report.get(name)?.as_u64()?.try_into().ok();
    let note = report.get("note")?.as_str()?.to_owned();
    Some(Found { passed: number("passed")?, failed: number("failed")?, note })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_whole_or_not_at_all() {
        let text = r#"{"passed":7,"failed":1,"note":"7 work","cells":[]}"#;
        assert_eq!(read(text), Some(Found { passed: 7, failed: 1, note: "7 work".into() }));
        assert_eq!(read(r#"{"passed":7,"note":""}"#), None);
        assert_eq!(read(""), None);
    }
}
