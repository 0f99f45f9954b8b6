-- A small league: every kind of thing the gateway has to answer for. Used by tests/local only.

create table public.teams (
  id bigint generated always as identity primary key,
  name text not null unique check (name <> ''),
  founded date,
  colours text[] not null default '{}',
  details jsonb not null default '{}'
);

create table public.players (
  id bigint generated always as identity primary key,
  team_id bigint references public.teams,
  name text not null,
  salary numeric(12, 2),
  joined_at timestamptz not null default now(),
  active boolean not null default true
);
create index players_team_id_idx on public.players (team_id);

create table public.passports (
  player_id bigint primary key references public.players on delete cascade,
  number text not null
);

create table public.matches (
  home_id bigint not null references public.teams,
  away_id bigint not null references public.teams,
  round int not null,
  result text,
  primary key (home_id, away_id, round)
);

-- Only its owner sees a note; nobody may set the owner to somebody else.
create table public.notes (
  id uuid primary key default gen_random_uuid(),
  owner uuid not null default auth.uid() references auth.users on delete cascade,
  body text not null,
  shared boolean not null default false
);
alter table public.notes enable row level security;
create policy "owners read" on public.notes for select to authenticated
  using (owner = (select auth.uid()) or shared);
create policy "owners write" on public.notes for all to authenticated
  using (owner = (select auth.uid())) with check (owner = (select auth.uid()));

create table public.kinds (
  id int primary key,
  "odd ""name" text,
  big bigint,
  exact numeric,
  raw bytea,
  moment timestamptz,
  day date,
  spans int4range,
  numbers int[],
  nothing text
);
insert into public.kinds values (
  1, 'x', 9007199254740993, 1234567890.123456789, '\xdeadbeef', '2026-01-02 03:04:05.600+00',
  '2026-01-02', '[1,5)', '{1,2,3}', null);

create table public.many (id int primary key);
insert into public.many select generate_series(1, 1200);

create view public.active_players with (security_invoker = true) as
  select id, name from public.players where active;

-- No grant to anybody.
create table public.secrets (id int primary key);

-- Columns: anon may read one of the two.
create table public.half_open (id int primary key, hidden text);
grant select (id) on public.half_open to anon;
insert into public.half_open values (1, 'x');

grant select, insert, update, delete on
  public.teams, public.players, public.passports, public.matches to service_role, authenticated;
grant select, insert, update, delete on public.notes to authenticated, service_role;
grant select on public.kinds, public.many, public.active_players to service_role, anon;

create function public.add(a int, b int default 10) returns int
  language sql immutable as $$ select a + b $$;
create function public.nothing() returns void language sql as $$ $$;
create function public.no_value() returns text language sql stable as $$ select null::text $$;
create function public.whole(jsonb) returns jsonb language sql immutable as $$ select $1 $$;
create function public.as_json(p jsonb) returns json language sql immutable as $$ select p::json $$;
create function public.numbers(up_to int) returns setof int
  language sql stable as $$ select generate_series(1, up_to) $$;
create function public.all_teams() returns setof public.teams
  language sql stable as $$ select * from public.teams $$;
create function public.team(team_name text) returns public.teams
  language sql stable as $$ select * from public.teams where name = team_name $$;
create function public.pairs(up_to int) returns table (n int, square int)
  language sql stable as $$ select i, i * i from generate_series(1, up_to) i $$;
create function public.with_out(a int, out b int, out c text) language sql stable as
  $$ select a + 1, 'c' $$;
create function public.total(variadic n int[]) returns bigint
  language sql immutable as $$ select sum(x) from unnest(n) x $$;
create function public.overloaded(a int) returns text language sql immutable as $$ select 'a' $$;
create function public.overloaded(a int, b int) returns text
  language sql immutable as $$ select 'ab' $$;
create function public.same_name(a int) returns text language sql immutable as $$ select 'int' $$;
create function public.same_name(a text) returns text language sql immutable as $$ select 'text' $$;
create function public.add_team(team_name text) returns bigint language sql volatile as
  $$ insert into public.teams (name) values (team_name) returning id $$;
create function public.write_in_stable() returns bigint language sql stable as
  $$ select public.add_team('never') $$;
create function public.fail_with(code text, message text default 'no') returns void
  language plpgsql as $$
begin
  raise exception using errcode = code, message = message, detail = 'why', hint = 'do';
end $$;
create function public.fail_as_response() returns void language plpgsql as $$
begin
  raise sqlstate 'PGRST' using
    message = '{"code":"E1","message":"m","details":"d","hint":"h"}',
    detail = '{"status":418,"headers":{"X-Tea":"pot"}}';
end $$;
create function public.teapot() returns text language plpgsql as $$
begin
  perform set_config('response.status', '418', true);
  perform set_config('response.headers', '[{"X-Tea": "pot"}, {"X-Milk": "no"}]', true);
  return 'short and stout';
end $$;
create function public.sleep_for(seconds float) returns void language sql as
  $$ select pg_sleep(seconds) $$;
create function public.sleep_briefly() returns void language sql
  set statement_timeout = '100ms' as $$ select pg_sleep(5) $$;
create function public.setting(name text) returns text language sql stable as
  $$ select current_setting(name, true) $$;
create function public.who() returns json language sql stable as $$
  select json_build_object('role', current_user, 'uid', auth.uid(), 'email', auth.email(),
    'claims', current_setting('request.jwt.claims', true)::json)
$$;
create function public.forbidden() returns int language sql as $$ select 1 $$;
revoke execute on function public.forbidden() from public;
