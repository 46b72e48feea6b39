-- Who beside its owner may use a preset.

-- An entry is about a person, an address (also one without an account yet), or whoever acts in an
-- organisation with at least a role; the other columns are null.
create table preset_access (
    tenant_id blob not null,
    id blob not null,
    preset_id blob not null,
    user_id blob references users (id) on delete cascade,
    email text,
    org_id blob references organisations (id) on delete cascade,
    org_role text,
    level text not null,
    created_at integer not null,
    primary key (tenant_id, id),
    unique (tenant_id, preset_id, user_id),
    unique (tenant_id, preset_id, email),
    unique (tenant_id, preset_id, org_id),
    foreign key (tenant_id, preset_id) references presets (tenant_id, id) on delete cascade
) strict;
create index preset_access_user on preset_access (user_id) where user_id is not null;
create index preset_access_mail on preset_access (email) where email is not null;
create index preset_access_org on preset_access (org_id) where org_id is not null;

-- Whoever has a preset shared with them knows it by its id alone.
create unique index presets_id on presets (id);
