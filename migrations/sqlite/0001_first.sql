-- The first schema. `sqlite/` and `postgres/` have the same tables and columns.
-- An id is 16 bytes, true is 1, a time is milliseconds since 1970.

create table plans (
    name text not null primary key,
    -- Null is unlimited.
    calls_per_month integer,
    analyses_per_month integer,
    concurrent_analyses integer,
    sources_max integer,
    retention_days integer
) strict;

insert into plans (name, calls_per_month, analyses_per_month, concurrent_analyses, sources_max, retention_days)
values
    ('free', 10000, 50, 1, 1, 7),
    ('pro', 1000000, 500, 5, 20, 30),
    ('team', 10000000, 5000, 20, 100, 90),
    ('enterprise', null, null, null, null, null);

create table organisations (
    id blob not null primary key,
    handle text not null,
    personal_of blob,
    created_at integer not null,
    unique (handle),
    unique (personal_of)
) strict;

create table users (
    id blob not null primary key,
    tenant_id blob not null references organisations (id),
    handle text not null,
    email text not null,
    password_hash text not null,
    role text not null check (role in ('admin', 'member')),
    plan text not null references plans (name),
    enabled integer not null,
    created_at integer not null,
    unique (handle),
    unique (email)
) strict;

create table memberships (
    tenant_id blob not null references organisations (id) on delete cascade,
    user_id blob not null references users (id) on delete cascade,
    role text not null check (role in ('viewer', 'operator', 'admin')),
    created_at integer not null,
    primary key (tenant_id, user_id)
) strict;
create index memberships_user on memberships (user_id);

create table browser_sessions (
    tenant_id blob not null,
    id blob not null,
    user_id blob not null,
    -- SHA-256 of the cookie.
    token_hash blob not null,
    user_agent text not null,
    address text not null,
    created_at integer not null,
    seen_at integer not null,
    expires_at integer not null,
    primary key (tenant_id, id),
    unique (token_hash),
    foreign key (tenant_id, user_id) references memberships (tenant_id, user_id) on delete cascade
) strict;
create index browser_sessions_user on browser_sessions (user_id);
create index browser_sessions_end on browser_sessions (expires_at);

create table api_keys (
    tenant_id blob not null,
    id blob not null,
    user_id blob not null,
    name text not null,
    -- SHA-256 of the secret half.
    secret_hash blob not null,
    scope text not null,
    created_at integer not null,
    expires_at integer,
    last_used_at integer,
    revoked_at integer,
    primary key (tenant_id, id),
    unique (id),
    foreign key (tenant_id, user_id) references memberships (tenant_id, user_id) on delete cascade
) strict;

create table sources (
    tenant_id blob not null references organisations (id) on delete cascade,
    id blob not null,
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
    enabled integer not null,
    health_state text not null,
    health_detail text not null,
    health_at integer,
    version integer not null,
    created_at integer not null,
    updated_at integer not null,
    primary key (tenant_id, id),
    unique (id),
    unique (tenant_id, name)
) strict;
create index sources_kid on sources (credential_kid) where credential is not null;

create table source_tools (
    tenant_id blob not null,
    source_id blob not null,
    name text not null,
    -- As the source sent it, byte for byte.
    definition text not null,
    hash text not null,
    accepted_definition text,
    state text not null,
    seen_at integer not null,
    primary key (tenant_id, source_id, name),
    foreign key (tenant_id, source_id) references sources (tenant_id, id) on delete cascade
) strict;

create table presets (
    tenant_id blob not null references organisations (id) on delete cascade,
    id blob not null,
    slug text not null,
    title text not null,
    description text not null,
    visibility text not null,
    anonymous integer not null,
    status text not null,
    version integer not null,
    created_at integer not null,
    updated_at integer not null,
    primary key (tenant_id, id),
    unique (tenant_id, slug)
) strict;

-- A selection names its organisation in both references, so that it cannot reach into another's.
create table preset_sources (
    tenant_id blob not null,
    preset_id blob not null,
    source_id blob not null,
    position integer not null,
    all_tools integer not null,
    primary key (tenant_id, preset_id, source_id),
    foreign key (tenant_id, preset_id) references presets (tenant_id, id) on delete cascade,
    foreign key (tenant_id, source_id) references sources (tenant_id, id) on delete cascade
) strict;
create index preset_sources_source on preset_sources (tenant_id, source_id);

create table preset_tools (
    tenant_id blob not null,
    preset_id blob not null,
    source_id blob not null,
    name text not null,
    position integer not null,
    enabled integer not null,
    exposed_name text,
    exposed_description text,
    check_arguments integer not null,
    primary key (tenant_id, preset_id, source_id, name),
    foreign key (tenant_id, preset_id, source_id)
        references preset_sources (tenant_id, preset_id, source_id) on delete cascade
) strict;

create table quotas (
    user_id blob not null references users (id) on delete cascade,
    -- As yyyymm.
    month integer not null,
    used integer not null,
    updated_at integer not null,
    primary key (user_id, month)
) strict;

-- Durations lie in buckets b00 to b39; `Histogram` knows where each ends. Totals by the minute feed
-- charts of a whole organisation; details by the minute are kept for days, by the hour for months.
create table metrics_1m (
    tenant_id blob not null,
    at integer not null,
    calls integer not null,
    errors integer not null,
    duration_us_sum integer not null,
    duration_us_max integer not null,
    b00 integer not null, b01 integer not null, b02 integer not null, b03 integer not null, b04 integer not null,
    b05 integer not null, b06 integer not null, b07 integer not null, b08 integer not null, b09 integer not null,
    b10 integer not null, b11 integer not null, b12 integer not null, b13 integer not null, b14 integer not null,
    b15 integer not null, b16 integer not null, b17 integer not null, b18 integer not null, b19 integer not null,
    b20 integer not null, b21 integer not null, b22 integer not null, b23 integer not null, b24 integer not null,
    b25 integer not null, b26 integer not null, b27 integer not null, b28 integer not null, b29 integer not null,
    b30 integer not null, b31 integer not null, b32 integer not null, b33 integer not null, b34 integer not null,
    b35 integer not null, b36 integer not null, b37 integer not null, b38 integer not null, b39 integer not null,
    primary key (tenant_id, at)
) strict;

create table metrics_1m_by (
    tenant_id blob not null,
    at integer not null,
    -- The nil id is none.
    preset_id blob not null,
    source_id blob not null,
    tool text not null,
    calls integer not null,
    errors integer not null,
    duration_us_sum integer not null,
    duration_us_max integer not null,
    b00 integer not null, b01 integer not null, b02 integer not null, b03 integer not null, b04 integer not null,
    b05 integer not null, b06 integer not null, b07 integer not null, b08 integer not null, b09 integer not null,
    b10 integer not null, b11 integer not null, b12 integer not null, b13 integer not null, b14 integer not null,
    b15 integer not null, b16 integer not null, b17 integer not null, b18 integer not null, b19 integer not null,
    b20 integer not null, b21 integer not null, b22 integer not null, b23 integer not null, b24 integer not null,
    b25 integer not null, b26 integer not null, b27 integer not null, b28 integer not null, b29 integer not null,
    b30 integer not null, b31 integer not null, b32 integer not null, b33 integer not null, b34 integer not null,
    b35 integer not null, b36 integer not null, b37 integer not null, b38 integer not null, b39 integer not null,
    primary key (tenant_id, at, preset_id, source_id, tool)
) strict;
create index metrics_1m_by_at on metrics_1m_by (at);

create table metrics_1h (
    tenant_id blob not null,
    at integer not null,
    preset_id blob not null,
    source_id blob not null,
    tool text not null,
    calls integer not null,
    errors integer not null,
    duration_us_sum integer not null,
    duration_us_max integer not null,
    b00 integer not null, b01 integer not null, b02 integer not null, b03 integer not null, b04 integer not null,
    b05 integer not null, b06 integer not null, b07 integer not null, b08 integer not null, b09 integer not null,
    b10 integer not null, b11 integer not null, b12 integer not null, b13 integer not null, b14 integer not null,
    b15 integer not null, b16 integer not null, b17 integer not null, b18 integer not null, b19 integer not null,
    b20 integer not null, b21 integer not null, b22 integer not null, b23 integer not null, b24 integer not null,
    b25 integer not null, b26 integer not null, b27 integer not null, b28 integer not null, b29 integer not null,
    b30 integer not null, b31 integer not null, b32 integer not null, b33 integer not null, b34 integer not null,
    b35 integer not null, b36 integer not null, b37 integer not null, b38 integer not null, b39 integer not null,
    primary key (tenant_id, at, preset_id, source_id, tool)
) strict;

-- One chain for each organisation. History outlives what it names, so nothing here is a reference.
create table audit_heads (
    tenant_id blob not null primary key,
    seq integer not null,
    hash blob not null,
    -- Where retention cut the chain: the last event removed.
    pruned_seq integer not null,
    pruned_hash blob not null
) strict;

create table audit_events (
    tenant_id blob not null,
    seq integer not null,
    id blob not null,
    at integer not null,
    action text not null,
    outcome text not null,
    reason text not null,
    user_id blob,
    principal text not null,
    key_id blob,
    address text not null,
    client text not null,
    revision text not null,
    preset_id blob,
    preset_slug text not null,
    source_id blob,
    source_name text not null,
    subject text not null,
    duration_us integer not null,
    request_bytes integer not null,
    response_bytes integer not null,
    argument_digest text not null,
    request_id text not null,
    prev blob not null,
    hash blob not null,
    primary key (tenant_id, seq),
    unique (tenant_id, id)
) strict;
create index audit_events_at on audit_events (tenant_id, at, seq);
create index audit_events_preset on audit_events (tenant_id, preset_id, at, seq);

create table vault_canary (
    id integer not null primary key check (id = 1),
    sealed text not null
) strict;

-- What was recorded is not rewritten, and only retention removes it, after it has moved the mark.
create trigger audit_events_stay before update on audit_events
begin
    select raise(abort, 'audit events are not changed');
end;
create trigger audit_events_last before delete on audit_events
when old.seq > coalesce((select pruned_seq from audit_heads where tenant_id = old.tenant_id), 0)
begin
    select raise(abort, 'audit events are removed by retention only');
end;
