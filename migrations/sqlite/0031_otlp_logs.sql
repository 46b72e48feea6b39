-- Run events as OpenTelemetry logs: which trace a call belongs to, and how far each organisation's events were sent.

-- Trace id, span id of the caller, and flags, as W3C Trace Context has them: 16, 8 and 1 bytes. No part of what is chained.
alter table audit_events add column trace blob;

create table otlp_cursors (
    tenant_id blob not null primary key references organisations (id) on delete cascade,
    -- The number of the last event sent.
    seq integer not null
) strict;
