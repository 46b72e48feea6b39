-- Offers of owners to hand a preset over, one a preset.
create table preset_transfers (
    tenant_id uuid not null,
    preset_id uuid not null,
    -- Who may take it over.
    to_user uuid not null references users (id) on delete cascade,
    to_handle text not null,
    -- Who offers it, worth no more than they may do.
    offered_by uuid not null references users (id) on delete cascade,
    offered_by_handle text not null,
    created_at bigint not null,
    expires_at bigint not null,
    primary key (tenant_id, preset_id),
    foreign key (tenant_id, preset_id) references presets (tenant_id, id) on delete cascade
);
create index preset_transfers_to on preset_transfers (to_user);
create index preset_transfers_by on preset_transfers (offered_by);
create index preset_transfers_end on preset_transfers (expires_at);

alter table preset_transfers enable row level security;
alter table preset_transfers force row level security;
create policy of_the_owner on preset_transfers to current_user using (true);
create policy of_the_instance on preset_transfers to doorward_system
    using ((select has_table_privilege(session_user, 'public.sources', 'select')));
grant select, insert, update, delete on preset_transfers to doorward_system;
create policy of_the_organisation on preset_transfers
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

-- What serving needs beside what it needed before.
alter function doorward_grant(name) rename to doorward_grant_before_transfers;
create function doorward_grant(app name)
returns void
language plpgsql set search_path = public, pg_temp
as $$
begin
    perform doorward_grant_before_transfers(app);
    execute format('grant select, insert, update, delete on preset_transfers to %I', app);
end
$$;
revoke execute on function doorward_grant(name) from public;
