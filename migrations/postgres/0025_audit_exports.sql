-- How far the audit log of each organisation is exported.
create table audit_exports (
    tenant_id uuid not null primary key,
    -- The last event exported.
    seq bigint not null,
    -- The last event of the file that is being written, and when its period began: whoever tries again makes the same.
    planned_seq bigint,
    planned_begin bigint,
    -- Until when one process has it to itself, or nobody tries again.
    leased_until bigint not null,
    -- Why it failed the last time it was tried; empty if it did not.
    failure text not null,
    failed_at bigint
);

-- It is the instance's own: the serving role itself sees none of it.
alter table audit_exports enable row level security;
alter table audit_exports force row level security;
create policy of_the_owner on audit_exports to current_user using (true);
create policy of_the_instance on audit_exports to doorward_system
    using ((select has_table_privilege(session_user, 'public.sources', 'select')));
grant select, insert, update, delete on audit_exports to doorward_system;
