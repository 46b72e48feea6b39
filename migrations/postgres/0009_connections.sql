-- Sign-ins at data sources, kept alive for those who signed in.

-- Whose connection calls run with: `owner`, `caller` or `caller_or_owner`.
alter table sources add column runs_as text not null default 'owner';

create table connections (
    tenant_id uuid not null,
    id uuid not null,
    source_id uuid not null,
    -- Whose it is, who may be of another organisation; the nil id is the organisation itself.
    user_id uuid not null,
    issuer text not null,
    scope text not null,
    -- What the source asked for beside that; empty if it has all it wants.
    wanted_scope text not null,
    state text not null check (state in ('wanted', 'active', 'broken')),
    detail text not null,
    expires_at bigint,
    renews boolean not null,
    renewed_at bigint,
    version bigint not null,
    -- Until then somebody else renews it.
    leased_until bigint not null,
    created_at bigint not null,
    -- The tokens, sealed by the vault; `sealed_kid` is the key they are under.
    sealed text,
    sealed_kid text,
    primary key (tenant_id, id),
    constraint "connections.owner" unique (tenant_id, source_id, user_id),
    foreign key (tenant_id, source_id) references sources (tenant_id, id) on delete cascade
);
create index connections_user on connections (user_id);
create index connections_end on connections (expires_at);

-- Sign-ins that have been begun, and have minutes to be finished.
create table sign_ins (
    tenant_id uuid not null,
    id uuid not null,
    connection_id uuid not null,
    -- Who began it, and in which browser.
    user_id uuid not null,
    session_id uuid not null,
    -- SHA-256 of the state that the issuer hands back.
    state_hash bytea not null,
    expires_at bigint not null,
    sealed text not null,
    sealed_kid text not null,
    primary key (tenant_id, id),
    constraint "sign_ins.state_hash" unique (state_hash),
    foreign key (tenant_id, connection_id) references connections (tenant_id, id) on delete cascade
);
create index sign_ins_end on sign_ins (expires_at);

do $$
declare
    tab text;
begin
    foreach tab in array array['connections', 'sign_ins']
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

-- What serving needs beside what it needed before.
alter function doorward_grant(name) rename to doorward_grant_0006;
create function doorward_grant(app name)
returns void
language plpgsql set search_path = public, pg_temp
as $$
begin
    perform doorward_grant_0006(app);
    execute format('grant select, insert, update, delete on connections, sign_ins to %I', app);
end
$$;
revoke execute on function doorward_grant(name) from public;
