-- Assertions of identity providers that clients have shown, each of which works once.
create table used_assertions (
    -- SHA-256 of the provider's issuer and its name for the assertion.
    hash bytea not null primary key,
    -- When the assertion ends by itself.
    expires_at bigint not null
);
create index used_assertions_end on used_assertions (expires_at);

alter table used_assertions enable row level security;
alter table used_assertions force row level security;
create policy of_the_owner on used_assertions to current_user using (true);
create policy of_the_instance on used_assertions to doorward_system
    using ((select has_table_privilege(session_user, 'public.sources', 'select')));
grant select, insert, update, delete on used_assertions to doorward_system;
