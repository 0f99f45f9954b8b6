-- Portuguese names, for code and SQL that speak them: `set search_path = pt, public`.
--
--   pendente -> processando -> concluido | falha | cancelado
--
-- A view and functions over public, nothing of its own. Not exposed over HTTP.

set lock_timeout = '5s';

create schema pt;
comment on schema pt is 'Portuguese names over public, for SQL written with them. Not exposed over HTTP.';
grant usage on schema pt to authenticated, service_role;

-- A job by one of these names is enqueued as the type that it stands for.
insert into public.job_types (type, queue, priority, max_attempts, replayable, alias_of, needs)
select alias, queue, priority, max_attempts, replayable, type, key
from public.job_types
join (values
  ('envio_mensagem', 'messages.send', 'message_id'),
  ('processamento_webhook', 'messages.ingest', 'event_id')
) as named (alias, type, key) using (type);

create view pt.queue_jobs with (security_invoker = true) as
select
  job.id,
  coalesce(
    (select min(alias.type) from public.job_types as alias where alias.alias_of = job.type), job.type
  ) as tipo,
  job.data as dados,
  case
    when job.status = 'completed' then 'concluido'
    when job.status = 'failed' then 'falha'
    when job.status = 'cancelled' then 'cancelado'
    when job.lease_until > now() then 'processando'
    else 'pendente'
  end as status,
  job.priority as prioridade,
  job.attempts as tentativas,
  job.max_attempts as max_tentativas,
  job.error as erro,
  job.result as resultado,
  job.queue as fila,
  job.company_id as empresa_id,
  job.created_at,
  job.run_at as agendado_para,
  job.started_at as iniciado_em,
  job.completed_at as concluido_em,
  job.last_error_at as ultimo_erro_em
from public.queue_jobs as job;
comment on view pt.queue_jobs is
  'public.queue_jobs in Portuguese. status: pendente, processando (a live lease), concluido, falha, cancelado.';
grant select on pt.queue_jobs to authenticated, service_role;

create function pt.limpar_queue_jobs_antigos()
returns integer language sql volatile security invoker set search_path = '' as $$
  select (public.sweep_jobs() ->> 'deleted')::integer
$$;
comment on function pt.limpar_queue_jobs_antigos is
  'Drops jobs past the retention of their queue, as every tick does, and answers how many; bounded, so call it until it answers 0.';
grant execute on function pt.limpar_queue_jobs_antigos to service_role;

create function pt.enviar_mensagem(p_dados jsonb)
returns bigint language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_message_id uuid := gen_random_uuid();
  v_instance public.instances;
  v_contact public.contacts;
  v_conversation_id uuid;
begin
  select * into v_instance from public.instances where id = (p_dados ->> 'instance_id')::uuid;
  select * into v_contact from public.contacts
  where id = (p_dados ->> 'contato_id')::uuid and company_id = v_instance.company_id;
  if v_contact.id is null or coalesce(p_dados ->> 'conteudo', '') = '' then
    raise exception using errcode = 'PT422', message = 'invalid_job_data',
      detail = 'envio_mensagem needs conteudo, instance_id (a number) and contato_id (a contact of the same company).',
      hint = 'Or message_id, of a message that is queued already.';
  end if;
  select id into v_conversation_id from public.conversations
  where company_id = v_contact.company_id and instance_id = v_instance.id and contact_id = v_contact.id and kind = 'direct'
  order by last_message_at desc limit 1;
  if v_conversation_id is null and v_contact.phone is null then
    raise exception using errcode = 'PT422', message = 'contact_without_phone',
      detail = 'The contact has no conversation with this number, and no phone to open one.';
  end if;
  perform public.send_message(
    v_message_id, 'text', p_dados ->> 'conteudo', v_conversation_id,
    case when v_conversation_id is null then v_instance.id end,
    case when v_conversation_id is null then v_contact.phone end, v_contact.company_id
  );
  return (select id from public.queue_jobs where queue = 'outbound' and unique_key = 'send:' || v_message_id and completed_at is null);
end $$;
comment on function pt.enviar_mensagem is
  'Queues a text {contato_id, instance_id, conteudo} and answers the id of its job. Raises invalid_job_data, contact_without_phone.';
grant execute on function pt.enviar_mensagem to service_role;

create function pt.adicionar_job(p_tipo text, p_dados jsonb, p_max_tentativas integer default null)
returns bigint language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_id bigint;
begin
  if not exists (select from public.job_types where type = p_tipo) then
    raise exception using errcode = 'PT422', message = 'unknown_job_type', detail = format('There are no jobs of type %s.', p_tipo);
  end if;
  if p_tipo = 'envio_mensagem' and not coalesce(p_dados ? 'message_id', false) then
    v_id := pt.enviar_mensagem(p_dados);
    update public.queue_jobs set max_attempts = coalesce(p_max_tentativas, max_attempts) where id = v_id;
    return v_id;
  end if;
  return public.enqueue_jobs(jsonb_build_array(jsonb_build_object(
    'type', p_tipo, 'data', p_dados, 'max_attempts', p_max_tentativas
  ))) ->> 0;
end $$;
comment on function pt.adicionar_job is
  'Adds a job and answers its id. envio_mensagem takes {contato_id, instance_id, conteudo} and really sends; every call sends once more. Raises unknown_job_type, invalid_job_data, contact_without_phone.';
grant execute on function pt.adicionar_job to service_role;
