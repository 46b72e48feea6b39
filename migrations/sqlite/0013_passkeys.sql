-- Passkeys (WebAuthn) as a second factor, beside the one-time codes.

create table passkeys (
    tenant_id blob not null,
    id blob not null,
    user_id blob not null,
    -- What its owner calls it.
    name text not null,
    -- What the authenticator calls it.
    credential_id blob not null,
    -- The public key and what was said of it when it was added, as JSON.
    credential text not null,
    -- How often the authenticator says it has signed; stays 0 where it does not count.
    counter integer not null,
    created_at integer not null,
    used_at integer,
    primary key (tenant_id, id),
    unique (credential_id),
    foreign key (tenant_id, user_id) references memberships (tenant_id, user_id) on delete cascade
) strict;
create index passkeys_user on passkeys (user_id);

-- Passkeys that somebody is about to add, one for each browser session.
create table passkey_registrations (
    tenant_id blob not null,
    session_id blob not null,
    name text not null,
    -- What the browser is asked for, and what its answer is held against, as JSON.
    ceremony text not null,
    expires_at integer not null,
    primary key (tenant_id, session_id),
    foreign key (tenant_id, session_id) references browser_sessions (tenant_id, id) on delete cascade
) strict;

-- What a browser that has shown the first factor is asked for of a passkey, as JSON; null without one.
alter table half_sign_ins add column ceremony text;

-- Recovery codes are of the person: a passkey brings them as well as the one-time codes do.
create table recovery_codes_of_people (
    tenant_id blob not null,
    user_id blob not null,
    -- SHA-256 of the code.
    code_hash blob not null,
    primary key (tenant_id, user_id, code_hash),
    foreign key (tenant_id, user_id) references memberships (tenant_id, user_id) on delete cascade
) strict;
insert into recovery_codes_of_people (tenant_id, user_id, code_hash)
    select tenant_id, user_id, code_hash from recovery_codes;
drop table recovery_codes;
alter table recovery_codes_of_people rename to recovery_codes;
create index recovery_codes_user on recovery_codes (user_id);
