-- What presets were before they are what they are, and until when they answer.

-- From then on it answers nobody; null = it does not end.
alter table presets add column expires_at integer;

create table preset_versions (
    tenant_id blob not null,
    preset_id blob not null,
    -- The version of the preset that it was saved as.
    version integer not null,
    saved_at integer not null,
    -- The handle of who saved it, which outlives the account; empty if nobody knows.
    saved_by text not null,
    summary text not null,
    -- Everything that can be edited of it, as JSON. Never a credential.
    state text not null,
    primary key (tenant_id, preset_id, version),
    foreign key (tenant_id, preset_id) references presets (tenant_id, id) on delete cascade
) strict;
