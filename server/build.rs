//! Makes what the program carries inside: `$OUT_DIR/app.css`, and the folder of the islands when they were built.
//!
//! The islands are made by `cargo xtask` beforehand, in `target/site/pkg/<hash>/`. Without them the folder is
//! empty, `CONSOLE_PKG` is empty too, and pages leave the scripts out.

#![expect(clippy::disallowed_methods, reason = "a build script is told everything by its environment")]

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("..");
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets it"));

    let app = root.join("app/src");
    println!("cargo::rerun-if-changed={}", app.display());
    match style::build(&app) {
        Ok(sheet) => fs::write(out.join("app.css"), sheet).expect("OUT_DIR can be written"),
        Err(error) => {
            for line in error.to_string().lines() {
                println!("cargo::error={line}");
            }
        }
    }

    let site = target(&out).join("site");
    fs::create_dir_all(site.join("pkg")).expect("the target folder can be written");
    println!("cargo::rerun-if-changed={}", site.join("pkg").display());
    println!("cargo::rustc-env=CONSOLE_SITE={}", site.display());
    println!("cargo::rustc-env=CONSOLE_PKG={}", islands(&site.join("pkg")).unwrap_or_default());
}

/// The target folder: `<target>/<profile>/build/<package>/out` lies four below it, one more when cross-compiled.
fn target(out: &Path) -> PathBuf {
    let marked = out.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists());
    marked.or_else(|| out.ancestors().nth(4)).expect("OUT_DIR lies in a target folder").to_owned()
}

/// `pkg/<hash>` of the newest build of the islands.
fn islands(pkg: &Path) -> Option<String> {
    let built = fs::read_dir(pkg).ok()?.flatten().filter(|entry| entry.path().join("app.js").exists());
    let newest = built.max_by_key(|entry| entry.metadata().and_then(|data| data.modified()).ok())?;
    Some(format!("pkg/{}", newest.file_name().to_str()?))
}
