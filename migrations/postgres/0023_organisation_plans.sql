-- Plans of organisations, what these have used, and two more bounds of a plan.

-- Null = none of its own: its members' plans alone.
alter table organisations add column plan text references plans (name);

-- Null is unlimited.
alter table plans add column presets_max bigint;
alter table plans add column stored_analyses_max bigint;

-- What a team has used, beside what each person has.
create table org_quotas (
    tenant_id uuid not null references organisations (id) on delete cascade,
    -- As yyyymm.
    month integer not null,
    used bigint not null,
    analyses bigint not null default 0,
    updated_at bigint not null,
    primary key (tenant_id, month)
);
-- What is nearly used up is looked for month by month.
create index quotas_month on quotas (month);
create index org_quotas_month on org_quotas (month);
create index analyses_running_in on analyses (tenant_id, alive_until) where state = 'running';

-- Not for the serving role itself, which charges by the functions below.
alter table org_quotas enable row level security;
alter table org_quotas force row level security;
create policy of_the_owner on org_quotas to current_user using (true);
create policy of_the_instance on org_quotas to doorward_system
    using ((select has_table_privilege(session_user, 'public.sources', 'select')));
grant select, insert, update, delete on org_quotas to doorward_system;
create policy of_the_organisation on org_quotas
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

create function org_quota_take(which uuid, in_month integer, n bigint, at_most bigint, at_time bigint)
returns setof bigint
language sql volatile security definer set search_path = public, pg_temp
as $$
    insert into org_quotas as q (tenant_id, month, used, updated_at)
    select which, in_month, n, at_time where at_most is null or n <= at_most
    on conflict (tenant_id, month) do update
        set used = q.used + excluded.used, updated_at = excluded.updated_at
        where at_most is null or q.used + excluded.used <= at_most
    returning q.used
$$;

create function org_quota_give_back(which uuid, in_month integer, n bigint, at_time bigint)
returns void
language sql volatile security definer set search_path = public, pg_temp
as $$
    update org_quotas set used = case when used > n then used - n else 0 end, updated_at = at_time
    where tenant_id = which and month = in_month
$$;

-- What serving needs beside what it needed before.
alter function doorward_grant(name) rename to doorward_grant_before_organisation_plans;
create function doorward_grant(app name)
returns void
language plpgsql set search_path = public, pg_temp
as $$
begin
    perform doorward_grant_before_organisation_plans(app);
    execute format(
        'grant execute on function org_quota_take(uuid, integer, bigint, bigint, bigint),
            org_quota_give_back(uuid, integer, bigint, bigint) to %I',
        app
    );
end
$$;
revoke execute on function doorward_grant(name), org_quota_take(uuid, integer, bigint, bigint, bigint),
    org_quota_give_back(uuid, integer, bigint, bigint) from public;
