-- The second factor: one-time codes, and recovery codes for who has lost them.

create table user_factors (
    tenant_id blob not null,
    user_id blob not null,
    -- The shared secret, sealed by the vault; `sealed_kid` is the key it is under.
    sealed text not null,
    sealed_kid text not null,
    -- Null until the person showed that they have it.
    confirmed_at integer,
    -- The time step of the last code accepted.
    last_step integer not null,
    primary key (tenant_id, user_id),
    foreign key (tenant_id, user_id) references memberships (tenant_id, user_id) on delete cascade
) strict;
create index user_factors_user on user_factors (user_id);
create index user_factors_kid on user_factors (sealed_kid);

create table recovery_codes (
    tenant_id blob not null,
    user_id blob not null,
    -- SHA-256 of the code.
    code_hash blob not null,
    primary key (tenant_id, user_id, code_hash),
    foreign key (tenant_id, user_id) references user_factors (tenant_id, user_id) on delete cascade
) strict;
create index recovery_codes_user on recovery_codes (user_id);

-- People who have shown the first factor and not the second yet.
create table half_sign_ins (
    -- SHA-256 of the cookie.
    token_hash blob not null primary key,
    user_id blob not null references users (id) on delete cascade,
    provider text not null,
    expires_at integer not null
) strict;
create index half_sign_ins_end on half_sign_ins (expires_at);
