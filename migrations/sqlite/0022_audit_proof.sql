-- The audit log proves itself: checkpoints that are signed, and events of which what names people can be erased.

-- How the hash was made: 1 of the event as a whole, 2 with the hashes of two parts, each with a salt of its own,
-- 0 as a whole and then something was erased.
alter table audit_events add column form integer not null default 1;
-- A part that was erased has its hash in place of its salt.
alter table audit_events add column who_salt blob;
alter table audit_events add column who_hash blob;
alter table audit_events add column what_salt blob;
alter table audit_events add column what_hash blob;

-- The keys of the installation that checkpoints are signed with; the newest signs.
create table audit_keys (
    id blob not null primary key,
    public_key blob not null,
    -- What the private half is made of.
    sealed text not null,
    sealed_kid text not null,
    created_at integer not null
) strict;

create table audit_checkpoints (
    tenant_id blob not null,
    seq integer not null,
    hash blob not null,
    at integer not null,
    key text not null,
    signature blob not null,
    primary key (tenant_id, seq)
) strict;

create trigger audit_checkpoints_stay before update on audit_checkpoints
begin
    select raise(abort, 'checkpoints are not changed');
end;
create trigger audit_checkpoints_last before delete on audit_checkpoints
begin
    select raise(abort, 'checkpoints are not removed');
end;

-- What was recorded is not rewritten, but a part of it may be erased.
drop trigger audit_events_stay;
create trigger audit_events_stay before update on audit_events
when not (
    new.tenant_id is old.tenant_id and new.seq is old.seq and new.id is old.id and new.at is old.at
    and new.action is old.action and new.outcome is old.outcome and new.revision is old.revision
    and new.preset_id is old.preset_id and new.preset_slug is old.preset_slug
    and new.source_id is old.source_id and new.source_name is old.source_name
    and new.duration_us is old.duration_us and new.request_bytes is old.request_bytes
    and new.response_bytes is old.response_bytes and new.prev is old.prev and new.hash is old.hash
    and (new.form is old.form or (old.form = 1 and new.form = 0))
    and (
        (new.user_id is old.user_id and new.principal is old.principal and new.key_id is old.key_id
            and new.address is old.address and new.client is old.client
            and new.argument_digest is old.argument_digest and new.request_id is old.request_id
            and new.who_salt is old.who_salt and new.who_hash is old.who_hash)
        or (new.user_id is null and new.principal = '' and new.key_id is null and new.address = ''
            and new.client = '' and new.argument_digest = '' and new.request_id = '' and new.who_salt is null)
    )
    and (
        (new.subject is old.subject and new.reason is old.reason
            and new.what_salt is old.what_salt and new.what_hash is old.what_hash)
        or (new.subject = '' and new.reason = '' and new.what_salt is null)
    )
)
begin
    select raise(abort, 'audit events are not changed');
end;
