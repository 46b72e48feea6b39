-- Invitations to a preset that nobody has accepted yet.
create table preset_invites (
    tenant_id uuid not null,
    id uuid not null,
    preset_id uuid not null,
    -- SHA-256 of the secret in the link.
    token_hash bytea not null,
    -- Whose it is alone; null is whoever has the link.
    email text,
    level text not null,
    invited_by uuid not null references users (id) on delete cascade,
    invited_by_handle text not null,
    -- Whether the link went to the address alone, so that coming back with it proves the address.
    sent boolean not null,
    -- Who made an account by it, whose it is alone from then on.
    claimed_by uuid,
    created_at bigint not null,
    expires_at bigint not null,
    primary key (tenant_id, id),
    constraint "preset_invites.token_hash" unique (token_hash),
    foreign key (tenant_id, preset_id) references presets (tenant_id, id) on delete cascade
);
create index preset_invites_preset on preset_invites (tenant_id, preset_id);
create index preset_invites_end on preset_invites (expires_at);

alter table preset_invites enable row level security;
alter table preset_invites force row level security;
create policy of_the_owner on preset_invites to current_user using (true);
create policy of_the_instance on preset_invites to doorward_system
    using ((select has_table_privilege(session_user, 'public.sources', 'select')));
grant select, insert, update, delete on preset_invites to doorward_system;
create policy of_the_organisation on preset_invites
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

-- What serving needs beside what it needed before.
alter function doorward_grant(name) rename to doorward_grant_0009;
create function doorward_grant(app name)
returns void
language plpgsql set search_path = public, pg_temp
as $$
begin
    perform doorward_grant_0009(app);
    execute format('grant select, insert, update, delete on preset_invites to %I', app);
end
$$;
revoke execute on function doorward_grant(name) from public;
