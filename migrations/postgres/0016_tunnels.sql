-- SSH tunnels that organisations own, and which source goes through which.
create table tunnels (
    tenant_id uuid not null references organisations (id) on delete cascade,
    id uuid not null,
    name text not null,
    hops text not null,
    destinations text not null,
    -- What signs in at each server, sealed by the vault; `secrets_kid` is the key it is under.
    secrets text not null,
    secrets_kid text not null,
    version bigint not null,
    created_at bigint not null,
    updated_at bigint not null,
    primary key (tenant_id, id),
    constraint "tunnels.name" unique (tenant_id, name)
);
create index tunnels_kid on tunnels (secrets_kid);

alter table sources add column tunnel_id uuid;
alter table sources add constraint "sources.tunnel" foreign key (tenant_id, tunnel_id) references tunnels (tenant_id, id);
create index sources_tunnel on sources (tenant_id, tunnel_id) where tunnel_id is not null;

alter table tunnels enable row level security;
alter table tunnels force row level security;
create policy of_the_owner on tunnels to current_user using (true);
create policy of_the_instance on tunnels to doorward_system
    using ((select has_table_privilege(session_user, 'public.sources', 'select')));
grant select, insert, update, delete on tunnels to doorward_system;
create policy of_the_organisation on tunnels
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

-- What serving needs beside what it needed before.
alter function doorward_grant(name) rename to doorward_grant_before_tunnels;
create function doorward_grant(app name)
returns void
language plpgsql set search_path = public, pg_temp
as $$
begin
    perform doorward_grant_before_tunnels(app);
    execute format('grant select, insert, update, delete on tunnels to %I', app);
end
$$;
revoke execute on function doorward_grant(name) from public;
