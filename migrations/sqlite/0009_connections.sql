-- Sign-ins at data sources, kept alive for those who signed in.

-- Whose connection calls run with: `owner`, `caller` or `caller_or_owner`.
alter table sources add column runs_as text not null default 'owner';

create table connections (
    tenant_id blob not null,
    id blob not null,
    source_id blob not null,
    -- Whose it is, who may be of another organisation; the nil id is the organisation itself.
    user_id blob not null,
    issuer text not null,
    scope text not null,
    -- What the source asked for beside that; empty if it has all it wants.
    wanted_scope text not null,
    state text not null check (state in ('wanted', 'active', 'broken')),
    detail text not null,
    expires_at integer,
    renews integer not null,
    renewed_at integer,
    version integer not null,
    -- Until then somebody else renews it.
    leased_until integer not null,
    created_at integer not null,
    -- The tokens, sealed by the vault; `sealed_kid` is the key they are under.
    sealed text,
    sealed_kid text,
    primary key (tenant_id, id),
    constraint "connections.owner" unique (tenant_id, source_id, user_id),
    foreign key (tenant_id, source_id) references sources (tenant_id, id) on delete cascade
) strict;
create index connections_user on connections (user_id);
create index connections_end on connections (expires_at);

-- Sign-ins that have been begun, and have minutes to be finished.
create table sign_ins (
    tenant_id blob not null,
    id blob not null,
    connection_id blob not null,
    -- Who began it, and in which browser.
    user_id blob not null,
    session_id blob not null,
    -- SHA-256 of the state that the issuer hands back.
    state_hash blob not null,
    expires_at integer not null,
    sealed text not null,
    sealed_kid text not null,
    primary key (tenant_id, id),
    constraint "sign_ins.state_hash" unique (state_hash),
    foreign key (tenant_id, connection_id) references connections (tenant_id, id) on delete cascade
) strict;
create index sign_ins_end on sign_ins (expires_at);
