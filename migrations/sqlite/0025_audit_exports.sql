-- How far the audit log of each organisation is exported.
create table audit_exports (
    tenant_id blob not null primary key,
    -- The last event exported.
    seq integer not null,
    -- The last event of the file that is being written, and when its period began: whoever tries again makes the same.
    planned_seq integer,
    planned_begin integer,
    -- Until when one process has it to itself, or nobody tries again.
    leased_until integer not null,
    -- Why it failed the last time it was tried; empty if it did not.
    failure text not null,
    failed_at integer
) strict;
