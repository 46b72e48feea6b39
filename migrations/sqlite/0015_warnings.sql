-- Warnings that people were told of before something of theirs stops working.
create table told_warnings (
    tenant_id blob not null references organisations (id) on delete cascade,
    -- `mail` or `webhook`.
    channel text not null,
    kind text not null,
    -- What it is about.
    subject_id blob not null,
    -- Which of its tokens or ends; another one is worth another warning.
    mark integer not null,
    tries integer not null,
    -- When it is tried again unless it was told.
    next_at integer not null,
    told_at integer,
    primary key (tenant_id, channel, kind, subject_id, mark)
) strict;
create index told_warnings_next on told_warnings (next_at);
