-- Organisations of several people, and invitations to them.

-- What it is called in full; empty if the handle says it all.
alter table organisations add column title text not null default '';
-- Who made it; null is the operator, or somebody's own.
alter table organisations add column made_by blob references users (id) on delete set null;
-- While it is switched off nobody acts in it, and its presets answer nobody.
alter table organisations add column enabled integer not null default 1;
-- What is left of one that was removed: its handle, which nobody gets again.
alter table organisations add column removed_at integer;
create index organisations_maker on organisations (made_by) where made_by is not null;

-- Whether the account reads the audit log of the instance. A column of its own, so that `role` holds only what programs
-- of before know.
alter table users add column audits integer not null default 0;

create table org_invites (
    tenant_id blob not null references organisations (id) on delete cascade,
    id blob not null,
    -- SHA-256 of the secret in the link.
    token_hash blob not null,
    -- Whose it is alone: this address, or this account; neither is whoever has the link.
    email text,
    user_id blob references users (id) on delete cascade,
    role text not null,
    invited_by blob not null references users (id) on delete cascade,
    invited_by_handle text not null,
    -- Whether the link went to the address alone, so that coming back with it proves the address.
    sent integer not null,
    -- Who made an account by it, whose it is alone from then on.
    claimed_by blob,
    created_at integer not null,
    expires_at integer not null,
    primary key (tenant_id, id),
    constraint "org_invites.token_hash" unique (token_hash)
) strict;
create index org_invites_user on org_invites (user_id) where user_id is not null;
create index org_invites_end on org_invites (expires_at);
