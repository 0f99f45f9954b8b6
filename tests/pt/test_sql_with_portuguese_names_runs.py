"""The monitoring SQL of the Portuguese manual runs as printed, and its job types do their work."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import asyncpg
import orjson
import pytest

from local.stack import Stack
from tests.fixtures import Api, until
from tests.tenants import Project, Tenant

# As printed.
MONITORING = """
-- Jobs pendentes
SELECT * FROM queue_jobs 
WHERE status = 'pendente' 
ORDER BY created_at;

-- Jobs com falha
SELECT * FROM queue_jobs 
WHERE status = 'falha' 
ORDER BY created_at DESC;

-- Estatísticas
SELECT 
  status,
  COUNT(*) as total,
  AVG(tentativas) as media_tentativas
FROM queue_jobs
GROUP BY status;
"""
CLEANING = """
SELECT limpar_queue_jobs_antigos();
"""


@pytest.fixture
async def editor(stack: Stack) -> AsyncIterator[asyncpg.Connection]:
    """The SQL editor, with the Portuguese names before the others."""
    connection = await asyncpg.connect(stack.database_url)
    await connection.execute("set role postgres; set search_path = pt, public")
    yield connection
    await connection.close()


async def enqueue(project: Project, **job: Any) -> int:
    ids = await project.rpc("enqueue_jobs", {"p_jobs": [job]})
    job_id: int = ids[0]
    return job_id


async def test_the_monitoring_sql_runs_as_printed(
    editor: asyncpg.Connection, project: Project
) -> None:
    await editor.execute(MONITORING + CLEANING)
    name = f"test-{uuid4().hex[:12]}"
    await project.insert("queues", {"name": name})
    jobs = [{"type": "test", "queue": name, "data": {"n": n}} for n in range(5)]
    ids = await project.rpc("enqueue_jobs", {"p_jobs": jobs})
    claim = {"p_limit": 4, "p_lease_seconds": 60, "p_queues": [name]}
    claimed = await project.rpc("claim_jobs", claim)
    outcomes = ["ok", "dead", "cancelled"]
    results = [
        {"id": job["id"], "claim": job["claim"], "outcome": outcome}
        for job, outcome in zip(claimed, outcomes, strict=False)
    ]
    await project.rpc("complete_jobs", {"p_results": results})
    waiting, failed, totals = MONITORING.strip().split(";")[:3]
    assert ids[4] in [row["id"] for row in await editor.fetch(waiting)]
    assert ids[1] in [row["id"] for row in await editor.fetch(failed)]
    assert {row["status"] for row in await editor.fetch(totals)} == {
        "pendente", "processando", "concluido", "falha", "cancelado",
    }  # fmt: skip
    ours = await editor.fetch("select status from queue_jobs where fila = $1 order by id", name)
    assert [row["status"] for row in ours] == [
        "concluido", "falha", "cancelado", "processando", "pendente",
    ]  # fmt: skip


async def test_cleaning_answers_how_many(editor: asyncpg.Connection, project: Project) -> None:
    job_id = await enqueue(project, type="test", delay_seconds=3600)
    over = {"status": "failed", "completed_at": "2000-01-01T00:00:00Z"}
    await project.update("queue_jobs", over, id=f"eq.{job_id}")
    assert await editor.fetchval(CLEANING) >= 1
    assert await project.rows("queue_jobs", id=f"eq.{job_id}") == []


async def test_admins_see_the_jobs_of_their_company_alone(
    editor: asyncpg.Connection, project: Project, tenant: Tenant
) -> None:
    later = {"type": "test", "delay_seconds": 3600}
    mine = await enqueue(project, company_id=tenant.company_id, **later)
    await enqueue(project, **later)
    claims = orjson.dumps({"sub": tenant.people["admin"].id, "role": "authenticated"}).decode()
    async with editor.transaction():
        await editor.execute("select set_config('request.jwt.claims', $1, true)", claims)
        await editor.execute("set local role authenticated")
        assert [row["id"] for row in await editor.fetch("select id from queue_jobs")] == [mine]


async def test_envio_mensagem_sends(
    editor: asyncpg.Connection, project: Project, connected: Tenant, api: Api
) -> None:
    opening = {"id": str(uuid4()), "instance_id": connected.evolution.instance_id}
    answer = await api.send(
        connected.people["agent"], opening | {"to": "+5511987654321", "body": "oi"}
    )
    assert answer.status_code == 202, answer.text
    (contact,) = await project.rows("contacts", company_id=f"eq.{connected.company_id}")
    data = {
        "contato_id": contact["id"],
        "conteudo": "Olá!",
        "user_id": connected.people["agent"].id,
        "instance_id": connected.evolution.instance_id,
    }
    job_id = await editor.fetchval(
        "select adicionar_job('envio_mensagem', $1::jsonb, 7)", orjson.dumps(data).decode()
    )
    (row,) = await editor.fetch("select * from queue_jobs where id = $1", job_id)
    assert (row["tipo"], row["max_tentativas"]) == ("envio_mensagem", 7)

    async def done() -> bool:
        await api.tick()
        status = await editor.fetchval("select status from queue_jobs where id = $1", job_id)
        return bool(status == "concluido")

    await until(done)
    filters = {"company_id": f"eq.{connected.company_id}", "body": "eq.Olá!"}
    (message,) = await project.rows("messages", **filters)
    assert message["accepted_at"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({}, "invalid_job_data"),
        ({"contato_id": str(uuid4()), "conteudo": "Olá!"}, "invalid_job_data"),
    ],
)
async def test_envio_mensagem_without_its_data_is_refused(
    data: dict[str, Any], code: str, editor: asyncpg.Connection
) -> None:
    with pytest.raises(asyncpg.PostgresError, match=code):
        await editor.fetchval(
            "select adicionar_job('envio_mensagem', $1::jsonb)", orjson.dumps(data).decode()
        )


async def test_what_does_not_exist_is_refused_by_name(editor: asyncpg.Connection) -> None:
    with pytest.raises(asyncpg.PostgresError, match="unknown_job_type") as refused:
        await editor.fetchval("select adicionar_job('envio_campanha', '{}')")
    assert "envio_campanha" in str(refused.value.as_dict()["detail"])


async def test_an_alias_is_enqueued_as_its_type(
    editor: asyncpg.Connection, project: Project
) -> None:
    job = {"data": {"event_id": 1}, "unique_key": uuid4().hex, "delay_seconds": 3600}
    job_id = await enqueue(project, type="processamento_webhook", **job)
    (row,) = await project.rows("queue_jobs", id=f"eq.{job_id}")
    assert (row["type"], row["queue"], row["max_attempts"]) == ("messages.ingest", "inbound", 8)
    assert await enqueue(project, type="processamento_webhook", **job) == job_id
    assert await editor.fetchval("select tipo from queue_jobs where id = $1", job_id) == (
        "processamento_webhook"
    )
    await project.rpc("cancel_job", {"p_id": job_id})


@pytest.mark.parametrize("kind", ["envio_mensagem", "processamento_webhook"])
async def test_an_alias_with_data_of_another_kind_is_refused(kind: str, project: Project) -> None:
    answer = await project.http.post(
        f"{project.url}/rest/v1/rpc/enqueue_jobs",
        json={"p_jobs": [{"type": kind, "data": {"conteudo": "Olá!"}}]},
        headers=project.headers(),
    )
    assert (answer.status_code, answer.json()["message"]) == (422, "invalid_job_data")
    assert kind in answer.json()["details"]
