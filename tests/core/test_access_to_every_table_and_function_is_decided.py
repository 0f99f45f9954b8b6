"""Who may do what with each table and function of public, written down twice: in the grants, and
here. Whoever adds one decides it here, and tests/core/test_companies_are_apart.py then tries it."""

from tests.core.conftest import Rivals

# What signed-in users may do; the policies say with which rows.
TABLES: dict[str, set[str]] = {
    "api_keys": {"SELECT", "INSERT", "UPDATE"},
    "companies": {"SELECT", "UPDATE"},
    "company_members": {"SELECT"},
    "consent_words": {"SELECT"},
    "contact_conflicts": {"SELECT"},
    "contact_identities": {"SELECT"},
    "contact_operations": {"SELECT"},
    "contacts": {"SELECT"},
    "conversation_events": {"SELECT"},
    "conversations": {"SELECT"},
    "inbound_events": {"SELECT"},
    "instances": {"SELECT"},
    "job_operations": {"SELECT"},
    "job_types": {"SELECT"},
    "message_changes": {"SELECT"},
    "message_status_events": {"SELECT"},
    "messages": {"SELECT", "INSERT"},
    "provider_events": {"SELECT"},
    "queue_jobs": {"SELECT"},
    "queue_schedules": {"SELECT"},
    "queues": {"SELECT"},
    "send_attempts": {"SELECT"},
    "send_reactions": {"SELECT"},
    "sending_rules": {"SELECT"},
    "suppressions": {"SELECT"},
    "versions": {"SELECT"},
}
# Columns that signed-in users may write.
WRITABLE = {
    "api_keys.INSERT": {"id", "company_id", "name", "key_hash", "key_hint", "created_by"},
    "api_keys.UPDATE": {"revoked_at"},
    "companies.UPDATE": {"name", "time_zone", "bot_pause_minutes"},
    "messages.INSERT": {
        "id", "company_id", "conversation_id", "type", "body", "media", "payload", "purpose",
        "reply_to", "target",
    },
}  # fmt: skip
# Columns that nobody reads but the service.
HIDDEN = {"api_keys.key_hash"}
FUNCTIONS_OF_USERS = {
    "add_suppression", "cancel_job", "cancel_jobs", "create_api_key", "erase_contact",
    "explain_contact", "explain_job", "export_contact", "find_inbound_event", "find_media",
    "find_number", "get_conversation", "get_sending_rules", "lift_suppression",
    "list_consent_words", "list_contact_conflicts", "list_contacts", "list_conversations",
    "list_failed_jobs", "list_inbound_events", "list_jobs", "list_messages", "list_numbers",
    "list_suppressions", "list_undecided", "list_waiting_changes",
    "may_connect_numbers", "merge_contacts", "replay_job", "replay_jobs", "reprocess_inbound",
    "resolve_message", "resume_sending", "search_contacts", "search_messages", "send_message",
    "set_consent_word", "set_number_pace", "set_sending_rules", "sync_conversation",
    "sync_heads", "sync_inbox", "update_conversation",
}  # fmt: skip
FUNCTIONS_OF_THE_SERVICE = {
    "ask_for_decision", "begin_media", "begin_probe", "begin_reconcile", "begin_send",
    "begin_tick", "claim_jobs", "claim_media", "complete_jobs", "connect_number",
    "continue_erasure", "copy_job", "count_jobs", "create_inbound_endpoint", "create_instance",
    "delete_schedule", "due_schedules", "end_tick", "enqueue_jobs", "exchange_jobs",
    "expire_inbound_bodies", "extend_jobs", "find_api_key", "find_inbound_endpoint",
    "find_number_access", "find_number_place", "find_schedule", "get_inbound_events",
    "get_read_messages", "health", "ingest_inbound", "is_suppressed", "list_schedules",
    "list_sealed", "pause_queue", "pause_schedule", "queue_health", "queue_stats",
    "rate_opens_in", "react_to_report", "receive_inbound", "record_media",
    "record_number_events", "record_probe", "record_reconciled", "record_send_result",
    "release_waiting", "remove_number", "reseal", "resume_queue", "resume_schedule",
    "run_schedules", "set_inbound_retention", "set_key_limits", "set_queue_limits",
    "set_schedule", "sweep_jobs", "watch_jobs", "watch_numbers",
}  # fmt: skip

RELATIONS = """
  select relname, relkind::text as kind, relrowsecurity as secured, verb,
    case when verb = 'DELETE' then has_table_privilege(role, relation.oid, verb)
         else has_any_column_privilege(role, relation.oid, verb) end as granted
  from pg_class as relation
  cross join unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE']) as verb
  cross join (select $1::text as role) as asked
  where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f')
"""
COLUMNS = """
  select relname || '.' || verb as place, attname,
    has_column_privilege('authenticated', relation.oid, attnum, verb) as granted
  from pg_class as relation
  join pg_attribute on attrelid = relation.oid and attnum > 0 and not attisdropped
  cross join unnest(array['SELECT', 'INSERT', 'UPDATE']) as verb
  where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f')
"""
FUNCTIONS = """
  select proname, has_function_privilege($1, oid, 'execute') as granted
  from pg_proc where pronamespace = 'public'::regnamespace
"""


async def test_every_table_is_secured_and_decided(rivals: Rivals) -> None:
    rows = await rivals.database.fetch(RELATIONS, "authenticated")
    found: dict[str, set[str]] = {row["relname"]: set() for row in rows}
    for row in rows:
        if row["granted"]:
            found[row["relname"]].add(row["verb"])
    assert found == TABLES
    assert {row["relname"] for row in rows if row["kind"] in "rp" and not row["secured"]} == set()


async def test_every_column_is_decided(rivals: Rivals) -> None:
    rows = await rivals.database.fetch(COLUMNS)
    writable: dict[str, set[str]] = {}
    for row in rows:
        if row["granted"] and not row["place"].endswith("SELECT"):
            writable.setdefault(row["place"], set()).add(row["attname"])
    assert writable == WRITABLE
    hidden = {
        f"{row['place'].removesuffix('.SELECT')}.{row['attname']}"
        for row in rows
        if row["place"].endswith(".SELECT") and not row["granted"]
    }
    assert hidden == HIDDEN


async def test_strangers_may_do_nothing(rivals: Rivals) -> None:
    tables = await rivals.database.fetch(RELATIONS, "anon")
    assert [row["relname"] for row in tables if row["granted"]] == []
    functions = await rivals.database.fetch(FUNCTIONS, "anon")
    assert [row["proname"] for row in functions if row["granted"]] == []


async def test_every_function_is_decided(rivals: Rivals) -> None:
    rows = await rivals.database.fetch(FUNCTIONS, "authenticated")
    assert {row["proname"] for row in rows if row["granted"]} == FUNCTIONS_OF_USERS
    assert {row["proname"] for row in rows if not row["granted"]} == FUNCTIONS_OF_THE_SERVICE


async def test_no_other_schema_answers(rivals: Rivals) -> None:
    for schema in ("private", "auth", "supabase_migrations", "pg_catalog", "realtime"):
        headers = rivals.rest("owner") | {"accept-profile": schema}
        answer = await rivals.mine.project.http.get(
            f"{rivals.mine.project.url}/rest/v1/instance_secrets", headers=headers
        )
        assert answer.status_code == 406, schema
