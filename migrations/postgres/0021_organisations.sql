-- Organisations of several people, and invitations to them.

-- What it is called in full; empty if the handle says it all.
alter table organisations add column title text not null default '';
-- Who made it; null is the operator, or somebody's own.
alter table organisations add column made_by uuid references users (id) on delete set null;
-- While it is switched off nobody acts in it, and its presets answer nobody.
alter table organisations add column enabled boolean not null default true;
-- What is left of one that was removed: its handle, which nobody gets again.
alter table organisations add column removed_at bigint;
create index organisations_maker on organisations (made_by) where made_by is not null;

-- Whether the account reads the audit log of the instance. A column of its own, so that `role` holds only what programs
-- of before know.
alter table users add column audits boolean not null default false;

create table org_invites (
    tenant_id uuid not null references organisations (id) on delete cascade,
    id uuid not null,
    -- SHA-256 of the secret in the link.
    token_hash bytea not null,
    -- Whose it is alone: this address, or this account; neither is whoever has the link.
    email text,
    user_id uuid references users (id) on delete cascade,
    role text not null,
    invited_by uuid not null references users (id) on delete cascade,
    invited_by_handle text not null,
    -- Whether the link went to the address alone, so that coming back with it proves the address.
    sent boolean not null,
    -- Who made an account by it, whose it is alone from then on.
    claimed_by uuid,
    created_at bigint not null,
    expires_at bigint not null,
    primary key (tenant_id, id),
    constraint "org_invites.token_hash" unique (token_hash)
);
create index org_invites_user on org_invites (user_id) where user_id is not null;
create index org_invites_end on org_invites (expires_at);

-- None of it is for the serving role itself: who belongs where comes before the organisation is known.
alter table org_invites enable row level security;
alter table org_invites force row level security;
create policy of_the_owner on org_invites to current_user using (true);
create policy of_the_instance on org_invites to doorward_system
    using ((select has_table_privilege(session_user, 'public.sources', 'select')));
grant select, insert, update, delete on org_invites to doorward_system;
create policy of_the_organisation on org_invites
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

-- The questions that come before the organisation is known, which is silent while it is switched off.
create or replace function find_api_key(wanted uuid)
returns table (
    tenant_id uuid, id uuid, user_id uuid, name text, secret_hash bytea, scope text, rate text,
    created_at bigint, expires_at bigint, last_used_at bigint, revoked_at bigint,
    user_handle text, tenant_handle text, org_role text, instance_role text, plan text, enabled boolean
)
language sql stable security definer set search_path = public, pg_temp
as $$
    select k.tenant_id, k.id, k.user_id, k.name, k.secret_hash, k.scope, k.rate,
        k.created_at, k.expires_at, k.last_used_at, k.revoked_at,
        u.handle, o.handle, m.role, case when u.audits then 'auditor' else u.role end, u.plan,
        u.enabled and o.enabled
    from api_keys k
        join users u on u.id = k.user_id
        join organisations o on o.id = k.tenant_id
        join memberships m on m.tenant_id = k.tenant_id and m.user_id = k.user_id
    where k.id = wanted
$$;

create or replace function find_browser_session(wanted bytea, at_time bigint)
returns table (
    tenant_id uuid, id uuid, user_id uuid, user_agent text, address text,
    created_at bigint, seen_at bigint, expires_at bigint,
    user_handle text, tenant_handle text, org_role text, instance_role text, plan text, enabled boolean
)
language sql stable security definer set search_path = public, pg_temp
as $$
    select s.tenant_id, s.id, s.user_id, s.user_agent, s.address,
        s.created_at, s.seen_at, s.expires_at,
        u.handle, o.handle, m.role, case when u.audits then 'auditor' else u.role end, u.plan, u.enabled
    from browser_sessions s
        join users u on u.id = s.user_id
        join organisations o on o.id = s.tenant_id
        join memberships m on m.tenant_id = s.tenant_id and m.user_id = s.user_id
    where s.token_hash = wanted and s.expires_at > at_time and u.enabled and o.enabled
$$;

create or replace function find_preset_by_address(owner_handle text, wanted text)
returns setof presets
language sql stable security definer set search_path = public, pg_temp
as $$
    select p.* from presets p
        join organisations o on o.id = p.tenant_id
    where o.handle = owner_handle and o.enabled and p.slug = wanted
$$;
