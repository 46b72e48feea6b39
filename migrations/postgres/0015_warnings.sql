-- Warnings that people were told of before something of theirs stops working.
create table told_warnings (
    tenant_id uuid not null references organisations (id) on delete cascade,
    -- `mail` or `webhook`.
    channel text not null,
    kind text not null,
    -- What it is about.
    subject_id uuid not null,
    -- Which of its tokens or ends; another one is worth another warning.
    mark bigint not null,
    tries bigint not null,
    -- When it is tried again unless it was told.
    next_at bigint not null,
    told_at bigint,
    primary key (tenant_id, channel, kind, subject_id, mark)
);
create index told_warnings_next on told_warnings (next_at);

alter table told_warnings enable row level security;
alter table told_warnings force row level security;
create policy of_the_owner on told_warnings to current_user using (true);
create policy of_the_instance on told_warnings to doorward_system
    using ((select has_table_privilege(session_user, 'public.sources', 'select')));
grant select, insert, update, delete on told_warnings to doorward_system;
