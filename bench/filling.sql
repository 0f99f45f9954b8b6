-- The data set of the volume benchmark: companies that have been at it for three years.
--
-- Read by bench/filling.py, which runs it in one session without triggers. It expects the temporary
-- table shops (company_id, instance_ids uuid[], agents uuid[], conversations, messages); messages is
-- how many a conversation has in the middle.

-- Words by how often they are said, the first ones most: rank floor(20000 ^ random()) is Zipf's law.
create temporary table words as
select row_number() over (order by place, md5(word))::integer as rank, word
from (
  select place, word from unnest(string_to_array(
    'de a o que e não para com um por mais uma você pedido entrega boleto obrigado favor loja hoje amanhã pix'
    ' promoção frete troca horário preço azul verde grande pequeno endereço cartão nota fiscal garantia tamanho'
    ' pagamento estoque cor rastreio código desconto produto prazo retirada camisa tênis box order shipping thanks', ' '
  )) with ordinality as said (word, place)
  union all
  select 1000, first || middle || last
  from unnest(string_to_array('ba be ca co da de fa fi ga go la li ma me na ni pa pe ra re sa si ta te va vi ju jo ze lu', ' ')) as first,
    unnest(string_to_array('r n s l m bra tri cla pre gui que nha lhe dri fro gra mpo nte rda sco lta rvi nda gla bri ple cre', ' ')) as middle,
    unnest(string_to_array('ção mente ado ada ar er ir eiro eira ista agem dade ável ência inho ona oso osa ura ismo ez al ão eta uda', ' ')) as last
) as vocabulary
limit 20000;

create temporary table phrases as
select number, string_agg(word, ' ') as text
from (
  select number, floor(20000 ^ random())::integer as rank
  from generate_series(1, 100000) as number, generate_series(1, 8) as place where place <= 2 + number % 7
) as said join words using (rank)
group by number;
create unique index on phrases (number);

-- One in fifteen is a group. Ages are of seconds, as providers tell them, so that many are equal.
create temporary table threads as
select
  company_id, n, instance_ids[1 + n % cardinality(instance_ids)] as instance_id, gen_random_uuid() as id,
  case when n % 15 > 0 then gen_random_uuid() end as contact_id,
  '55' || (11 + n % 80) || '9' || lpad((n * 7919::bigint % 100000000)::text, 8, '0') as phone,
  case when n <= 10 then least(messages * 2500, greatest(conversations * messages / 40, 1))
    else greatest(1, floor(messages * case
      when luck < 0.5 then 0.2 when luck < 0.8 then 0.6 when luck < 0.95 then 2 when luck < 0.999 then 5 else 40 end)
    ) end::integer as messages,
  case when other < 0.01 or (age < 0.002 and other < 0.5) then 'open' when other < 0.03 or (age < 0.007 and other < 0.9) then 'pending'
    else 'closed' end as status,
  case when third < 0.7 then agents[1 + floor(cardinality(agents) * (third / 0.7) ^ 2)::integer] end as assignee_id,
  date_trunc('second', now() - age * interval '1095 days') as last_at,
  random() as span
from shops
cross join lateral generate_series(1, conversations) as n
cross join lateral (
  select random() as luck, random() as other, random() as third, random() ^ 3 as age where n > 0
) as chance;
create unique index on threads (id);
analyze threads;

insert into public.contacts (id, company_id, name, phone, created_at)
select contact_id, company_id,
  (array['Ana', 'João', 'Maria', 'Pedro', 'Luís', 'Márcia', 'Antônio', 'Beatriz', 'Carlos', 'Davi', 'Elisa', 'Fábio', 'Gabriela', 'Hugo', 'Íris'])
    [1 + n / 3 % 15]
  || ' ' || initcap(one.word)
  || ' ' || (array['Silva', 'Souza', 'Costa', 'Conceição', 'Araújo', 'Gonçalves', 'Lima', 'Santos', 'Oliveira', 'Rocha', 'Alves'])[1 + n % 11]
  || case when n % 10 = 0 then ' raro' || n else '' end,
  '+' || phone, last_at - span * interval '200 days'
from threads join words as one on one.rank = 100 + n % 19000
where contact_id is not null;

insert into public.contact_identities (company_id, kind, value, contact_id)
select company_id, kind, value, contact_id
from threads, lateral (values ('phone', '+' || phone), ('wa_id', phone)) as id (kind, value)
where contact_id is not null
on conflict do nothing;

insert into public.conversations (
  id, company_id, instance_id, contact_id, kind, address, title, status, assignee_id, unread, last_message_at,
  last_message_preview, last_message_direction, last_inbound_at, window_closes_at, waiting_since, version, rev
)
select
  id, company_id, instance_id, contact_id, case when contact_id is null then 'group' else 'direct' end,
  case when contact_id is null then n || '@g.us' else phone end, case when contact_id is null then 'Grupo ' || n end,
  status, assignee_id, case when is_waiting or n % 200 = 0 then 1 + n % 5 else 0 end, last_at,
  left(text, 140), case when is_waiting then 'in' else 'out' end, last_at, last_at + interval '24 hours',
  case when is_waiting then last_at - (n % 5) * interval '10 minutes' end, messages,
  row_number() over (partition by company_id order by last_at)
from threads
cross join lateral (select status = 'open' and n % 3 > 0 as is_waiting) as state
join phrases on phrases.number = 1 + n % 100000;

insert into public.versions (scope, company_id, version)
select 'conversation:' || id, company_id, messages from threads;
update public.versions set version = shops.conversations from shops
where scope = 'inbox:' || shops.company_id and shops.company_id = versions.company_id;

-- In the order in which they were said, of all companies together: a conversation lies scattered.
insert into public.messages (
  company_id, conversation_id, instance_id, seq, rev, direction, origin, type, status, occurred_at, created_at, body,
  media, payload, provider_message_id, reply_to, accepted_at, sent_at, delivered_at, read_at, created_by
)
select
  company_id, id, instance_id, m, m, case when is_in then 'in' else 'out' end,
  case when is_in then 'contact' when luck % 10 < 6 then 'agent' when luck % 10 < 8 then 'ai' else 'campaign' end,
  case when luck % 100 < 8 then 'image' when luck % 100 < 15 then 'audio' else 'text' end,
  case when is_in then 'received' when luck % 97 < 60 then 'read' when luck % 97 < 85 then 'delivered'
    when luck % 97 < 94 then 'sent' else 'failed' end,
  at, at,
  case when luck % 100 between 8 and 14 then null else
    case when luck % 4 = 0 then 'Bom dia! ' else '' end || one.text || ' ' || two.text
    || case when luck % 10 = 3 then ' nº ' || luck % 10000000 else '' end || case when m % 5 = 1 then ' raro' || n else '' end
  end,
  case when luck % 100 < 15 then jsonb_build_object('object', company_id || '/' || m, 'mime_type', 'image/jpeg', 'size', luck % 500000,
    'sha256', md5(m::text) || md5(id::text)) end,
  case when luck % 33 = 0 then jsonb_build_object('template', jsonb_build_object('name', 'pedido_enviado', 'components', repeat('x', 600))) end,
  '3EB0' || upper(substr(md5(id || ':' || m), 1, 18)),
  case when luck % 20 = 0 and m > 1 then '3EB0' || upper(substr(md5(id || ':' || m - 1), 1, 18)) end,
  case when not is_in then at end, case when not is_in then at end,
  case when not is_in and luck % 97 < 85 then at end, case when not is_in and luck % 97 < 60 then at end,
  case when not is_in and luck % 10 < 6 then assignee_id end
from (
  select id, m, date_trunc('second', last_at - span * least(messages, 700) * interval '1 day' * ((messages - m)::float / messages)) as at
  from threads, generate_series(1, messages) as m order by at, id, m offset 0
) as said
join threads using (id)
cross join lateral (select abs(hashint8extended(n * 1000003::bigint + m, 7)) as luck) as random
cross join lateral (select case when m = messages then status = 'open' and n % 3 > 0 else luck % 9 < 5 end as is_in) as side
join phrases as one on one.number = 1 + luck % 99991
join phrases as two on two.number = 1 + luck % 99989;

drop table words, phrases, threads;
