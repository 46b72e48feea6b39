-- The audit log proves itself: checkpoints that are signed, and events of which what names people can be erased.

-- How the hash was made: 1 of the event as a whole, 2 with the hashes of two parts, each with a salt of its own,
-- 0 as a whole and then something was erased.
alter table audit_events add column form bigint not null default 1;
-- A part that was erased has its hash in place of its salt.
alter table audit_events add column who_salt bytea;
alter table audit_events add column who_hash bytea;
alter table audit_events add column what_salt bytea;
alter table audit_events add column what_hash bytea;

-- The keys of the installation that checkpoints are signed with; the newest signs.
create table audit_keys (
    id uuid not null primary key,
    public_key bytea not null,
    -- What the private half is made of.
    sealed text not null,
    sealed_kid text not null,
    created_at bigint not null
);

create table audit_checkpoints (
    tenant_id uuid not null,
    seq bigint not null,
    hash bytea not null,
    at bigint not null,
    key text not null,
    signature bytea not null,
    primary key (tenant_id, seq)
);

do $$
declare
    tab text;
begin
    foreach tab in array array['audit_keys', 'audit_checkpoints']
    loop
        execute format('alter table %I enable row level security', tab);
        execute format('alter table %I force row level security', tab);
        execute format('create policy of_the_owner on %I to current_user using (true)', tab);
        execute format(
            $policy$
                create policy of_the_instance on %I to doorward_system
                    using ((select has_table_privilege(session_user, 'public.sources', 'select')))
            $policy$,
            tab
        );
    end loop;
end
$$;
create policy of_the_organisation on audit_checkpoints
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
grant select, insert, update on audit_keys to doorward_system;
-- What was signed is neither changed nor removed.
grant select, insert on audit_checkpoints to doorward_system;

-- What was recorded is not rewritten, but a part of it may be erased: by this function, and by nothing else.
create function audit_erase(
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
        who_hash = case when erase_who and who_salt is not null then left_of_who else who_hash end,
        who_salt = case when erase_who then null else who_salt end,
        subject = case when erase_what then '' else subject end,
        reason = case when erase_what then '' else reason end,
        what_hash = case when erase_what and what_salt is not null then left_of_what else what_hash end,
        what_salt = case when erase_what then null else what_salt end
    where tenant_id = of_tenant and seq = of_seq
$$;
revoke execute on function audit_erase(uuid, bigint, boolean, bytea, boolean, bytea) from public;
grant execute on function audit_erase(uuid, bigint, boolean, bytea, boolean, bytea) to doorward_system;

-- What serving needs beside what it needed before.
alter function doorward_grant(name) rename to doorward_grant_before_audit_proof;
create function doorward_grant(app name)
returns void
language plpgsql set search_path = public, pg_temp
as $$
begin
    perform doorward_grant_before_audit_proof(app);
    execute format('grant select on audit_checkpoints to %I', app);
end
$$;
revoke execute on function doorward_grant(name) from public;
