-- How fast passwords and codes may be tried, counted by all processes together. What is not in here may be tried at once
-- as often as there is room for.
create table sign_in_attempts (
    -- SHA-256 of what is tried, and in which way: a name somebody typed may be a password.
    subject bytea primary key,
    -- When as many attempts will be free as before the first one.
    full_at bigint not null
);
create index sign_in_attempts_full on sign_in_attempts (full_at);

-- None of it is for the serving role itself: who tries comes before the organisation is known.
alter table sign_in_attempts enable row level security;
alter table sign_in_attempts force row level security;
create policy of_the_owner on sign_in_attempts to current_user using (true);
create policy of_the_instance on sign_in_attempts to doorward_system
    using ((select has_table_privilege(session_user, 'public.sources', 'select')));
grant select, insert, update, delete on sign_in_attempts to doorward_system;
