-- The second factor: one-time codes, and recovery codes for who has lost them.

create table user_factors (
    tenant_id uuid not null,
    user_id uuid not null,
    -- The shared secret, sealed by the vault; `sealed_kid` is the key it is under.
    sealed text not null,
    sealed_kid text not null,
    -- Null until the person showed that they have it.
    confirmed_at bigint,
    -- The time step of the last code accepted.
    last_step bigint not null,
    primary key (tenant_id, user_id),
    foreign key (tenant_id, user_id) references memberships (tenant_id, user_id) on delete cascade
);
create index user_factors_user on user_factors (user_id);
create index user_factors_kid on user_factors (sealed_kid);

create table recovery_codes (
    tenant_id uuid not null,
    user_id uuid not null,
    -- SHA-256 of the code.
    code_hash bytea not null,
    primary key (tenant_id, user_id, code_hash),
    foreign key (tenant_id, user_id) references user_factors (tenant_id, user_id) on delete cascade
);
create index recovery_codes_user on recovery_codes (user_id);

-- People who have shown the first factor and not the second yet.
create table half_sign_ins (
    -- SHA-256 of the cookie.
    token_hash bytea not null primary key,
    user_id uuid not null references users (id) on delete cascade,
    provider text not null,
    expires_at bigint not null
);
create index half_sign_ins_end on half_sign_ins (expires_at);

do $$
declare
    tab text;
begin
    foreach tab in array array['user_factors', 'recovery_codes', 'half_sign_ins']
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
