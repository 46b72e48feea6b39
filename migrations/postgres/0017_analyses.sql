-- Analyses of applications, with what they found, and how many of them a person began in a month.
create table analyses (
    tenant_id uuid not null references organisations (id) on delete cascade,
    id uuid not null,
    -- Null once the source is removed; its name stays.
    source_id uuid references sources (id) on delete set null,
    source_name text not null,
    app_id text not null,
    attempt text,
    app_name text not null,
    state text not null,
    -- Who began it, and is charged for it.
    begun_by uuid references users (id) on delete set null,
    begun_by_handle text not null,
    begun_at bigint not null,
    ended_at bigint,
    -- While it runs, the process that runs it moves this on; when it is over, that process is gone.
    alive_until bigint not null,
    steps text not null,
    tally text not null,
    failure text,
    report text,
    narrative text,
    rewritten text,
    rewritten_by text,
    primary key (tenant_id, id)
);
create index analyses_running on analyses (begun_by, alive_until) where state = 'running';
create index analyses_source on analyses (source_id) where source_id is not null;

-- Beside the calls of the month.
alter table quotas add column analyses bigint not null default 0;

alter table analyses enable row level security;
alter table analyses force row level security;
create policy of_the_owner on analyses to current_user using (true);
create policy of_the_instance on analyses to doorward_system
    using ((select has_table_privilege(session_user, 'public.sources', 'select')));
grant select, insert, update, delete on analyses to doorward_system;
create policy of_the_organisation on analyses
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

-- What serving needs beside what it needed before.
alter function doorward_grant(name) rename to doorward_grant_before_analyses;
create function doorward_grant(app name)
returns void
language plpgsql set search_path = public, pg_temp
as $$
begin
    perform doorward_grant_before_analyses(app);
    execute format('grant select, update, delete on analyses to %I', app);
end
$$;
revoke execute on function doorward_grant(name) from public;
