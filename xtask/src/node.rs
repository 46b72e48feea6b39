//! Tests that Node runs: the browser flows and the real peers.
//!
//! A flow waits for the browser more than it computes, so a few files run at once; each starts a gateway of its own.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};

use crate::process::{command, programs, root, target};
use crate::test::{Found, second_tries};
use crate::{machine, peers};

/// How many files of tests run at once.
const AT_ONCE: usize = 2;

/// Builds the program with the quick profile and runs the `*.test.mjs` of a folder against it. Files that fail are
/// tried once more, one at a time.
pub(crate) fn all_of(folder: &str) -> Result<Found> {
    programs()?;
    let mut files: Vec<_> = fs::read_dir(root().join(folder))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.to_string_lossy().ends_with(".test.mjs"))
        .collect();
    files.sort();

    let waiting = Mutex::new(VecDeque::from(files));
    let work = || -> Result<(Found, Vec<PathBuf>)> {
        let (mut found, mut failed) = (Found::default(), Vec::new());
        loop {
            let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some(file) = next else { return Ok((found, failed)) };
            let count = test(&file)?;
            if count.failed > 0 { failed.push(file) } else { found.passed += count.passed }
        }
    };
    let mut found = Found::default();
    let mut again = Vec::new();
    std::thread::scope(|scope| -> Result<()> {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            let (held, failed) = worker.join().expect("a worker does not panic")?;
            found.passed += held.passed;
            again.extend(failed);
        }
        Ok(())
    })?;
    again.sort();
    for file in &again {
        println!("    once more, since it failed: {}", name(file));
        let count = test(file)?;
        found.passed += count.passed;
        found.failed += count.failed;
    }
    let again: Vec<_> = again.iter().map(|file| name(file)).collect();
    found.note = second_tries(&again);
    Ok(found)
}

/// Runs the tests of one file, and shows what they print when they have ended.
fn test(file: &Path) -> Result<Found> {
    let reports = target().join("node-tests");
    fs::create_dir_all(&reports)?;
    let report = reports.join(name(file)).with_extension("tap");
    // What an earlier run left must not be taken for this one's.
    let _ = fs::remove_file(&report);
    let output = command(peers::node()?)
        .args(["--test", "--test-reporter=spec", "--test-reporter-destination=stdout"])
        .arg("--test-reporter=tap")
        .arg(format!("--test-reporter-destination={}", report.display()))
        .arg(file)
        .env("DOORWARD_PROGRAM", target().join("debug/doorward"))
        .env("DOORWARD_PEERS", root().join("peers"))
        .env("CHROMIUM", machine::chromium().unwrap_or_default())
        .stdin(Stdio::null())
        .output()
        .context("could not start Node")?;
    let printed = [output.stdout, output.stderr].concat();
    println!("    {}\n{}", name(file), String::from_utf8_lossy(&printed));
    let text = fs::read_to_string(&report).context("the tests did not run to their end")?;
    let mut count = tap_count(&text).context("the tests did not run to their end")?;
    if !output.status.success() && count.failed == 0 {
        count.failed = 1;
    }
    Ok(count)
}

fn name(file: &Path) -> String {
    file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Reads the last lines of a TAP report: `# pass 3`, `# fail 0`, `# cancelled 0`, `# skipped 0`, `# todo 0`.
fn tap_count(text: &str) -> Option<Found> {
    let number = |name: &str| -> Option<u32> {
        let line = text.lines().rev().find_map(|line| line.strip_prefix("# ")?.strip_prefix(name))?;
        line.trim().parse().ok()
    };
    let failed = number("fail ")? + number("cancelled ")? + number("skipped ")? + number("todo ")?;
    Some(Found { passed: number("pass ")?, failed, ..Found::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_of_node_is_read_and_skipped_tests_count_as_failed() {
        let text = "# tests 6\n# suites 1\n# pass 3\n# fail 1\n# cancelled 0\n# skipped 2\n# todo 0\n# duration_ms 5\n";
        assert_eq!(tap_count(text), Some(Found { passed: 3, failed: 3, ..Found::default() }));
    }
}
