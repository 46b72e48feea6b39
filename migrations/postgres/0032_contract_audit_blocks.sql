-- Events are kept in blocks: those of one commit in one row, a row for each kind of them that leads there. The program
-- moves what `audit_events` holds into blocks when it opens the database; nothing is written there any more, and programs
-- of before read nothing else, which is why this takes something away from them.
create table audit_blocks (
    tenant_id uuid not null,
    -- The numbers of the first event and of the last.
    first_seq bigint not null,
    last_seq bigint not null,
    -- When the earliest of its events was, and the latest: a minute apart at most.
    from_at bigint not null,
    to_at bigint not null,
    -- The least of their ids and the greatest.
    min_id uuid not null,
    max_id uuid not null,
    -- The hash of the event before the first.
    prev bytea not null,
    -- Their ids, 16 bytes each, and everything else of them, as `src/chain/block.rs` writes it.
    ids bytea not null,
    body bytea not null,
    primary key (tenant_id, last_seq)
);
-- Hashes and salts cannot be compressed, and trying costs more than all else.
alter table audit_blocks alter column ids set storage external, alter column body set storage external;
create index audit_blocks_at on audit_blocks (tenant_id, to_at, last_seq, from_at);
create index audit_blocks_id on audit_blocks (tenant_id, max_id, min_id);

-- Which kinds of events are in which blocks, and how many of each.
create table audit_block_kinds (
    tenant_id uuid not null,
    kind bytea not null,
    to_at bigint not null,
    last_seq bigint not null,
    from_at bigint not null,
    events bigint not null,
    primary key (tenant_id, kind, to_at, last_seq)
);
create index audit_block_kinds_at on audit_block_kinds (tenant_id, to_at, last_seq, kind, from_at);

do $$
declare
    tab text;
begin
    foreach tab in array array['audit_blocks', 'audit_block_kinds']
    loop
        execute format('alter table %I enable row level security', tab);
        execute format('alter table %I force row level security', tab);
        execute format('create policy of_the_owner on %I to current_user using (true)', tab);
        execute format(
            $policy$
                create policy of_the_instance on %I to doorward_system
                    using ((select has_table_privilege(session_user, 'public.sources', 'select')))
            $policy$,
            tab
        );
        execute format(
            $policy$
                create policy of_the_organisation on %I
                    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
                    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
            $policy$,
            tab
        );
        execute format('grant select, insert, delete on %I to doorward_system', tab);
    end loop;
end
$$;

-- What was recorded is not rewritten, but parts of it may be erased: by this function, and by nothing else.
create function audit_rewrite(of_tenant uuid, of_last bigint, without bytea)
returns void
language sql security definer set search_path = public, pg_temp
as $$
    update audit_blocks set body = without where tenant_id = of_tenant and last_seq = of_last
$$;
revoke execute on function audit_rewrite(uuid, bigint, bytea) from public;
grant execute on function audit_rewrite(uuid, bigint, bytea) to doorward_system;
drop function audit_erase(uuid, bigint, boolean, bytea, boolean, bytea);

-- Nothing searches the events of before any more.
drop index audit_events_at;
drop index audit_events_kind;
drop index audit_events_unsorted;

-- What serving needs beside what it needed before.
alter function doorward_grant(name) rename to doorward_grant_before_audit_blocks;
create function doorward_grant(app name)
returns void
language plpgsql set search_path = public, pg_temp
as $$
begin
    perform doorward_grant_before_audit_blocks(app);
    execute format('grant select on audit_blocks, audit_block_kinds to %I', app);
end
$$;
revoke execute on function doorward_grant(name) from public;
