-- The first schema. `sqlite/` and `postgres/` have the same tables and columns.
-- A unique constraint is named `table.column`, which is what an error says is taken.

create table plans (
    name text not null primary key,
    -- Null is unlimited.
    calls_per_month bigint,
    analyses_per_month bigint,
    concurrent_analyses bigint,
    sources_max bigint,
    retention_days bigint
);

insert into plans (name, calls_per_month, analyses_per_month, concurrent_analyses, sources_max, retention_days)
values
    ('free', 10000, 50, 1, 1, 7),
    ('pro', 1000000, 500, 5, 20, 30),
    ('team', 10000000, 5000, 20, 100, 90),
    ('enterprise', null, null, null, null, null);

create table organisations (
    id uuid not null primary key,
    handle text not null,
    personal_of uuid,
    created_at bigint not null,
    constraint "organisations.handle" unique (handle),
    constraint "organisations.personal_of" unique (personal_of)
);

create table users (
    id uuid not null primary key,
    tenant_id uuid not null references organisations (id),
    handle text not null,
    email text not null,
    password_hash text not null,
    role text not null check (role in ('admin', 'member')),
    plan text not null references plans (name),
    enabled boolean not null,
    created_at bigint not null,
    constraint "users.handle" unique (handle),
    constraint "users.email" unique (email)
);

create table memberships (
    tenant_id uuid not null references organisations (id) on delete cascade,
    user_id uuid not null references users (id) on delete cascade,
    role text not null check (role in ('viewer', 'operator', 'admin')),
    created_at bigint not null,
    primary key (tenant_id, user_id)
);
create index memberships_user on memberships (user_id);

create table browser_sessions (
    tenant_id uuid not null,
    id uuid not null,
    user_id uuid not null,
    -- SHA-256 of the cookie.
    token_hash bytea not null,
    user_agent text not null,
    address text not null,
    created_at bigint not null,
    seen_at bigint not null,
    expires_at bigint not null,
    primary key (tenant_id, id),
    constraint "browser_sessions.token_hash" unique (token_hash),
    foreign key (tenant_id, user_id) references memberships (tenant_id, user_id) on delete cascade
);
create index browser_sessions_user on browser_sessions (user_id);
create index browser_sessions_end on browser_sessions (expires_at);

create table api_keys (
    tenant_id uuid not null,
    id uuid not null,
    user_id uuid not null,
    name text not null,
    -- SHA-256 of the secret half.
    secret_hash bytea not null,
    scope text not null,
    created_at bigint not null,
    expires_at bigint,
    last_used_at bigint,
    revoked_at bigint,
    primary key (tenant_id, id),
    constraint "api_keys.id" unique (id),
    foreign key (tenant_id, user_id) references memberships (tenant_id, user_id) on delete cascade
);

create table sources (
    tenant_id uuid not null references organisations (id) on delete cascade,
    id uuid not null,
    name text not null,
    kind text not null,
    reach text not null,
    auth_kind text not null,
    env_names text not null,
    -- Sealed by the vault; `credential_kid` is the key it is under.
    credential text,
    credential_kid text,
    era text not null,
    verdict text,
    enabled boolean not null,
    health_state text not null,
    health_detail text not null,
    health_at bigint,
    version bigint not null,
    created_at bigint not null,
    updated_at bigint not null,
    primary key (tenant_id, id),
    constraint "sources.id" unique (id),
    constraint "sources.name" unique (tenant_id, name)
);
create index sources_kid on sources (credential_kid) where credential is not null;

create table source_tools (
    tenant_id uuid not null,
    source_id uuid not null,
    name text not null,
    -- As the source sent it, byte for byte.
    definition text not null,
    hash text not null,
    accepted_definition text,
    state text not null,
    seen_at bigint not null,
    primary key (tenant_id, source_id, name),
    foreign key (tenant_id, source_id) references sources (tenant_id, id) on delete cascade
);

create table presets (
    tenant_id uuid not null references organisations (id) on delete cascade,
    id uuid not null,
    slug text not null,
    title text not null,
    description text not null,
    visibility text not null,
    anonymous boolean not null,
    status text not null,
    version bigint not null,
    created_at bigint not null,
    updated_at bigint not null,
    primary key (tenant_id, id),
    constraint "presets.slug" unique (tenant_id, slug)
);

-- A selection names its organisation in both references, so that it cannot reach into another's.
create table preset_sources (
    tenant_id uuid not null,
    preset_id uuid not null,
    source_id uuid not null,
    position bigint not null,
    all_tools boolean not null,
    primary key (tenant_id, preset_id, source_id),
    foreign key (tenant_id, preset_id) references presets (tenant_id, id) on delete cascade,
    foreign key (tenant_id, source_id) references sources (tenant_id, id) on delete cascade
);
create index preset_sources_source on preset_sources (tenant_id, source_id);

create table preset_tools (
    tenant_id uuid not null,
    preset_id uuid not null,
    source_id uuid not null,
    name text not null,
    position bigint not null,
    enabled boolean not null,
    exposed_name text,
    exposed_description text,
    check_arguments boolean not null,
    primary key (tenant_id, preset_id, source_id, name),
    foreign key (tenant_id, preset_id, source_id)
        references preset_sources (tenant_id, preset_id, source_id) on delete cascade
);

create table quotas (
    user_id uuid not null references users (id) on delete cascade,
    -- As yyyymm.
    month integer not null,
    used bigint not null,
    updated_at bigint not null,
    primary key (user_id, month)
);

-- Durations lie in buckets b00 to b39; `Histogram` knows where each ends. Totals by the minute feed
-- charts of a whole organisation; details by the minute are kept for days, by the hour for months.
create table metrics_1m (
    tenant_id uuid not null,
    at bigint not null,
    calls bigint not null,
    errors bigint not null,
    duration_us_sum bigint not null,
    duration_us_max bigint not null,
    b00 bigint not null, b01 bigint not null, b02 bigint not null, b03 bigint not null, b04 bigint not null,
    b05 bigint not null, b06 bigint not null, b07 bigint not null, b08 bigint not null, b09 bigint not null,
    b10 bigint not null, b11 bigint not null, b12 bigint not null, b13 bigint not null, b14 bigint not null,
    b15 bigint not null, b16 bigint not null, b17 bigint not null, b18 bigint not null, b19 bigint not null,
    b20 bigint not null, b21 bigint not null, b22 bigint not null, b23 bigint not null, b24 bigint not null,
    b25 bigint not null, b26 bigint not null, b27 bigint not null, b28 bigint not null, b29 bigint not null,
    b30 bigint not null, b31 bigint not null, b32 bigint not null, b33 bigint not null, b34 bigint not null,
    b35 bigint not null, b36 bigint not null, b37 bigint not null, b38 bigint not null, b39 bigint not null,
    primary key (tenant_id, at)
);

create table metrics_1m_by (
    tenant_id uuid not null,
    at bigint not null,
    -- The nil id is none.
    preset_id uuid not null,
    source_id uuid not null,
    tool text not null,
    calls bigint not null,
    errors bigint not null,
    duration_us_sum bigint not null,
    duration_us_max bigint not null,
    b00 bigint not null, b01 bigint not null, b02 bigint not null, b03 bigint not null, b04 bigint not null,
    b05 bigint not null, b06 bigint not null, b07 bigint not null, b08 bigint not null, b09 bigint not null,
    b10 bigint not null, b11 bigint not null, b12 bigint not null, b13 bigint not null, b14 bigint not null,
    b15 bigint not null, b16 bigint not null, b17 bigint not null, b18 bigint not null, b19 bigint not null,
    b20 bigint not null, b21 bigint not null, b22 bigint not null, b23 bigint not null, b24 bigint not null,
    b25 bigint not null, b26 bigint not null, b27 bigint not null, b28 bigint not null, b29 bigint not null,
    b30 bigint not null, b31 bigint not null, b32 bigint not null, b33 bigint not null, b34 bigint not null,
    b35 bigint not null, b36 bigint not null, b37 bigint not null, b38 bigint not null, b39 bigint not null,
    primary key (tenant_id, at, preset_id, source_id, tool)
);
create index metrics_1m_by_at on metrics_1m_by (at);

create table metrics_1h (
    tenant_id uuid not null,
    at bigint not null,
    preset_id uuid not null,
    source_id uuid not null,
    tool text not null,
    calls bigint not null,
    errors bigint not null,
    duration_us_sum bigint not null,
    duration_us_max bigint not null,
    b00 bigint not null, b01 bigint not null, b02 bigint not null, b03 bigint not null, b04 bigint not null,
    b05 bigint not null, b06 bigint not null, b07 bigint not null, b08 bigint not null, b09 bigint not null,
    b10 bigint not null, b11 bigint not null, b12 bigint not null, b13 bigint not null, b14 bigint not null,
    b15 bigint not null, b16 bigint not null, b17 bigint not null, b18 bigint not null, b19 bigint not null,
    b20 bigint not null, b21 bigint not null, b22 bigint not null, b23 bigint not null, b24 bigint not null,
    b25 bigint not null, b26 bigint not null, b27 bigint not null, b28 bigint not null, b29 bigint not null,
    b30 bigint not null, b31 bigint not null, b32 bigint not null, b33 bigint not null, b34 bigint not null,
    b35 bigint not null, b36 bigint not null, b37 bigint not null, b38 bigint not null, b39 bigint not null,
    primary key (tenant_id, at, preset_id, source_id, tool)
);

-- One chain for each organisation. History outlives what it names, so nothing here is a reference.
create table audit_heads (
    tenant_id uuid not null primary key,
    seq bigint not null,
    hash bytea not null,
    -- Where retention cut the chain: the last event removed.
    pruned_seq bigint not null,
    pruned_hash bytea not null
);

create table audit_events (
    tenant_id uuid not null,
    seq bigint not null,
    id uuid not null,
    at bigint not null,
    action text not null,
    outcome text not null,
    reason text not null,
    user_id uuid,
    principal text not null,
    key_id uuid,
    address text not null,
    client text not null,
    revision text not null,
    preset_id uuid,
    preset_slug text not null,
    source_id uuid,
    source_name text not null,
    subject text not null,
    duration_us bigint not null,
    request_bytes bigint not null,
    response_bytes bigint not null,
    argument_digest text not null,
    request_id text not null,
    prev bytea not null,
    hash bytea not null,
    primary key (tenant_id, seq),
    constraint "audit_events.id" unique (tenant_id, id)
);
create index audit_events_at on audit_events (tenant_id, at, seq);
create index audit_events_preset on audit_events (tenant_id, preset_id, at, seq);

create table vault_canary (
    id bigint not null primary key check (id = 1),
    sealed text not null
);

-- Row-level security. Three kinds of role:
--   the owner runs this file and owns the functions below; nobody serves with it;
--   the serving role (any name) sees the rows of the organisation its transaction names;
--   doorward_system sees all rows, cannot log in, and is stepped into with `set local role` by
--   transactions of the instance as a whole. The serving role is a member that does not inherit.
--   Roles belong to all databases of a server, so it sees rows only in the name of a role that was
--   admitted to this one.
do $$
begin
    if not exists (select from pg_roles where rolname = 'doorward_system') then
        create role doorward_system nologin;
    end if;
end
$$;
grant usage on schema public to doorward_system;

do $$
declare
    tab text;
begin
    foreach tab in array array[
        'plans', 'organisations', 'users', 'memberships', 'browser_sessions',
        'api_keys', 'sources', 'source_tools', 'presets', 'preset_sources', 'preset_tools', 'quotas',
        'metrics_1m', 'metrics_1m_by', 'metrics_1h', 'audit_heads', 'audit_events', 'vault_canary'
    ]
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
        execute format('grant select, insert, update, delete on %I to doorward_system', tab);
    end loop;

    -- After a `set local` the setting reads as an empty text, so that is taken for none.
    foreach tab in array array[
        'memberships', 'browser_sessions', 'api_keys', 'sources', 'source_tools', 'presets',
        'preset_sources', 'preset_tools', 'metrics_1m', 'metrics_1m_by', 'metrics_1h', 'audit_heads',
        'audit_events'
    ]
    loop
        execute format(
            $policy$
                create policy of_the_organisation on %I
                    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
                    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
            $policy$,
            tab
        );
    end loop;
end
$$;
create policy of_the_organisation on organisations for select
    using (id = nullif(current_setting('app.tenant_id', true), '')::uuid);

-- What was recorded is not rewritten.
revoke update on audit_events from doorward_system;

-- The questions that come before the organisation is known, and the charge of a call: each is a
-- function of the owner's with a fixed search path, so that the serving role can ask that and
-- nothing else, in one round trip.
create function find_api_key(wanted uuid)
returns table (
    tenant_id uuid, id uuid, user_id uuid, name text, secret_hash bytea, scope text,
    created_at bigint, expires_at bigint, last_used_at bigint, revoked_at bigint,
    user_handle text, tenant_handle text, org_role text, instance_role text, plan text, enabled boolean
)
language sql stable security definer set search_path = public, pg_temp
as $$
    select k.tenant_id, k.id, k.user_id, k.name, k.secret_hash, k.scope,
        k.created_at, k.expires_at, k.last_used_at, k.revoked_at,
        u.handle, o.handle, m.role, u.role, u.plan, u.enabled
    from api_keys k
        join users u on u.id = k.user_id
        join organisations o on o.id = k.tenant_id
        join memberships m on m.tenant_id = k.tenant_id and m.user_id = k.user_id
    where k.id = wanted
$$;

create function find_browser_session(wanted bytea, at_time bigint)
returns table (
    tenant_id uuid, id uuid, user_id uuid, user_agent text, address text,
    created_at bigint, seen_at bigint, expires_at bigint,
    user_handle text, tenant_handle text, org_role text, instance_role text, plan text, enabled boolean
)
language sql stable security definer set search_path = public, pg_temp
as $$
    select s.tenant_id, s.id, s.user_id, s.user_agent, s.address,
        s.created_at, s.seen_at, s.expires_at,
        u.handle, o.handle, m.role, u.role, u.plan, u.enabled
    from browser_sessions s
        join users u on u.id = s.user_id
        join organisations o on o.id = s.tenant_id
        join memberships m on m.tenant_id = s.tenant_id and m.user_id = s.user_id
    where s.token_hash = wanted and s.expires_at > at_time and u.enabled
$$;

create function find_preset_by_address(owner_handle text, wanted text)
returns setof presets
language sql stable security definer set search_path = public, pg_temp
as $$
    select p.* from presets p
        join organisations o on o.id = p.tenant_id
    where o.handle = owner_handle and p.slug = wanted
$$;

create function quota_take(who uuid, in_month integer, n bigint, at_most bigint, at_time bigint)
returns setof bigint
language sql volatile security definer set search_path = public, pg_temp
as $$
    insert into quotas as q (user_id, month, used, updated_at)
    select who, in_month, n, at_time where at_most is null or n <= at_most
    on conflict (user_id, month) do update
        set used = q.used + excluded.used, updated_at = excluded.updated_at
        where at_most is null or q.used + excluded.used <= at_most
    returning q.used
$$;

create function quota_give_back(who uuid, in_month integer, n bigint, at_time bigint)
returns void
language sql volatile security definer set search_path = public, pg_temp
as $$
    update quotas set used = case when used > n then used - n else 0 end, updated_at = at_time
    where user_id = who and month = in_month
$$;

create function quota_used(who uuid, in_month integer)
returns bigint
language sql stable security definer set search_path = public, pg_temp
as $$
    select coalesce((select used from quotas where user_id = who and month = in_month), 0)
$$;

-- Gives a role what serving needs, and no more. The program calls it after migrating; by hand:
-- `select doorward_grant('doorward_app')`.
create function doorward_grant(app name)
returns void
language plpgsql set search_path = public, pg_temp
as $$
begin
    execute format('grant usage on schema public to %I', app);
    execute format('grant select on _sqlx_migrations to %I', app);
    execute format(
        'grant select on organisations, memberships, metrics_1m, metrics_1m_by, metrics_1h, audit_events to %I',
        app
    );
    execute format(
        'grant select, insert, update, delete on
            api_keys, sources, source_tools, presets, preset_sources, preset_tools to %I',
        app
    );
    execute format(
        'grant execute on function find_api_key(uuid), find_browser_session(bytea, bigint),
            find_preset_by_address(text, text), quota_take(uuid, integer, bigint, bigint, bigint),
            quota_give_back(uuid, integer, bigint, bigint), quota_used(uuid, integer) to %I',
        app
    );
    -- A member that inherits would see all rows all the time.
    if current_setting('server_version_num')::integer >= 160000 then
        if not pg_has_role(app, 'doorward_system', 'SET') or pg_has_role(app, 'doorward_system', 'USAGE') then
            execute format('grant doorward_system to %I with inherit false, set true', app);
        end if;
    else
        if not pg_has_role(app, 'doorward_system', 'MEMBER') then
            execute format('grant doorward_system to %I', app);
        end if;
        if pg_has_role(app, 'doorward_system', 'USAGE') then
            execute format('alter role %I noinherit', app);
        end if;
    end if;
end
$$;

revoke execute on function find_api_key(uuid), find_browser_session(bytea, bigint),
    find_preset_by_address(text, text), quota_take(uuid, integer, bigint, bigint, bigint),
    quota_give_back(uuid, integer, bigint, bigint), quota_used(uuid, integer), doorward_grant(name)
    from public;
