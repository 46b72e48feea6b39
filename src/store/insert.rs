//! Many rows in few statements.

use sqlx::Sqlite;

/// The rows of one insert. The largest binds less than the 32 766 parameters that SQLite takes.
const PIECES: [usize; 3] = [128, 16, 1];

/// Cuts the rows of an insert into pieces of a few sizes only, so that few different statements are
/// prepared and kept.
pub(super) fn pieces<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = PIECES.into_iter().find(|size| *size <= rows.len())?;
        let (piece, rest) = rows.split_at(size);
        rows = rest;
        Some(piece)
    })
}

/// The texts of an insert, one for each size of [`pieces`]. They are written once: putting thousands of parameters into
/// words costs more than their values do.
pub(super) struct Insert {
    sqlite: [String; PIECES.len()],
    postgres: [String; PIECES.len()],
}

impl Insert {
    /// Writes them for a table, its columns, and what follows the rows. On SQLite a row that breaks a constraint ends the
    /// whole transaction.
    pub(super) fn new(table: &str, columns: &[&str], end: &str) -> Self {
        let head = format!("into {table} ({}) values", columns.join(", "));
        let texts = |insert: &str, parameter: fn(usize) -> String| {
            let row = |row: usize| {
                let first = row * columns.len() + 1;
                let parameters: Vec<_> = (first..first + columns.len()).map(parameter).collect();
                format!("({})", parameters.join(", "))
            };
            PIECES.map(|rows| {
                let rows: Vec<_> = (0..rows).map(row).collect();
                format!("{insert} {head} {} {end}", rows.join(", "))
            })
        };
        Self {
            // SQLite looks numbered parameters up one by one, each time from the first: with thousands of them that
            // takes longer than all the rest. And to take back one statement of a transaction it would copy every
            // page the statement touches; where a row that does not fit ends the transaction, it need not.
            sqlite: texts("insert or rollback", |_| "?".to_owned()),
            postgres: texts("insert", |number| format!("${number}")),
        }
    }

    /// Returns the text for a piece of this size.
    pub(super) fn of<D: sqlx::Database>(&self, rows: usize) -> &str {
        let texts = if D::NAME == <Sqlite as sqlx::Database>::NAME { &self.sqlite } else { &self.postgres };
        let place = PIECES.iter().position(|size| *size == rows);
        &texts[place.expect("pieces are of these sizes only")]
    }
}

/// Inserts rows into the table of an [`Insert`], each with these values for its columns.
macro_rules! insert {
    ($tx:expr, $insert:expr, $rows:expr, |$row:pat_param| [$($value:expr),+ $(,)?]) => {
        for piece in $crate::store::insert::pieces(&$rows) {
            $crate::store::on!($tx, |c: Driver| {
                let mut statement = ::sqlx::query::<Driver>($insert.of::<Driver>(piece.len()));
                for $row in piece {
                    statement = statement$(.bind($value))+;
                }
                statement.execute(c).await.map(drop)
            })?;
        }
    };
}
pub(super) use insert;
