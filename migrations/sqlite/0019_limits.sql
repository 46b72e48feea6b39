-- How fast calls may come, and which are made once: what owners say, as JSON or as a rate. Null = nothing.
alter table presets add column call_rules text;
alter table sources add column call_rules text;
alter table api_keys add column rate text;
alter table plans add column rate text;

-- Calls that are made once, with what came of them.
create table calls_once (
    tenant_id blob not null references organisations (id) on delete cascade,
    -- SHA-256 of who calls what with which key.
    id blob not null,
    -- Of the one call that is made.
    claim blob not null,
    -- SHA-256 of the arguments: another call under the same key is refused.
    digest blob not null,
    state text not null,
    begun_at integer not null,
    -- While it runs, the process that runs it moves this on; when it is over, that process is gone.
    alive_until integer not null,
    -- When it is forgotten.
    ends_at integer not null,
    -- The answer, sealed, and its size.
    answer text,
    bytes integer not null,
    primary key (tenant_id, id)
) strict;
create index calls_once_age on calls_once (tenant_id, begun_at);
create index calls_once_end on calls_once (ends_at);
