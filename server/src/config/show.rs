//! Settings written for people: a sample file, the README's table, and what is in force.

use std::fmt::Write as _;

use super::{ENTRIES, Entry, Loaded};

/// Returns a settings file with every setting at its default and explained.
pub fn sample() -> String {
    let mut text = String::from(
        "# Settings of Doorward. Every line is a default; take away the # to change one.\n\
         # A variable DOORWARD_NAME in capitals wins over this file.\n",
    );
    for entry in ENTRIES {
        text.push('\n');
        for line in entry.doc {
            let _ = writeln!(text, "#{line}");
        }
        let quoted = if entry.default.parse::<u64>().is_ok() {
            entry.default.to_owned()
        } else {
            format!("{:?}", entry.default)
        };
        let _ = writeln!(text, "#{} = {quoted}", entry.name);
        if let Some(name) = entry.file_name() {
            let _ = writeln!(text, "#{name} = \"\"");
        }
    }
    text
}

/// Returns the table of settings for the README, as Markdown.
pub fn table() -> String {
    let mut text = String::from("| file | variable | default | what it is |\n| --- | --- | --- | --- |\n");
    for entry in ENTRIES {
        let default =
            if entry.default.is_empty() { "–".to_owned() } else { format!("`{}`", entry.default) };
        let _ = writeln!(
            text,
            "| `{}` | `{}`{} | {default} | {} |",
            entry.name,
            entry.variable(),
            if entry.file_name().is_some() { " or `…_FILE`" } else { "" },
            doc(entry),
        );
    }
    text
}

fn doc(entry: &Entry) -> String {
    let words: Vec<&str> = entry.doc.iter().map(|line| line.trim()).collect();
    words.join(" ").replace('|', "\\|")
}

/// Returns the settings in force, a line each with the place where it was said; secrets as stars.
pub fn effective(loaded: &Loaded) -> String {
    let mut text = String::new();
    for (name, value) in loaded.settings.texts() {
        let origin = loaded.origins.iter().find(|(said, _)| *said == name);
        let origin = origin.map_or_else(|| "default".to_owned(), |(_, origin)| origin.to_string());
        let value = if value.is_empty() { "–" } else { &value };
        let _ = writeln!(text, "{name:<22} {value:<40} {origin}");
    }
    text
}
