-- Signing in with other identity providers.

-- What belongs to whom.
create table user_logins (
    tenant_id uuid not null,
    id uuid not null,
    user_id uuid not null,
    -- Who says so, and whom they mean by it: the provider's issuer, and its name of the person.
    issuer text not null,
    subject text not null,
    -- What the person is called there, for their own eyes.
    shown text not null,
    created_at bigint not null,
    used_at bigint not null,
    primary key (tenant_id, id),
    constraint "user_logins.subject" unique (issuer, subject),
    foreign key (tenant_id, user_id) references memberships (tenant_id, user_id) on delete cascade
);
create index user_logins_user on user_logins (user_id);

-- Browsers that were sent to a provider and are not back yet.
create table login_attempts (
    -- SHA-256 of the cookie.
    token_hash bytea not null primary key,
    provider text not null,
    -- The path to go to afterwards.
    next text not null,
    expires_at bigint not null
);
create index login_attempts_end on login_attempts (expires_at);

-- People whom a provider knows and nobody here does: they add it to their account, or make one.
create table pending_logins (
    -- SHA-256 of the cookie.
    token_hash bytea not null primary key,
    provider text not null,
    issuer text not null,
    subject text not null,
    shown text not null,
    -- The address, if the provider has seen that it is theirs.
    email text,
    next text not null,
    expires_at bigint not null
);
create index pending_logins_end on pending_logins (expires_at);

do $$
declare
    tab text;
begin
    foreach tab in array array['user_logins', 'login_attempts', 'pending_logins']
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
