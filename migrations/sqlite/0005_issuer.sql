-- What the issuer for MCP clients keeps.

-- Programs that may ask people for access: those that registered, and those whose description is at their own address.
create table oauth_clients (
    -- What the client is called in requests: a word of ours, or the address of its description.
    id text not null primary key,
    name text not null,
    -- What it said of itself, as JSON.
    metadata text not null,
    -- SHA-256 of its secret; null for those that cannot keep one.
    secret_hash blob,
    -- SHA-256 of the token it manages its registration with; null for those that did not register.
    registration_hash blob,
    created_at integer not null,
    -- When somebody last let it in; null = nobody ever did.
    used_at integer
) strict;
create index oauth_clients_made on oauth_clients (created_at);

-- What a person lets a client do: use one preset in their name.
create table oauth_grants (
    tenant_id blob not null,
    id blob not null,
    user_id blob not null,
    client_id text not null references oauth_clients (id) on delete cascade,
    -- The organisation of the preset, which may be another than the person's.
    preset_tenant_id blob not null,
    preset_id blob not null,
    scopes text not null,
    -- The tools by source and by the source's name, as JSON; `null` is all of the preset.
    tools text not null,
    created_at integer not null,
    last_used_at integer,
    primary key (tenant_id, id),
    unique (id),
    unique (tenant_id, user_id, client_id, preset_id),
    foreign key (tenant_id, user_id) references memberships (tenant_id, user_id) on delete cascade,
    foreign key (preset_tenant_id, preset_id) references presets (tenant_id, id) on delete cascade
) strict;
create index oauth_grants_user on oauth_grants (user_id);
create index oauth_grants_client on oauth_grants (client_id);
create index oauth_grants_preset on oauth_grants (preset_tenant_id, preset_id);

-- Codes, access tokens and refresh tokens, as their SHA-256. Those of one sign-in are a family.
create table oauth_tokens (
    hash blob not null primary key,
    grant_id blob not null references oauth_grants (id) on delete cascade,
    family blob not null,
    kind text not null check (kind in ('code', 'access', 'refresh')),
    -- What a code is bound to, as JSON; empty for the others.
    bound text not null,
    created_at integer not null,
    expires_at integer not null,
    -- When a code was redeemed, or a refresh token replaced by the next one.
    used_at integer
) strict;
create index oauth_tokens_grant on oauth_tokens (grant_id);
create index oauth_tokens_family on oauth_tokens (family);
create index oauth_tokens_end on oauth_tokens (expires_at);
