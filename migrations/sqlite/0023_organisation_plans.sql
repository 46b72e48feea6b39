-- Plans of organisations, what these have used, and two more bounds of a plan.

-- Null = none of its own: its members' plans alone.
alter table organisations add column plan text references plans (name);

-- Null is unlimited.
alter table plans add column presets_max integer;
alter table plans add column stored_analyses_max integer;

-- What a team has used, beside what each person has.
create table org_quotas (
    tenant_id blob not null references organisations (id) on delete cascade,
    -- As yyyymm.
    month integer not null,
    used integer not null,
    analyses integer not null default 0,
    updated_at integer not null,
    primary key (tenant_id, month)
) strict;
-- What is nearly used up is looked for month by month.
create index quotas_month on quotas (month);
create index org_quotas_month on org_quotas (month);
create index analyses_running_in on analyses (tenant_id, alive_until) where state = 'running';
