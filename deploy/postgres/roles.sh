#!/bin/sh
# Makes the product's two roles and its database, when PostgreSQL starts on an empty volume. The owner runs
# the migrations; the app's role gets its grants from them, by name.
set -eu
psql -v ON_ERROR_STOP=1 -v owner_password="$OWNER_PASSWORD" -v app_password="$APP_PASSWORD" \
    --username "$POSTGRES_USER" --dbname postgres <<'SQL'
CREATE ROLE advancia_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE advancia_app LOGIN PASSWORD :'app_password';
CREATE DATABASE advancia OWNER advancia_owner;
SQL
