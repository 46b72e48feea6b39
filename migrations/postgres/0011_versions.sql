-- What presets were before they are what they are, and until when they answer.

-- From then on it answers nobody; null = it does not end.
alter table presets add column expires_at bigint;

create table preset_versions (
    tenant_id uuid not null,
    preset_id uuid not null,
    -- The version of the preset that it was saved as.
    version bigint not null,
    saved_at bigint not null,
    -- The handle of who saved it, which outlives the account; empty if nobody knows.
    saved_by text not null,
    summary text not null,
    -- Everything that can be edited of it, as JSON. Never a credential.
    state text not null,
    primary key (tenant_id, preset_id, version),
    foreign key (tenant_id, preset_id) references presets (tenant_id, id) on delete cascade
);

do $$
declare
    tab text;
begin
    foreach tab in array array['preset_versions']
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

-- What serving needs beside what it needed before. What was saved is never changed.
alter function doorward_grant(name) rename to doorward_grant_before_versions;
create function doorward_grant(app name)
returns void
language plpgsql set search_path = public, pg_temp
as $$
begin
    perform doorward_grant_before_versions(app);
    execute format('grant select, insert, delete on preset_versions to %I', app);
end
$$;
revoke execute on function doorward_grant(name) from public;
