-- Invitations to a preset that nobody has accepted yet.
create table preset_invites (
    tenant_id blob not null,
    id blob not null,
    preset_id blob not null,
    -- SHA-256 of the secret in the link.
    token_hash blob not null,
    -- Whose it is alone; null is whoever has the link.
    email text,
    level text not null,
    invited_by blob not null references users (id) on delete cascade,
    invited_by_handle text not null,
    -- Whether the link went to the address alone, so that coming back with it proves the address.
    sent integer not null,
    -- Who made an account by it, whose it is alone from then on.
    claimed_by blob,
    created_at integer not null,
    expires_at integer not null,
    primary key (tenant_id, id),
    constraint "preset_invites.token_hash" unique (token_hash),
    foreign key (tenant_id, preset_id) references presets (tenant_id, id) on delete cascade
) strict;
create index preset_invites_preset on preset_invites (tenant_id, preset_id);
create index preset_invites_end on preset_invites (expires_at);
