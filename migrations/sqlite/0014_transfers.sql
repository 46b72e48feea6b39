-- Offers of owners to hand a preset over, one a preset.
create table preset_transfers (
    tenant_id blob not null,
    preset_id blob not null,
    -- Who may take it over.
    to_user blob not null references users (id) on delete cascade,
    to_handle text not null,
    -- Who offers it, worth no more than they may do.
    offered_by blob not null references users (id) on delete cascade,
    offered_by_handle text not null,
    created_at integer not null,
    expires_at integer not null,
    primary key (tenant_id, preset_id),
    foreign key (tenant_id, preset_id) references presets (tenant_id, id) on delete cascade
) strict;
create index preset_transfers_to on preset_transfers (to_user);
create index preset_transfers_by on preset_transfers (offered_by);
create index preset_transfers_end on preset_transfers (expires_at);
