-- How fast passwords and codes may be tried, counted by all processes together. What is not in here may be tried at once
-- as often as there is room for.
create table sign_in_attempts (
    -- SHA-256 of what is tried, and in which way: a name somebody typed may be a password.
    subject blob not null primary key,
    -- When as many attempts will be free as before the first one.
    full_at integer not null
) strict;
create index sign_in_attempts_full on sign_in_attempts (full_at);
