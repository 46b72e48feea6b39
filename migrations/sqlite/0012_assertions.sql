-- Assertions of identity providers that clients have shown, each of which works once.
create table used_assertions (
    -- SHA-256 of the provider's issuer and its name for the assertion.
    hash blob not null primary key,
    -- When the assertion ends by itself.
    expires_at integer not null
) strict, without rowid;
create index used_assertions_end on used_assertions (expires_at);
