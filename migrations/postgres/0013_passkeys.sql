-- Passkeys (WebAuthn) as a second factor, beside the one-time codes.

create table passkeys (
    tenant_id uuid not null,
    id uuid not null,
    user_id uuid not null,
    -- What its owner calls it.
    name text not null,
    -- What the authenticator calls it.
    credential_id bytea not null,
    -- The public key and what was said of it when it was added, as JSON.
    credential text not null,
    -- How often the authenticator says it has signed; stays 0 where it does not count.
    counter bigint not null,
    created_at bigint not null,
    used_at bigint,
    primary key (tenant_id, id),
    constraint "passkeys.credential_id" unique (credential_id),
    foreign key (tenant_id, user_id) references memberships (tenant_id, user_id) on delete cascade
);
create index passkeys_user on passkeys (user_id);

-- Passkeys that somebody is about to add, one for each browser session.
create table passkey_registrations (
    tenant_id uuid not null,
    session_id uuid not null,
    name text not null,
    -- What the browser is asked for, and what its answer is held against, as JSON.
    ceremony text not null,
    expires_at bigint not null,
    primary key (tenant_id, session_id),
    foreign key (tenant_id, session_id) references browser_sessions (tenant_id, id) on delete cascade
);

-- What a browser that has shown the first factor is asked for of a passkey, as JSON; null without one.
alter table half_sign_ins add column ceremony text;

do $$
declare
    tab text;
    held_by text;
begin
    -- Recovery codes are of the person: a passkey brings them as well as the one-time codes do. What the constraint is
    -- called depends on the server's version.
    select conname into held_by from pg_constraint
        where conrelid = 'public.recovery_codes'::regclass and contype = 'f';
    execute format('alter table recovery_codes drop constraint %I', held_by);
    alter table recovery_codes add foreign key (tenant_id, user_id)
        references memberships (tenant_id, user_id) on delete cascade;

    foreach tab in array array['passkeys', 'passkey_registrations']
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
        execute format('grant select, insert, update, delete on %I to doorward_system', tab);
    end loop;
end
$$;
