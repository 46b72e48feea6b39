-- What the issuer for MCP clients keeps.

-- Programs that may ask people for access: those that registered, and those whose description is at their own address.
create table oauth_clients (
    -- What the client is called in requests: a word of ours, or the address of its description.
    id text not null primary key,
    name text not null,
    -- What it said of itself, as JSON.
    metadata text not null,
    -- SHA-256 of its secret; null for those that cannot keep one.
    secret_hash bytea,
    -- SHA-256 of the token it manages its registration with; null for those that did not register.
    registration_hash bytea,
    created_at bigint not null,
    -- When somebody last let it in; null = nobody ever did.
    used_at bigint
);
create index oauth_clients_made on oauth_clients (created_at);

-- What a person lets a client do: use one preset in their name.
create table oauth_grants (
    tenant_id uuid not null,
    id uuid not null,
    user_id uuid not null,
    client_id text not null references oauth_clients (id) on delete cascade,
    -- The organisation of the preset, which may be another than the person's.
    preset_tenant_id uuid not null,
    preset_id uuid not null,
    scopes text not null,
    -- The tools by source and by the source's name, as JSON; `null` is all of the preset.
    tools text not null,
    created_at bigint not null,
    last_used_at bigint,
    primary key (tenant_id, id),
    constraint "oauth_grants.id" unique (id),
    constraint "oauth_grants.client" unique (tenant_id, user_id, client_id, preset_id),
    foreign key (tenant_id, user_id) references memberships (tenant_id, user_id) on delete cascade,
    foreign key (preset_tenant_id, preset_id) references presets (tenant_id, id) on delete cascade
);
create index oauth_grants_user on oauth_grants (user_id);
create index oauth_grants_client on oauth_grants (client_id);
create index oauth_grants_preset on oauth_grants (preset_tenant_id, preset_id);

-- Codes, access tokens and refresh tokens, as their SHA-256. Those of one sign-in are a family.
create table oauth_tokens (
    hash bytea not null primary key,
    grant_id uuid not null references oauth_grants (id) on delete cascade,
    family uuid not null,
    kind text not null check (kind in ('code', 'access', 'refresh')),
    -- What a code is bound to, as JSON; empty for the others.
    bound text not null,
    created_at bigint not null,
    expires_at bigint not null,
    -- When a code was redeemed, or a refresh token replaced by the next one.
    used_at bigint
);
create index oauth_tokens_grant on oauth_tokens (grant_id);
create index oauth_tokens_family on oauth_tokens (family);
create index oauth_tokens_end on oauth_tokens (expires_at);

-- None of these is for the serving role itself: whose token it is comes before the organisation is known.
do $$
declare
    tab text;
begin
    foreach tab in array array['oauth_clients', 'oauth_grants', 'oauth_tokens']
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
end
$$;
create policy of_the_organisation on oauth_grants
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
