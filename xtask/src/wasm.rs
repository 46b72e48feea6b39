//! Finds a compiler for WebAssembly.
//!
//! In this order: the toolchain has the target; rustup adds it (asked once, with a short limit, and a refusal is
//! remembered); a compiler that carries the library's source builds it (`-Zbuild-std`), for which Debian has
//! packages. Without any the console is built without islands and still does everything.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::machine;
use crate::process::{bounded, command, exists, quiet, target};

/// The target of the islands.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// How long `rustup target add` may take: it is a small download or a refusal.
const RUSTUP_LIMIT: Duration = Duration::from_secs(25);

/// The oldest compiler that Leptos takes, as minor version of 1.
const OLDEST: u32 = 88;

/// A compiler for the islands.
pub(crate) struct Compiler {
    cargo: PathBuf,
    rustc: PathBuf,
    /// Whether the standard library is built too, from the source beside the compiler.
    builds_std: bool,
    /// What `rustc -V` says.
    pub version: String,
}

impl Compiler {
    /// A cargo command that compiles with this compiler.
    pub(crate) fn cargo(&self, subcommand: &str) -> Command {
        let mut cargo = command(&self.cargo);
        cargo.arg(subcommand);
        cargo
            .args(["--target", TARGET])
            .env("RUSTC", &self.rustc)
            .env_remove("RUSTC_WRAPPER")
            .env_remove("RUSTFLAGS");
        if self.builds_std {
            // The library can be built by a release compiler only when it is told to allow it; this compile alone.
            cargo.env("RUSTC_BOOTSTRAP", "1").arg("-Zbuild-std=std,panic_abort");
        }
        cargo
    }
}

/// Returns a compiler, or why there is none in one line.
pub(crate) fn find() -> Result<Compiler, String> {
    if let Some(found) = with_target() {
        return Ok(found);
    }
    if add_target().is_ok()
        && let Some(found) = with_target()
    {
        return Ok(found);
    }
    if let Some(found) = with_source() {
        return Ok(found);
    }
    if machine::may_install()
        && machine::install(machine::WASM).is_ok()
        && let Some(found) = with_source()
    {
        return Ok(found);
    }
    Err(format!(
        "no compiler for {TARGET}: `rustup target add {TARGET}`, or on Debian `apt-get install {}`",
        machine::WASM.join(" ")
    ))
}

/// The active toolchain, when it has the target.
fn with_target() -> Option<Compiler> {
    let rustc = active()?;
    let library = sysroot(&rustc)?.join("lib/rustlib").join(TARGET).join("lib");
    let has_target = library.read_dir().ok()?.next().is_some();
    if !has_target {
        return None;
    }
    Some(Compiler { version: version(&rustc)?, cargo: beside(&rustc)?, rustc, builds_std: false })
}

/// Asks rustup for the target, unless it refused this toolchain before.
fn add_target() -> Result<()> {
    let refused = target().join("web/rustup-refused");
    let toolchain = active().and_then(|rustc| version(&rustc)).unwrap_or_default();
    let known = fs::read_to_string(&refused).is_ok_and(|text| text == toolchain);
    anyhow::ensure!(exists("rustup") && !known, "rustup cannot add the target");

    println!("    rustup target add {TARGET}");
    let outcome = bounded(command("rustup").args(["target", "add", TARGET]), RUSTUP_LIMIT);
    if outcome.is_err() {
        fs::create_dir_all(target().join("web"))?;
        fs::write(&refused, toolchain)?;
    }
    outcome
}

/// The first compiler that is new enough and lies beside the library's source.
fn with_source() -> Option<Compiler> {
    let system = PathBuf::from("/usr/bin/rustc");
    active().into_iter().chain(system.exists().then_some(system)).find_map(|rustc| {
        let version = version(&rustc)?;
        let source = sysroot(&rustc)?.join("lib/rustlib/src/rust/library/Cargo.lock");
        let usable = minor(&version)? >= OLDEST && source.exists() && has_linker(&rustc);
        usable.then_some(())?;
        Some(Compiler { cargo: beside(&rustc)?, rustc, builds_std: true, version })
    })
}

/// The compiler that the active toolchain really runs, not rustup's proxy.
fn active() -> Option<PathBuf> {
    if let Some(path) = quiet(command("rustup").args(["which", "rustc"])) {
        return Some(path.into());
    }
    let sysroot = quiet(command("rustc").args(["--print", "sysroot"]))?;
    Some(Path::new(&sysroot).join("bin/rustc"))
}

fn sysroot(rustc: &Path) -> Option<PathBuf> {
    quiet(command(rustc).args(["--print", "sysroot"])).map(PathBuf::from)
}

fn version(rustc: &Path) -> Option<String> {
    quiet(command(rustc).arg("-V"))
}

/// The cargo of the same toolchain.
fn beside(rustc: &Path) -> Option<PathBuf> {
    let cargo = rustc.with_file_name("cargo");
    cargo.exists().then_some(cargo)
}

/// Whether `rust-lld`, which links the target, is there and is not a link to nothing.
fn has_linker(rustc: &Path) -> bool {
    let Some(sysroot) = sysroot(rustc) else { return false };
    let hosts = fs::read_dir(sysroot.join("lib/rustlib")).into_iter().flatten().flatten();
    let packaged = hosts.map(|host| host.path().join("bin/rust-lld")).any(|linker| linker.exists());
    packaged || sysroot.join("bin/rust-lld").exists()
}

/// The minor number of `rustc 1.95.0 (…)`.
fn minor(version: &str) -> Option<u32> {
    version.split_whitespace().nth(1)?.split('.').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minor_version_is_read() {
        assert_eq!(minor("rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)"), Some(96));
        assert_eq!(minor("rustc 1.97.0-nightly (abc 2026-06-01)"), Some(97));
        assert_eq!(minor("gibberish"), None);
    }
}
