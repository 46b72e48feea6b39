-- SSH tunnels that organisations own, and which source goes through which.
create table tunnels (
    tenant_id blob not null references organisations (id) on delete cascade,
    id blob not null,
    name text not null,
    hops text not null,
    destinations text not null,
    -- What signs in at each server, sealed by the vault; `secrets_kid` is the key it is under.
    secrets text not null,
    secrets_kid text not null,
    version integer not null,
    created_at integer not null,
    updated_at integer not null,
    primary key (tenant_id, id),
    constraint "tunnels.id" unique (id),
    constraint "tunnels.name" unique (tenant_id, name)
) strict;
create index tunnels_kid on tunnels (secrets_kid);

alter table sources add column tunnel_id blob references tunnels (id);
create index sources_tunnel on sources (tenant_id, tunnel_id) where tunnel_id is not null;
