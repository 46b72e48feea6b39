-- Several processes that share this database: who they are, what they share.

create table replicas (
    -- Random; a process that starts again has another one.
    number bigint primary key,
    -- Where the others reach it: `http://10.0.0.7:8089`.
    address text not null,
    -- Its version.
    program text not null,
    -- Counts its signs of life. The others watch it move, so that no clock has to agree with another.
    beats bigint not null,
    started_at bigint not null,
    seen_at bigint not null
);

-- Sessions of callers that another process has taken over than the one which began them.
create table sessions_moved (
    id bytea primary key,
    replica bigint not null,
    moved_at bigint not null
);

-- Work in the background that one process does for all, and until when it has the turn.
create table job_turns (
    name text primary key,
    replica bigint not null,
    until_at bigint not null
);

alter table replicas enable row level security;
alter table replicas force row level security;
create policy of_the_owner on replicas to current_user using (true);
create policy of_the_instance on replicas to doorward_system
    using ((select has_table_privilege(session_user, 'public.sources', 'select')));
grant select, insert, update, delete on replicas to doorward_system;

alter table sessions_moved enable row level security;
alter table sessions_moved force row level security;
create policy of_the_owner on sessions_moved to current_user using (true);
create policy of_the_instance on sessions_moved to doorward_system
    using ((select has_table_privilege(session_user, 'public.sources', 'select')));
grant select, insert, update, delete on sessions_moved to doorward_system;

alter table job_turns enable row level security;
alter table job_turns force row level security;
create policy of_the_owner on job_turns to current_user using (true);
create policy of_the_instance on job_turns to doorward_system
    using ((select has_table_privilege(session_user, 'public.sources', 'select')));
grant select, insert, update, delete on job_turns to doorward_system;
