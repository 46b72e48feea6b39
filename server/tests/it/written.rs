//! Statements that count the events in a database, whoever has it open.

/// Returns the statement that counts events of the kinds for which this holds.
macro_rules! written {
    ($which:literal) => {
        concat!(
            "select cast(coalesce(sum(b.events), 0) as bigint) from audit_kinds k
                join audit_block_kinds b on b.tenant_id = k.tenant_id and b.kind = k.kind where ",
            $which
        )
    };
}
pub(crate) use written;

/// How many calls are written down.
pub(crate) const CALLS: &str = written!("k.action = 'tool_call'");
