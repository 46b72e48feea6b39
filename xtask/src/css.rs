//! `cargo xtask css`: what a class becomes, in the form of `style/tests/golden.txt`.

use anyhow::{Result, bail};

use crate::process::root;

/// Prints the rules of `classes`, or the whole sheet of the console when there are none.
pub(crate) fn run(classes: &[String]) -> Result<()> {
    if classes.is_empty() {
        print!("{}", style::build(&root().join("app/src"))?);
        return Ok(());
    }
    for class in classes {
        let sheet = style::sheet([class.as_str()]);
        if !sheet.unknown.is_empty() {
            bail!("no rule for `{class}`");
        }
        let rules = sheet.css.trim_start_matches("@layer utilities{\n").trim_end_matches("}\n");
        println!("# {class}\n{rules}");
    }
    Ok(())
}
