-- The demo company of `make dev`. Its users, numbers and keys are made over HTTP by local/demo.py,
-- as an application would; nothing here is meant for a hosted project.

insert into public.companies (id, name)
values ('5eed0000-0000-4000-8000-000000000001', 'Padaria Pão Quente')
on conflict (id) do nothing;
