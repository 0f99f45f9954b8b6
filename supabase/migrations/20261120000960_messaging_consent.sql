-- Messaging, consent: how contacts say that they want no more, and how people look after it.
--
-- A contact opts out of marketing by a message that is a word and nothing else ("Sair.", "PARAR!"),
-- by a button made for it, or in WhatsApp itself. "Quero cancelar meu pedido" is no such message,
-- and neither is a button that says just "Cancelar". A company may add words and switch off ours.
--
-- What was queued before an opt-out is stopped where each attempt begins: see attempts_need_consent.

set lock_timeout = '5s';

create table public.consent_words (
  company_id uuid not null references public.companies (id) on delete cascade,
  word text not null,
  effect text not null,
  created_at timestamptz not null default now(),
  primary key (company_id, word),
  constraint an_effect_is_known check (effect in ('stop', 'start', 'none')),
  constraint a_word_is_plain check (word ~ '^[a-z0-9]+( [a-z0-9]+)*$' and length(word) <= 60)
);
comment on table public.consent_words is
  'A company''s own words beside the usual ones: stop and start marketing; none switches a usual one off.';
alter table public.consent_words enable row level security;
create policy "members read the words" on public.consent_words for select to authenticated
  using (company_id in (select private.my_company_ids()));
grant select on public.consent_words to authenticated;
grant select, insert, update, delete on public.consent_words to service_role;

create function private.plain_words(p_text text)
returns text language sql immutable security invoker set search_path = '' as $$
  -- Accents are letters of their own after NFKD, and go with the punctuation between words.
  select trim(regexp_replace(
    lower(regexp_replace(normalize(left(p_text, 200), nfkd), '[\u0300-\u036f''’]', '', 'g')), '[^a-z0-9]+', ' ', 'g'
  ))
$$;
comment on function private.plain_words is 'A text without case, accents, punctuation and emoji: "  NÃO, pare!" is "nao pare".';

create function private.usual_effect(p_words text, p_is_button boolean)
returns text language sql immutable security invoker set search_path = '' as $$
  select case
    when p_words = any (array[
      'stop promotions', 'stop marketing', 'stop messages', 'unsubscribe', 'unsubscribe me', 'opt out', 'optout',
      'parar promocoes', 'parar de receber', 'parar mensagens', 'cancelar inscricao', 'descadastrar', 'descadastre',
      'me descadastre', 'descadastrar me', 'sair da lista', 'nao quero receber', 'nao quero mais receber',
      'nao quero mais receber mensagens', 'me tire da lista', 'remover da lista', 'remova me da lista',
      'detener promociones', 'darme de baja', 'dar de baja', 'cancelar suscripcion', 'no quiero recibir',
      'no quiero recibir mensajes', 'no quiero recibir mas mensajes'
    ]) then 'stop'
    when p_words = any (array[
      'resume promotions', 'opt in', 'optin', 'subscribe', 'unstop', 'retomar promocoes', 'voltar a receber',
      'quero receber', 'quero voltar a receber', 'reanudar promociones', 'quiero recibir', 'suscribirme'
    ]) then 'start'
    -- A button with one of the short words may be about an order.
    when p_is_button then null
    when p_words = any (array[
      'stop', 'stopall', 'stop all', 'cancel', 'quit', 'sair', 'parar', 'pare', 'parem', 'cancelar', 'cancele',
      'remover', 'remova', 'me remova', 'desinscrever', 'baja', 'salir', 'detener', 'desuscribir', 'desuscribirme'
    ]) then 'stop'
    when p_words = any (array['start', 'voltar', 'volver']) then 'start'
  end
$$;
comment on function private.usual_effect is 'What plain words mean in Portuguese, English and Spanish: stop, start, or null.';

create function private.consent_effect(p_company_id uuid, p_text text, p_is_button boolean)
returns text language sql stable security invoker set search_path = '' as $$
  select nullif(coalesce(
    (select effect from public.consent_words where company_id = p_company_id and word = said),
    private.usual_effect(said, p_is_button)
  ), 'none')
  from private.plain_words(p_text) as said
  where said <> ''
$$;
comment on function private.consent_effect is 'What a whole message says about marketing: stop, start, or null. A company''s own words come first.';
grant execute on function private.plain_words, private.usual_effect, private.consent_effect to service_role;


-- What contacts say -------------------------------------------------------------------------

create function private.messages_tell_consent()
returns trigger language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_is_button boolean := new.type <> 'text';
  v_effect text := coalesce(
    case when v_is_button then private.consent_effect(new.company_id, new.payload ->> 'id', true) end,
    private.consent_effect(new.company_id, new.body, v_is_button)
  );
  v_identities jsonb;
  v_evidence jsonb;
begin
  if v_effect is null then
    return null;
  end if;
  v_evidence := jsonb_build_object('message_id', new.id, 'event_id', private.current_event(new.id));
  -- Null of a group: what a member says there is not said to the company.
  select private.identities_of(company_id, contact_id) into v_identities
  from public.conversations where id = new.conversation_id and kind = 'direct';
  if v_identities is null then
    return null;
  end if;
  if v_effect = 'start' then
    perform private.lift(new.company_id, v_identities, v_evidence, new.occurred_at, new.instance_id);
  else
    perform private.suppress(
      new.company_id, v_identities, 'marketing', case when v_is_button then 'button' else 'word' end, v_evidence,
      new.occurred_at
    );
  end if;
  return null;
end $$;
comment on function private.messages_tell_consent is 'A message that is an opt-out, or takes one back, counts in the transaction that stores it.';
-- 200 characters: what a longer message says is more than a word.
create trigger messages_tell_consent after insert or update of body, payload, type on public.messages for each row
  when (
    new.direction = 'in' and new.type in ('text', 'button', 'interactive') and new.deleted_at is null
    and length(new.body) <= 200
  )
  execute function private.messages_tell_consent();

create function private.preferences_tell_consent()
returns trigger language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_evidence jsonb := jsonb_build_object('event_id', new.inbound_event_id);
begin
  if (new.data ->> 'wanted')::boolean then
    perform private.lift(new.company_id, new.data -> 'identities', v_evidence, new.occurred_at, new.instance_id);
  else
    perform private.suppress(
      new.company_id, new.data -> 'identities', 'marketing', 'preference', v_evidence, new.occurred_at
    );
  end if;
  return null;
end $$;
comment on function private.preferences_tell_consent is 'What a contact told WhatsApp about marketing messages counts here too; the latest counts.';
create trigger preferences_tell_consent after insert or update on public.provider_events for each row
  when (new.event = 'preference') execute function private.preferences_tell_consent();

create function private.requests_become_suppressions()
returns trigger language plpgsql volatile security invoker set search_path = '' as $$
begin
  perform private.suppress(
    new.company_id, private.identities_of(new.company_id, new.contact_id), new.scope, 'provider',
    jsonb_build_object('message_id', new.message_id, 'code', new.reason)
  );
  return null;
end $$;
comment on function private.requests_become_suppressions is 'A failure that says "not to this one" suppresses.';
create trigger requests_become_suppressions after insert on private.suppression_requests
  for each row execute function private.requests_become_suppressions();


create function private.attempts_need_consent()
returns trigger language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_obstacle jsonb := (
    select private.send_obstacle(conversation.company_id, contact_id, message.purpose, conversation.instance_id)
    from public.messages as message
    join public.conversations as conversation on conversation.id = message.conversation_id
    where message.id = new.message_id
  );
begin
  if v_obstacle is not null then
    raise exception using errcode = 'PT409', message = v_obstacle ->> 'code', detail = v_obstacle ->> 'details';
  end if;
  return new;
end $$;
comment on function private.attempts_need_consent is
  'Nothing is sent against an opt-out that was stored before the attempt began: the message fails. Raises suppressed, contact_erased.';
create trigger attempts_need_consent before insert on public.send_attempts
  for each row execute function private.attempts_need_consent();


-- What people do ----------------------------------------------------------------------------

create function private.require_role(p_company_id uuid, p_min_role text)
returns void language plpgsql stable security invoker set search_path = '' as $$
begin
  if coalesce((select auth.role()), 'service_role') <> 'service_role'
     and p_company_id not in (select private.my_company_ids(p_min_role)) then
    raise exception using errcode = 'PT403', message = 'role_required',
      detail = format('This needs the role %s.', p_min_role);
  end if;
end $$;
comment on function private.require_role is
  'For functions that run as their owner: whether the caller has this role in the company. Raises role_required.';
grant execute on function private.require_role to authenticated, service_role;

-- definer because members may not write suppressions; it asks itself whether this one may.
create function private.suppress_by_person(
  p_company_id uuid, p_identities jsonb, p_scope text, p_instance_id uuid, p_campaign_id uuid, p_note text
)
returns json language plpgsql volatile security definer set search_path = '' as $$
declare
  v_id uuid;
begin
  perform private.require_role(p_company_id, 'agent');
  if p_instance_id is not null and not exists (
    select from public.instances where company_id = p_company_id and id = p_instance_id
  ) then
    raise exception using errcode = 'PT404', message = 'instance_not_found',
      detail = 'There is no such number in this company.';
  end if;
  v_id := private.suppress(
    p_company_id, p_identities, p_scope, 'person',
    jsonb_build_object('user_id', (select auth.uid()), 'note', left(p_note, 500)), null, p_instance_id, p_campaign_id
  );
  if v_id is null then
    raise exception using errcode = 'PT422', message = 'no_identity',
      detail = 'Nothing is known of the contact that a suppression could hold for.';
  end if;
  return (select to_json(suppression) from public.suppressions as suppression where id = v_id);
end $$;
comment on function private.suppress_by_person is 'See add_suppression.';
grant execute on function private.suppress_by_person to authenticated, service_role;

create function public.add_suppression(
  p_company_id uuid default null, p_contact_id uuid default null, p_phone text default null,
  p_scope text default 'marketing', p_instance_id uuid default null, p_campaign_id uuid default null,
  p_note text default null
)
returns json language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_company_id uuid := private.acting_company(p_company_id, 'agent');
  v_phone text := private.canonical_phone(p_phone);
begin
  if p_contact_id is not null and not exists (
    select from public.contacts where company_id = v_company_id and id = p_contact_id
  ) then
    raise exception using errcode = 'PT404', message = 'contact_not_found',
      detail = 'There is no such contact in this company.';
  end if;
  if p_contact_id is null and v_phone is null then
    raise exception using errcode = 'PT422', message = 'invalid_phone',
      detail = 'Name a contact, or a phone with country code.', hint = 'For example +5511987654321.';
  end if;
  return private.suppress_by_person(
    v_company_id,
    case when p_contact_id is null then jsonb_build_array(jsonb_build_object('kind', 'phone', 'value', v_phone))
      else (
        select jsonb_agg(jsonb_build_object('kind', kind, 'value', value)) from public.contact_identities
        where company_id = v_company_id and contact_id = (
          select coalesce(merged_into, id) from public.contacts where company_id = v_company_id and id = p_contact_id
        )
      ) end,
    p_scope, p_instance_id, p_campaign_id, p_note
  );
end $$;
comment on function public.add_suppression is
  'A person says that a contact, or a phone, gets no more: scope all, marketing, number (with p_instance_id) or campaign. Twice is once. Raises company_required, role_required, contact_not_found, instance_not_found, invalid_phone, no_identity.';

-- definer because members may not write suppressions; it asks itself whether this one may.
create function private.lift_by_person(p_company_id uuid, p_id uuid, p_note text)
returns json language plpgsql volatile security definer set search_path = '' as $$
declare
  v_suppression public.suppressions;
begin
  perform private.require_role(p_company_id, 'agent');
  update public.suppressions set
    lifted_at = now(),
    lift_evidence = jsonb_strip_nulls(jsonb_build_object('user_id', (select auth.uid()), 'note', left(p_note, 500)))
  where company_id = p_company_id and id = p_id and lifted_at is null;
  select * into v_suppression from public.suppressions where company_id = p_company_id and id = p_id;
  if v_suppression.id is null then
    raise exception using errcode = 'PT404', message = 'suppression_not_found',
      detail = 'There is no such suppression in this company.';
  end if;
  return to_json(v_suppression);
end $$;
comment on function private.lift_by_person is 'See lift_suppression.';
grant execute on function private.lift_by_person to authenticated, service_role;

create function public.lift_suppression(p_id uuid, p_company_id uuid default null, p_note text default null)
returns json language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_company_id uuid := coalesce(p_company_id, (select company_id from public.suppressions where id = p_id));
begin
  if v_company_id is null then
    raise exception using errcode = 'PT404', message = 'suppression_not_found',
      detail = 'There is no such suppression, or you may not see it.';
  end if;
  return private.lift_by_person(private.acting_company(v_company_id, 'agent'), p_id, p_note);
end $$;
comment on function public.lift_suppression is
  'A person says that a suppression holds no more; it stays, with who and why. Twice is once. Raises role_required, company_not_found, suppression_not_found.';

create function public.list_suppressions(
  p_company_id uuid default null, p_contact_id uuid default null, p_active boolean default true,
  p_limit integer default 50, p_cursor text default null
)
returns json language plpgsql stable security invoker set search_path = ''
-- A filter that is not given must vanish from the plan.
set plan_cache_mode = force_custom_plan
as $$
declare
  v_company_id uuid := private.acting_company(p_company_id);
  v_before record := private.before_cursor(p_cursor);
  v_limit integer := least(greatest(p_limit, 1), 200);
begin
  return private.page_result((
    select jsonb_agg(to_jsonb(page) order by created_at desc, id desc) from (
      select * from public.suppressions
      where company_id = v_company_id and (created_at, id) < (v_before.at, v_before.id)
        and (p_contact_id is null or contact_id = p_contact_id)
        and (not p_active or lifted_at is null)
      order by created_at desc, id desc
      limit v_limit + 1
    ) as page
  ), v_limit, null, 'created_at', 'id');
end $$;
comment on function public.list_suppressions is
  'A page of suppressions, newest first: those in force, or with p_active false the lifted ones too.';
grant execute on function public.add_suppression, public.lift_suppression, public.list_suppressions to authenticated, service_role;

-- definer because members may not write words; it asks itself whether this one may.
create function private.write_consent_word(p_company_id uuid, p_word text, p_effect text)
returns json language plpgsql volatile security definer set search_path = '' as $$
declare
  v_word text := private.plain_words(p_word);
begin
  perform private.require_role(p_company_id, 'admin');
  if coalesce(length(v_word), 0) not between 1 and 60 then
    raise exception using errcode = 'PT422', message = 'invalid_word',
      detail = 'A word has 1 to 60 letters and digits.', hint = 'A message of just these words is meant.';
  end if;
  if p_effect is null then
    delete from public.consent_words where company_id = p_company_id and word = v_word;
  elsif p_effect not in ('stop', 'start', 'none') then
    raise exception using errcode = 'PT422', message = 'invalid_effect', detail = 'The effect is stop, start or none.';
  else
    insert into public.consent_words (company_id, word, effect) values (p_company_id, v_word, p_effect)
    on conflict (company_id, word) do update set effect = excluded.effect;
  end if;
  return json_build_object('word', v_word, 'effect', p_effect, 'means', private.consent_effect(p_company_id, v_word, false));
end $$;
comment on function private.write_consent_word is 'See set_consent_word.';
create function public.set_consent_word(p_word text, p_effect text, p_company_id uuid default null)
returns json language sql volatile security invoker set search_path = '' as $$
  select private.write_consent_word(private.acting_company(p_company_id, 'admin'), p_word, p_effect)
$$;
comment on function public.set_consent_word is
  'What a message of just this word means to a company: stop, start, or none to switch a usual word off; null forgets what the company said. Answers {word, effect, means}, where means is what then holds. Raises company_required, role_required, invalid_word, invalid_effect.';

create function public.list_consent_words(p_company_id uuid default null)
returns json language sql stable security invoker set search_path = '' as $$
  select json_build_object('data', coalesce(json_agg(json_build_object('word', word, 'effect', effect) order by word), '[]'))
  from public.consent_words where company_id = private.acting_company(p_company_id)
$$;
comment on function public.list_consent_words is 'The words that a company has set, {data: [{word, effect}]}; the usual ones are beside them. Raises company_required.';
grant execute on function private.write_consent_word, public.set_consent_word, public.list_consent_words
to authenticated, service_role;
