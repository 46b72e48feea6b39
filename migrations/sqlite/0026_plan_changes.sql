-- Changes of plans that a payment provider has posted, so that each is done once.
create table plan_changes (
    -- As whoever posted it names it.
    id text not null primary key,
    -- The organisation whose plan it is: a team, or somebody's own.
    tenant_id blob not null references organisations (id) on delete cascade,
    -- SHA-256 of the body: another one under the same id is refused.
    digest blob not null,
    plan text not null references plans (name),
    effective_at integer not null,
    received_at integer not null,
    -- What was answered: applied, waiting or superseded.
    answered text not null,
    -- When it was done, or a newer one was found; null while it waits.
    done_at integer
) strict;
create index plan_changes_of on plan_changes (tenant_id, effective_at);
create index plan_changes_due on plan_changes (effective_at) where done_at is null;
