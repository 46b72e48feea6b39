-- Whom the owner of a source trusts to sign its certificate, as PEM.
alter table sources add column ca_certificates text;
