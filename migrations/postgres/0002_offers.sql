-- What sources offer beside tools, and what presets take of it.

-- Resources and resource templates; they follow the source.
create table source_resources (
    tenant_id uuid not null,
    source_id uuid not null,
    kind text not null,
    uri text not null,
    -- As the source sent it, byte for byte.
    definition text not null,
    primary key (tenant_id, source_id, kind, uri),
    foreign key (tenant_id, source_id) references sources (tenant_id, id) on delete cascade
);

-- Prompts; they are pinned and held as tools are.
create table source_prompts (
    tenant_id uuid not null,
    source_id uuid not null,
    name text not null,
    definition text not null,
    hash text not null,
    accepted_definition text,
    state text not null,
    seen_at bigint not null,
    primary key (tenant_id, source_id, name),
    foreign key (tenant_id, source_id) references sources (tenant_id, id) on delete cascade
);

-- What a source says of itself.
create table source_offers (
    tenant_id uuid not null,
    source_id uuid not null,
    capabilities text not null,
    instructions text not null,
    seen_at bigint not null,
    primary key (tenant_id, source_id),
    foreign key (tenant_id, source_id) references sources (tenant_id, id) on delete cascade
);

-- `none`, `all`, or `only` what the tables below name. Presets made before take none.
alter table preset_sources add column resources text not null default 'none';
alter table preset_sources add column prompts text not null default 'none';

create table preset_resources (
    tenant_id uuid not null,
    preset_id uuid not null,
    source_id uuid not null,
    uri text not null,
    position bigint not null,
    primary key (tenant_id, preset_id, source_id, uri),
    foreign key (tenant_id, preset_id, source_id)
        references preset_sources (tenant_id, preset_id, source_id) on delete cascade
);

create table preset_prompts (
    tenant_id uuid not null,
    preset_id uuid not null,
    source_id uuid not null,
    name text not null,
    position bigint not null,
    primary key (tenant_id, preset_id, source_id, name),
    foreign key (tenant_id, preset_id, source_id)
        references preset_sources (tenant_id, preset_id, source_id) on delete cascade
);

do $$
declare
    tab text;
begin
    foreach tab in array array[
        'source_resources', 'source_prompts', 'source_offers', 'preset_resources', 'preset_prompts'
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

-- Gives a role what serving needs, and no more. The program calls it after migrating; by hand:
-- `select doorward_grant('doorward_app')`.
create or replace function doorward_grant(app name)
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
            api_keys, sources, source_tools, source_resources, source_prompts, source_offers,
            presets, preset_sources, preset_tools, preset_resources, preset_prompts to %I',
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
