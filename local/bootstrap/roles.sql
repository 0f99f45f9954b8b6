-- The roles, schemas and default privileges of a hosted Supabase project.
-- Runs once as supabase_admin (superuser) in the database `postgres`; nothing here is a migration.

create role anon nologin noinherit;
create role authenticated nologin noinherit;
create role service_role nologin noinherit bypassrls;
create role authenticator login noinherit;
grant anon, authenticated, service_role to authenticator;

-- Not a superuser, as on hosted: what it may not do there fails here too.
create role postgres login createdb createrole replication bypassrls;
create role supabase_auth_admin login noinherit createrole;
create role supabase_storage_admin login noinherit createrole;
create role supabase_realtime_admin nologin noinherit;
create role supabase_replication_admin login replication;
create role supabase_read_only_user login bypassrls;
create role dashboard_user nologin createdb createrole replication;
grant pg_read_all_data to supabase_read_only_user;
grant pg_monitor, pg_read_all_data, pg_signal_backend to postgres with admin option;
grant anon, authenticated, service_role, authenticator to postgres with admin option;
grant anon, authenticated, service_role to supabase_storage_admin;

alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s';
alter role authenticator set statement_timeout = '8s';
alter role authenticator set lock_timeout = '8s';
alter role supabase_auth_admin set search_path = 'auth';
alter role supabase_auth_admin set idle_in_transaction_session_timeout = '60s';
alter role supabase_storage_admin set search_path = 'storage';
alter role postgres set search_path = "$user", public, extensions;
alter role supabase_admin set search_path = "$user", public, auth, extensions;

alter database postgres owner to postgres;
alter database postgres set "app.settings.jwt_exp" = '3600';
alter database postgres set pgrst.db_schemas = 'public';
grant all on database postgres to dashboard_user;

-- Objects in public get no grants by themselves (the default of projects since 2026-05-30):
-- Postgres' own default, execute on functions for PUBLIC, stays.
grant usage on schema public to postgres, anon, authenticated, service_role;
alter schema public owner to pg_database_owner;

create schema extensions authorization postgres;
grant usage on schema extensions to anon, authenticated, service_role, dashboard_user;
-- On hosted `postgres` may create it; the wheel has no supautils to allow that, so it is there.
create extension vector with schema extensions;

create schema graphql authorization supabase_admin;
create schema graphql_public authorization supabase_admin;
create schema vault authorization supabase_admin;

create publication supabase_realtime;
alter publication supabase_realtime owner to postgres;
