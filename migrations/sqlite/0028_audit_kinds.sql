-- Kinds of events: what many events have in common, kept once. Whatever is asked about its words is asked of the kinds,
-- and one index leads from a kind to its newest events.
create table audit_kinds (
    tenant_id blob not null,
    kind blob not null,
    action text not null,
    outcome text not null,
    user_id blob,
    preset_id blob,
    reason text not null,
    principal text not null,
    address text not null,
    client text not null,
    preset_slug text not null,
    source_name text not null,
    subject text not null,
    primary key (tenant_id, kind)
) strict;

-- Null until the program has looked at an event that was recorded before there were kinds.
alter table audit_events add column kind blob;
create index audit_events_kind on audit_events (tenant_id, kind, at, seq);
create index audit_events_unsorted on audit_events (tenant_id, at, seq) where kind is null;
-- Presets are found by kinds.
drop index audit_events_preset;
