-- How fast calls may come, and which are made once: what owners say, as JSON or as a rate. Null = nothing.
alter table presets add column call_rules text;
alter table sources add column call_rules text;
alter table api_keys add column rate text;
alter table plans add column rate text;

-- Calls that are made once, with what came of them.
create table calls_once (
    tenant_id uuid not null references organisations (id) on delete cascade,
    -- SHA-256 of who calls what with which key.
    id bytea not null,
    -- Of the one call that is made.
    claim uuid not null,
    -- SHA-256 of the arguments: another call under the same key is refused.
    digest bytea not null,
    state text not null,
    begun_at bigint not null,
    -- While it runs, the process that runs it moves this on; when it is over, that process is gone.
    alive_until bigint not null,
    -- When it is forgotten.
    ends_at bigint not null,
    -- The answer, sealed, and its size.
    answer text,
    bytes bigint not null,
    primary key (tenant_id, id)
);
create index calls_once_age on calls_once (tenant_id, begun_at);
create index calls_once_end on calls_once (ends_at);

alter table calls_once enable row level security;
alter table calls_once force row level security;
create policy of_the_owner on calls_once to current_user using (true);
create policy of_the_instance on calls_once to doorward_system
    using ((select has_table_privilege(session_user, 'public.sources', 'select')));
grant select, delete on calls_once to doorward_system;
create policy of_the_organisation on calls_once
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

-- A key is found with its rate beside what it was found with before, by whoever could before.
do $$
declare
    callers name[] := array(
        select pg_get_userbyid(grantee) from pg_proc, aclexplode(proacl)
        where pg_proc.oid = 'find_api_key(uuid)'::regprocedure and grantee <> 0
    );
    caller name;
begin
    drop function find_api_key(uuid);
    create function find_api_key(wanted uuid)
    returns table (
        tenant_id uuid, id uuid, user_id uuid, name text, secret_hash bytea, scope text, rate text,
        created_at bigint, expires_at bigint, last_used_at bigint, revoked_at bigint,
        user_handle text, tenant_handle text, org_role text, instance_role text, plan text, enabled boolean
    )
    language sql stable security definer set search_path = public, pg_temp
    as $function$
        select k.tenant_id, k.id, k.user_id, k.name, k.secret_hash, k.scope, k.rate,
            k.created_at, k.expires_at, k.last_used_at, k.revoked_at,
            u.handle, o.handle, m.role, u.role, u.plan, u.enabled
        from api_keys k
            join users u on u.id = k.user_id
            join organisations o on o.id = k.tenant_id
            join memberships m on m.tenant_id = k.tenant_id and m.user_id = k.user_id
        where k.id = wanted
    $function$;
    revoke execute on function find_api_key(uuid) from public;
    foreach caller in array callers loop
        execute format('grant execute on function find_api_key(uuid) to %I', caller);
    end loop;
end
$$;

-- What serving needs beside what it needed before.
alter function doorward_grant(name) rename to doorward_grant_before_limits;
create function doorward_grant(app name)
returns void
language plpgsql set search_path = public, pg_temp
as $$
begin
    perform doorward_grant_before_limits(app);
    execute format('grant select, insert, update, delete on calls_once to %I', app);
end
$$;
revoke execute on function doorward_grant(name) from public;
