//! `cargo xtask assets`: the browser's half of the console, from `app` to `target/site/pkg/<hash>/`.
//!
//! The folder's name is the hash of its content, so that browsers may keep the files for ever; beside each file lie
//! its brotli and gzip forms. A stamp of everything that goes in makes the second run a look at the sources.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use wasm_bindgen_cli_support::Bindgen;

use crate::process::{root, run, target};
use crate::wasm::{self, Compiler};

/// Changes when this file builds something else from the same sources.
const RECIPE: &str = "1";

/// What became of the islands.
pub(crate) enum Islands {
    /// They are in their folder.
    Built,
    /// There is no compiler; the text says what would help.
    Left(String),
}

/// Builds the islands if anything changed. Without a compiler, removes old ones and says so in one line.
pub(crate) fn build() -> Result<Islands> {
    let pkg = target().join("site/pkg");
    let compiler = match wasm::find() {
        Ok(compiler) => compiler,
        Err(reason) => {
            println!("    islands: left out ({reason}); the console works without them");
            clear(&pkg)?;
            return Ok(Islands::Left(reason));
        }
    };

    let stamp = stamp(&compiler)?;
    if is_built(&pkg, &stamp) {
        println!("    islands: up to date");
        return Ok(Islands::Built);
    }

    println!("    islands: compiling with {}", compiler.version);
    let web = target().join("web");
    run(compiler
        .cargo("rustc")
        .args(["--quiet", "--package", "app", "--lib", "--crate-type", "cdylib"])
        .args(["--no-default-features", "--features", "hydrate", "--profile", "wasm-release", "--target-dir"])
        .arg(&web))?;

    let made = tempfile::tempdir_in(&web)?;
    Bindgen::new()
        .input_path(web.join(wasm::TARGET).join("wasm-release/app.wasm"))
        .web(true)?
        .out_name("app")
        .typescript(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(made.path())
        .context("could not make the JavaScript side of the islands")?;

    let hash = hash_of(&files(made.path())?, made.path())?;
    let folder = pkg.join(&hash[..12]);
    compress(made.path())?;
    clear(&pkg)?;
    copy(made.path(), &folder)?;
    fs::write(web.join("stamp"), format!("{stamp} {}", &hash[..12]))?;
    let size = fs::metadata(folder.join("app_bg.wasm.br"))?.len();
    println!("    islands: {} kB of WebAssembly, as sent", size.div_ceil(1000));
    Ok(Islands::Built)
}

/// Whether an earlier run made them of the same input, and they are still there.
fn is_built(pkg: &Path, stamp: &str) -> bool {
    let text = fs::read_to_string(target().join("web/stamp")).unwrap_or_default();
    let Some((earlier, hash)) = text.split_once(' ') else { return false };
    let folder = pkg.join(hash);
    earlier == stamp && folder.join("app.js").exists() && folder.join("app_bg.wasm").exists()
}

/// The hash of what goes in: sources, versions, compiler and this recipe.
fn stamp(compiler: &Compiler) -> Result<String> {
    let root = root();
    let mut inputs = files(&root.join("app/src"))?;
    inputs.extend(
        ["app/Cargo.toml", "Cargo.toml", "Cargo.lock", ".cargo/config.toml"].map(|name| root.join(name)),
    );
    let mut hash = Sha256::new();
    hash.update(RECIPE);
    hash.update(&compiler.version);
    hash.update(hash_of(&inputs, &root)?);
    Ok(hex::encode(hash.finalize()))
}

fn hash_of(files: &[PathBuf], base: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    for file in files {
        let bytes = fs::read(file).with_context(|| format!("could not read {}", file.display()))?;
        hash.update(file.strip_prefix(base).unwrap_or(file).to_string_lossy().as_bytes());
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    }
    Ok(hex::encode(hash.finalize()))
}

/// All files below a folder, in order.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).with_context(|| format!("could not read {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Writes `.br` and `.gz` beside each file.
fn compress(folder: &Path) -> Result<()> {
    for file in files(folder)? {
        let bytes = fs::read(&file)?;
        let name = file.to_string_lossy();

        let parameters = brotli::enc::BrotliEncoderParams { quality: 11, ..Default::default() };
        let mut small = Vec::new();
        brotli::BrotliCompress(&mut bytes.as_slice(), &mut small, &parameters)?;
        fs::write(format!("{name}.br"), small)?;

        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(&bytes)?;
        fs::write(format!("{name}.gz"), gzip.finish()?)?;
    }
    Ok(())
}

/// Empties the folder of earlier builds.
fn clear(pkg: &Path) -> Result<()> {
    fs::create_dir_all(pkg)?;
    for entry in fs::read_dir(pkg)? {
        let path = entry?.path();
        if path.is_dir() { fs::remove_dir_all(&path)? } else { fs::remove_file(&path)? }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    for file in files(from)? {
        let place = to.join(file.strip_prefix(from)?);
        fs::create_dir_all(place.parent().unwrap_or(to))?;
        fs::copy(&file, &place)?;
    }
    Ok(())
}
