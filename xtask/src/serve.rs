//! `cargo xtask serve` and `dist`: from a fresh clone to a running gateway, or to the program that is deployed.

use std::{os::unix::process::CommandExt, path::PathBuf};

use anyhow::{Context, Result};

use crate::assets;
use crate::process::{cargo, command, run, target};

/// Builds islands and the release program, then becomes `doorward serve` with these arguments.
pub(crate) fn start(arguments: &[String]) -> Result<()> {
    println!("==> islands");
    assets::build()?;
    let program = build("release")?;
    println!("==> {} serve {}", program.display(), arguments.join(" "));
    // Taking this process's place hands signals and the terminal to the server itself.
    let error = command(&program).arg("serve").args(arguments).exec();
    Err(error).with_context(|| format!("could not start {}", program.display()))
}

/// Builds islands and the program that is deployed, and says where it is.
pub(crate) fn dist() -> Result<()> {
    println!("==> islands");
    assets::build()?;
    println!("==> {}", build("dist")?.display());
    Ok(())
}

/// Builds the program with a profile and returns where it is.
pub(crate) fn build(profile: &str) -> Result<PathBuf> {
    println!("==> program ({profile})");
    run(cargo().args(["build", "--profile", profile, "--package", "server", "--bin", "doorward"]))?;
    Ok(target().join(profile).join("doorward"))
}
