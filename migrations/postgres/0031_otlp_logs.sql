-- Run events as OpenTelemetry logs: which trace a call belongs to, and how far each organisation's events were sent.

-- Trace id, span id of the caller, and flags, as W3C Trace Context has them: 16, 8 and 1 bytes. No part of what is chained.
alter table audit_events add column trace bytea;

-- What leads to who it was goes with it.
create or replace function audit_erase(
    of_tenant uuid, of_seq bigint, erase_who boolean, left_of_who bytea, erase_what boolean, left_of_what bytea
)
returns void
language sql security definer set search_path = public, pg_temp
as $$
    update audit_events set
        form = case when form = 1 then 0 else form end,
        user_id = case when erase_who then null else user_id end,
        principal = case when erase_who then '' else principal end,
        key_id = case when erase_who then null else key_id end,
        address = case when erase_who then '' else address end,
        client = case when erase_who then '' else client end,
        argument_digest = case when erase_who then '' else argument_digest end,
        request_id = case when erase_who then '' else request_id end,
        trace = case when erase_who then null else trace end,
        who_hash = case when erase_who and who_salt is not null then left_of_who else who_hash end,
        who_salt = case when erase_who then null else who_salt end,
        subject = case when erase_what then '' else subject end,
        reason = case when erase_what then '' else reason end,
        what_hash = case when erase_what and what_salt is not null then left_of_what else what_hash end,
        what_salt = case when erase_what then null else what_salt end
    where tenant_id = of_tenant and seq = of_seq
$$;

create table otlp_cursors (
    tenant_id uuid primary key references organisations (id) on delete cascade,
    -- The number of the last event sent.
    seq bigint not null
);

alter table otlp_cursors enable row level security;
alter table otlp_cursors force row level security;
create policy of_the_owner on otlp_cursors to current_user using (true);
create policy of_the_instance on otlp_cursors to doorward_system
    using ((select has_table_privilege(session_user, 'public.sources', 'select')));
grant select, insert, update, delete on otlp_cursors to doorward_system;
create policy of_the_organisation on otlp_cursors
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
