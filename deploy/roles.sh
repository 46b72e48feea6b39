#!/bin/sh
# Makes Doorward's two roles and its database; PostgreSQL's image runs this once, on an empty folder.
set -eu

psql --username postgres --set=owner="$DOORWARD_OWNER_PASSWORD" --set=app="$DOORWARD_APP_PASSWORD" \
  --set=ON_ERROR_STOP=1 <<'SQL'
create role doorward_owner login createrole password :'owner';
create role doorward_app login noinherit password :'app';
create database doorward owner doorward_owner;
SQL
