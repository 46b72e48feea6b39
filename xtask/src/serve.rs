//! `cargo xtask serve`: from a fresh clone to a running gateway.

use std::os::unix::process::CommandExt;

use anyhow::{Context, Result};

use crate::assets;
use crate::process::{cargo, command, run, target};

/// Builds islands and the release program, then becomes `doorward serve` with these arguments.
pub(crate) fn start(arguments: &[String]) -> Result<()> {
    println!("==> islands");
    assets::build()?;
    println!("==> program");
    run(cargo().args(["build", "--release", "--package", "server", "--bin", "doorward"]))?;

    let program = target().join("release/doorward");
    println!("==> {} serve {}", program.display(), arguments.join(" "));
    // Taking this process's place hands signals and the terminal to the server itself.
    let error = command(&program).arg("serve").args(arguments).exec();
    Err(error).with_context(|| format!("could not start {}", program.display()))
}
