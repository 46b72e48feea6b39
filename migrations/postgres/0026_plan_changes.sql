-- Changes of plans that a payment provider has posted, so that each is done once.
create table plan_changes (
    -- As whoever posted it names it.
    id text not null primary key,
    -- The organisation whose plan it is: a team, or somebody's own.
    tenant_id uuid not null references organisations (id) on delete cascade,
    -- SHA-256 of the body: another one under the same id is refused.
    digest bytea not null,
    plan text not null references plans (name),
    effective_at bigint not null,
    received_at bigint not null,
    -- What was answered: applied, waiting or superseded.
    answered text not null,
    -- When it was done, or a newer one was found; null while it waits.
    done_at bigint
);
create index plan_changes_of on plan_changes (tenant_id, effective_at);
create index plan_changes_due on plan_changes (effective_at) where done_at is null;

-- None of it is for the serving role itself: whose plan it is comes before the organisation is known.
alter table plan_changes enable row level security;
alter table plan_changes force row level security;
create policy of_the_owner on plan_changes to current_user using (true);
create policy of_the_instance on plan_changes to doorward_system
    using ((select has_table_privilege(session_user, 'public.sources', 'select')));
grant select, insert, update, delete on plan_changes to doorward_system;
create policy of_the_organisation on plan_changes
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
