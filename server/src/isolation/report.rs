//! The proof as a table for people.

use std::fmt::Write as _;

use doorward::store::Reached;

use super::proof::{Proof, Tried, is_shut};

/// Returns as text what was tried on a database of this name, and what came of it.
pub fn report(database: &str, proof: &Proof) -> String {
    let mut text = format!("{database}: what others are answered about what is somebody's\n\n");
    let width = proof.tried.iter().map(|tried| tried.what.len()).max().unwrap_or(0);
    let mut line = |what: &str, columns: [&str; 5]| {
        let [nobody, stranger, admin, owner, verdict] = columns;
        let _ =
            writeln!(text, "{what:<width$}  {nobody:>6}  {stranger:>8}  {admin:>5}  {owner:>6}  {verdict}");
    };
    line("", ["nobody", "stranger", "admin", "owner", ""]);
    for tried in &proof.tried {
        let admin = tried.admin.map_or_else(|| "-".to_owned(), |status| status.as_u16().to_string());
        let owner = format!("{}{}", tried.owner.as_u16(), if tried.owner_changed { "*" } else { "" });
        let columns = [tried.nobody.as_str(), tried.stranger.as_str(), &admin, &owner, &verdict(tried)];
        line(&tried.what, columns);
    }
    text.push_str("\n* the owner changed something by it; the others never did where nothing is said\n");
    for untried in &proof.untried {
        let _ = writeln!(text, "NOT TRIED  {untried}");
    }
    match &proof.tables {
        Some(tables) => report_tables(tables, &mut text),
        None => text
            .push_str("\nSQLite has no row-level security: the code alone stands between organisations.\n"),
    }
    let flawed = proof.tried.iter().filter(|tried| !tried.flaws.is_empty()).count();
    let open = proof.tables.iter().flatten().filter(|table| !is_shut(table)).count();
    let _ = writeln!(
        text,
        "\n{database}: {} operations tried, {flawed} of them tell or change what they should not; {} tables asked past \
         the code, {open} of them open; {} operations not tried",
        proof.tried.len(),
        proof.tables.as_ref().map_or(0, Vec::len),
        proof.untried.len()
    );
    text
}

fn verdict(tried: &Tried) -> String {
    if !tried.flaws.is_empty() {
        return format!("BAD: {}", tried.flaws.join("; "));
    }
    match tried.names_something {
        true => "as if it were not there".to_owned(),
        false => "nothing of the owner's".to_owned(),
    }
}

fn report_tables(tables: &[Reached], text: &mut String) {
    text.push_str("\nRows of one organisation, asked for past the code in the name of another\n\n");
    let width = tables.iter().map(|reached| reached.table.len()).max().unwrap_or(0);
    let _ =
        writeln!(text, "{:<width$}  {:>5}  {:>5}  {:>7}  {:>7}", "", "there", "read", "changed", "planted");
    for reached in tables {
        let read = reached.read.map_or_else(|| "shut".to_owned(), |read| read.to_string());
        let planted = if reached.planted { "yes" } else { "no" };
        let bad = if is_shut(reached) { "" } else { "  BAD" };
        let _ = writeln!(
            text,
            "{:<width$}  {:>5}  {read:>5}  {:>7}  {planted:>7}{bad}",
            reached.table, reached.there, reached.changed
        );
    }
}
