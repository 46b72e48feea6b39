-- Analyses of applications, with what they found, and how many of them a person began in a month.
create table analyses (
    tenant_id blob not null references organisations (id) on delete cascade,
    id blob not null,
    -- Null once the source is removed; its name stays.
    source_id blob references sources (id) on delete set null,
    source_name text not null,
    app_id text not null,
    attempt text,
    app_name text not null,
    state text not null,
    -- Who began it, and is charged for it.
    begun_by blob references users (id) on delete set null,
    begun_by_handle text not null,
    begun_at integer not null,
    ended_at integer,
    -- While it runs, the process that runs it moves this on; when it is over, that process is gone.
    alive_until integer not null,
    steps text not null,
    tally text not null,
    failure text,
    report text,
    narrative text,
    rewritten text,
    rewritten_by text,
    primary key (tenant_id, id)
) strict;
create index analyses_running on analyses (begun_by, alive_until) where state = 'running';
create index analyses_source on analyses (source_id) where source_id is not null;

-- Beside the calls of the month.
alter table quotas add column analyses integer not null default 0;
