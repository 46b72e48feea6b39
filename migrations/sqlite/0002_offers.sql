-- What sources offer beside tools, and what presets take of it.

-- Resources and resource templates; they follow the source.
create table source_resources (
    tenant_id blob not null,
    source_id blob not null,
    kind text not null,
    uri text not null,
    -- As the source sent it, byte for byte.
    definition text not null,
    primary key (tenant_id, source_id, kind, uri),
    foreign key (tenant_id, source_id) references sources (tenant_id, id) on delete cascade
) strict;

-- Prompts; they are pinned and held as tools are.
create table source_prompts (
    tenant_id blob not null,
    source_id blob not null,
    name text not null,
    definition text not null,
    hash text not null,
    accepted_definition text,
    state text not null,
    seen_at integer not null,
    primary key (tenant_id, source_id, name),
    foreign key (tenant_id, source_id) references sources (tenant_id, id) on delete cascade
) strict;

-- What a source says of itself.
create table source_offers (
    tenant_id blob not null,
    source_id blob not null,
    capabilities text not null,
    instructions text not null,
    seen_at integer not null,
    primary key (tenant_id, source_id),
    foreign key (tenant_id, source_id) references sources (tenant_id, id) on delete cascade
) strict;

-- `none`, `all`, or `only` what the tables below name. Presets made before take none.
alter table preset_sources add column resources text not null default 'none';
alter table preset_sources add column prompts text not null default 'none';

create table preset_resources (
    tenant_id blob not null,
    preset_id blob not null,
    source_id blob not null,
    uri text not null,
    position integer not null,
    primary key (tenant_id, preset_id, source_id, uri),
    foreign key (tenant_id, preset_id, source_id)
        references preset_sources (tenant_id, preset_id, source_id) on delete cascade
) strict;

create table preset_prompts (
    tenant_id blob not null,
    preset_id blob not null,
    source_id blob not null,
    name text not null,
    position integer not null,
    primary key (tenant_id, preset_id, source_id, name),
    foreign key (tenant_id, preset_id, source_id)
        references preset_sources (tenant_id, preset_id, source_id) on delete cascade
) strict;
