-- Events are kept in blocks: those of one commit in one row, a row for each kind of them that leads there. The program
-- moves what `audit_events` holds into blocks when it opens the database; nothing is written there any more, and programs
-- of before read nothing else, which is why this takes something away from them.
create table audit_blocks (
    tenant_id blob not null,
    -- The numbers of the first event and of the last.
    first_seq integer not null,
    last_seq integer not null,
    -- When the earliest of its events was, and the latest: a minute apart at most.
    from_at integer not null,
    to_at integer not null,
    -- The least of their ids and the greatest.
    min_id blob not null,
    max_id blob not null,
    -- The hash of the event before the first.
    prev blob not null,
    -- Their ids, 16 bytes each, and everything else of them, as `src/chain/block.rs` writes it.
    ids blob not null,
    body blob not null,
    primary key (tenant_id, last_seq)
) strict;
create index audit_blocks_at on audit_blocks (tenant_id, to_at, last_seq, from_at);
create index audit_blocks_id on audit_blocks (tenant_id, max_id, min_id);

-- Which kinds of events are in which blocks, and how many of each.
create table audit_block_kinds (
    tenant_id blob not null,
    kind blob not null,
    to_at integer not null,
    last_seq integer not null,
    from_at integer not null,
    events integer not null,
    primary key (tenant_id, kind, to_at, last_seq)
) strict, without rowid;
create index audit_block_kinds_at on audit_block_kinds (tenant_id, to_at, last_seq, kind, from_at);

-- What was recorded is not rewritten, but parts of it may be erased; only retention removes it, after it has moved the
-- mark.
create trigger audit_blocks_stay before update on audit_blocks
when not (
    new.tenant_id is old.tenant_id and new.first_seq is old.first_seq and new.last_seq is old.last_seq
    and new.from_at is old.from_at and new.to_at is old.to_at and new.min_id is old.min_id
    and new.max_id is old.max_id and new.prev is old.prev and new.ids is old.ids
)
begin
    select raise(abort, 'audit events are not changed');
end;
create trigger audit_blocks_last before delete on audit_blocks
when old.last_seq > coalesce((select pruned_seq from audit_heads where tenant_id = old.tenant_id), 0)
begin
    select raise(abort, 'audit events are removed by retention only');
end;

-- Events of before go once a block holds them.
drop trigger audit_events_last;
create trigger audit_events_last before delete on audit_events
when not exists (
    select 1 from audit_blocks b
    where b.tenant_id = old.tenant_id and b.last_seq >= old.seq and b.first_seq <= old.seq
)
begin
    select raise(abort, 'audit events are removed by retention only');
end;
-- Nothing searches them any more.
drop index audit_events_at;
drop index audit_events_kind;
drop index audit_events_unsorted;
