-- Several processes that share a database, which those on a file do not; the same tables on both keep statements alike.

create table replicas (
    number integer not null primary key,
    address text not null,
    program text not null,
    beats integer not null,
    started_at integer not null,
    seen_at integer not null
) strict;

create table sessions_moved (
    id blob not null primary key,
    replica integer not null,
    moved_at integer not null
) strict;

create table job_turns (
    name text not null primary key,
    replica integer not null,
    until_at integer not null
) strict;
