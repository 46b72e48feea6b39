-- Who beside its owner may use a preset.

-- An entry is about a person, an address (also one without an account yet), or whoever acts in an
-- organisation with at least a role; the other columns are null.
create table preset_access (
    tenant_id uuid not null,
    id uuid not null,
    preset_id uuid not null,
    user_id uuid references users (id) on delete cascade,
    email text,
    org_id uuid references organisations (id) on delete cascade,
    org_role text,
    level text not null,
    created_at bigint not null,
    primary key (tenant_id, id),
    constraint "preset_access.user_id" unique (tenant_id, preset_id, user_id),
    constraint "preset_access.email" unique (tenant_id, preset_id, email),
    constraint "preset_access.org_id" unique (tenant_id, preset_id, org_id),
    foreign key (tenant_id, preset_id) references presets (tenant_id, id) on delete cascade
);
create index preset_access_user on preset_access (user_id) where user_id is not null;
create index preset_access_mail on preset_access (email) where email is not null;
create index preset_access_org on preset_access (org_id) where org_id is not null;

-- Whoever has a preset shared with them knows it by its id alone.
create unique index presets_id on presets (id);

do $$
declare
    tab text;
begin
    foreach tab in array array['preset_access']
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

-- Accounts are no organisation's own, so the names of those on a list, and which account has an
-- address on it, are told by a function; it tells them of the organisation of the transaction only.
create function list_preset_access(wanted uuid)
returns table (
    id uuid, user_id uuid, user_handle text, email text, org_id uuid, org_handle text, org_role text,
    level text, reaches uuid, created_at bigint
)
language sql stable security definer set search_path = public, pg_temp
as $$
    select a.id, a.user_id, n.handle, a.email, a.org_id, o.handle, a.org_role,
        a.level, u.id, a.created_at
    from preset_access a
        left join users n on n.id = a.user_id
        left join organisations o on o.id = a.org_id
        left join users u on (u.id = a.user_id or u.email = a.email) and u.enabled
    where a.tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid and a.preset_id = wanted
    order by a.created_at, a.id
$$;
revoke execute on function list_preset_access(uuid) from public;

-- What a serving role needs, beside what it needed before.
alter function doorward_grant(name) rename to doorward_grant_before_sharing;

-- Gives a role what serving needs, and no more. The program calls it after migrating; by hand:
-- `select doorward_grant('doorward_app')`.
create function doorward_grant(app name)
returns void
language plpgsql set search_path = public, pg_temp
as $$
begin
    perform doorward_grant_before_sharing(app);
    execute format('grant select, insert, update, delete on preset_access to %I', app);
    execute format('grant execute on function list_preset_access(uuid) to %I', app);
end
$$;
revoke execute on function doorward_grant(name) from public;
