//! The look of the console: design tokens, base CSS, and the generator that turns utility classes into one sheet.
//!
//! Runs when the server is built (`server/build.rs`), so that a plain `cargo build` has the sheet and no Node is
//! asked for. Three parts make it: `base.css` (tokens, reset, elements, a few component classes), the classes found
//! in the app's sources ([`extract`]), and one rule per class ([`sheet`]). A class that nothing knows fails the
//! build with its file and line, because a typo that is silently without style is found by a user.
//!
//! Behind the generator stands tailwind-rs as a table of utilities ([`table`]). What it gets wrong or accepts
//! without meaning (variants, order, escaping, sizes, transforms, rings, arbitrary values, nonsense such as
//! `max-w-banana`) is ours, in [`own`], [`fixed`], [`paint`] and [`variant`]; what is left to it passes a check of its values.
//!
//! This crate never runs in the server and never decides what a page contains.
//!
//! To add a colour: name it in `base.css` (`--name: light-dark(…)`) and in [`tokens::COLOURS`]; the test of
//! contrasts wants to know on which surfaces it stands. To add a utility: a line in [`own`], and a line in
//! `tests/golden.txt`. To add a component class: write it in `base.css`; it is known from then on.

mod extract;
mod fixed;
mod own;
mod paint;
mod sheet;
mod table;
pub mod tokens;
mod value;
mod variant;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

pub use extract::{Found, classes_in};
pub use sheet::{Sheet, sheet};

/// Tokens, reset, element styles and component classes.
pub const BASE: &str = include_str!("../base.css");

/// Says why there is no sheet.
#[derive(Debug)]
pub enum StyleError {
    /// A source file could not be read.
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Sources name classes that have no rule.
    Unknown(Vec<Unknown>),
}

/// A class without a rule, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// The source file.
    pub file: PathBuf,
    /// The line, counted from 1.
    pub line: usize,
    /// The class as written.
    pub class: String,
}

impl fmt::Display for StyleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, source } => write!(f, "could not read {}: {source}", path.display()),
            Self::Unknown(classes) => {
                write!(f, "{} class(es) without a rule:", classes.len())?;
                for unknown in classes {
                    write!(f, "\n  {}:{}: `{}`", unknown.file.display(), unknown.line, unknown.class)?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for StyleError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read { source, .. } => Some(source),
            Self::Unknown(_) => None,
        }
    }
}

/// Builds the whole sheet for the sources below `sources`: layers, base CSS, then the utilities they use.
pub fn build(sources: &Path) -> Result<String, StyleError> {
    let mut places: BTreeMap<String, (PathBuf, usize)> = BTreeMap::new();
    for file in rust_files(sources)? {
        let text =
            fs::read_to_string(&file).map_err(|source| StyleError::Read { path: file.clone(), source })?;
        for found in classes_in(&text) {
            places.entry(found.class).or_insert_with(|| (file.clone(), found.line));
        }
    }

    let sheet = sheet(places.keys().map(String::as_str));
    if !sheet.unknown.is_empty() {
        let mut unknown: Vec<Unknown> = sheet
            .unknown
            .into_iter()
            .map(|class| {
                let (file, line) = places[&class].clone();
                Unknown { file, line, class }
            })
            .collect();
        unknown.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        return Err(StyleError::Unknown(unknown));
    }
    Ok(format!("@layer base,components,utilities;\n{}{}", sheet::compact(BASE), sheet.css))
}

fn rust_files(folder: &Path) -> Result<Vec<PathBuf>, StyleError> {
    let failed = |source| StyleError::Read { path: folder.to_owned(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
