-- Kinds of events: what many events have in common, kept once. Whatever is asked about its words is asked of the kinds,
-- and one index leads from a kind to its newest events.
create table audit_kinds (
    tenant_id uuid not null,
    kind bytea not null,
    action text not null,
    outcome text not null,
    user_id uuid,
    preset_id uuid,
    reason text not null,
    principal text not null,
    address text not null,
    client text not null,
    preset_slug text not null,
    source_name text not null,
    subject text not null,
    primary key (tenant_id, kind)
);

-- Null until the program has looked at an event that was recorded before there were kinds.
alter table audit_events add column kind bytea;
create index audit_events_kind on audit_events (tenant_id, kind, at, seq);
create index audit_events_unsorted on audit_events (tenant_id, at, seq) where kind is null;
-- Presets are found by kinds.
drop index audit_events_preset;

alter table audit_kinds enable row level security;
alter table audit_kinds force row level security;
create policy of_the_owner on audit_kinds to current_user using (true);
create policy of_the_instance on audit_kinds to doorward_system
    using ((select has_table_privilege(session_user, 'public.sources', 'select')));
grant select, insert, delete on audit_kinds to doorward_system;
create policy of_the_organisation on audit_kinds
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
-- A kind follows from what was recorded, and is no part of it.
grant update (kind) on audit_events to doorward_system;

-- What serving needs beside what it needed before.
alter function doorward_grant(name) rename to doorward_grant_before_audit_kinds;
create function doorward_grant(app name)
returns void
language plpgsql set search_path = public, pg_temp
as $$
begin
    perform doorward_grant_before_audit_kinds(app);
    execute format('grant select on audit_kinds to %I', app);
end
$$;
revoke execute on function doorward_grant(name) from public;
