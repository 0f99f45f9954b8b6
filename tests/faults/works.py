"""Every type of job beside sending and reading, as a piece of work: how it comes to be due, the
calls that it makes, and what there is when it was done, however often it was begun."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from tests.faults.scene import SILENT, Scene


@dataclass(frozen=True, slots=True)
class Work:
    """`calls`: functions of the database, and addresses by their first two parts. `end`: what
    happens in the world before everything is settled."""

    name: str
    type: str
    calls: tuple[str, ...]
    arrange: Callable[[Scene], Awaitable[None]]
    effect: Callable[[Scene], Awaitable[Any]]
    expected: Any
    end: Callable[[Scene], Awaitable[None]] | None = None

    def __str__(self) -> str:
        return self.name


async def _unread(scene: Scene) -> None:
    await scene.traffic.hear(scene.evolution, scene.contact)
    await scene.site.settle(scene.traffic.tenant)
    await scene.rows("update conversations set unread = 0 where company_id = $1")


async def _ticks(scene: Scene) -> list[bool]:
    """Whether the contact sees that its messages were read."""
    query = {"number": scene.evolution.external_id}
    inbox = (await scene.site.whatsapp.get("/_fake/inbox", params=query)).json()
    return [message["read"] for message in inbox]


async def _file(scene: Scene) -> None:
    await scene.hear_a_file()
    await scene.site.drain(queues=["inbound"])


async def _files(scene: Scene) -> tuple[list[str], int]:
    """The states of the files of messages, and how many objects there are."""
    messages = await scene.rows(
        "select media ->> 'state' as state from messages"
        " where company_id = $1 and media is not null order by seq"
    )
    objects = await scene.rows(
        "select name from storage.objects where (storage.foldername(name))[1]::uuid = $1"
    )
    return [row["state"] for row in messages], len(objects)


async def _refusal(scene: Scene) -> None:
    """A message that was taken, and refused by a report: 463, the number may greet nobody."""
    await scene.site.set_faults(scene.evolution.external_id, nack_times=1, nack_code="463")
    await scene.traffic.say(scene.evolution, scene.contact)
    await scene.site.drain(queues=["outbound"])
    await scene.site.quiet(scene.traffic.tenant)
    await scene.site.drain(queues=["inbound"])


async def _reactions(scene: Scene) -> list[str]:
    rows = await scene.rows("select action from send_reactions where company_id = $1")
    return [row["action"] for row in rows]


async def _degraded(scene: Scene) -> None:
    await scene.set_number("state = 'degraded', cooldown_reason = 'degraded'")
    await scene.ask_for_probe()


async def _dead(scene: Scene) -> None:
    await scene.set_number("state = 'open'")
    await scene.site.set_faults(scene.evolution.external_id, zombie=True)
    await scene.ask_for_probe()


async def _found_dead(scene: Scene) -> None:
    """It is found out, whatever the worker came to, and then the connection lives again."""
    await scene.site.drain()
    number = await scene.number()
    assert (number["state"], number["cooldown_reason"]) == ("degraded", "degraded")
    await scene.site.set_faults(scene.evolution.external_id, zombie=False)


async def _state(scene: Scene) -> tuple[str, str | None]:
    number = await scene.number()
    return number["state"], number["cooldown_reason"]


async def _stuck(scene: Scene) -> None:
    """Five messages that were taken eleven minutes ago, and no more."""
    for place in range(5):
        await scene.traffic.say(scene.evolution, scene.traffic.contact(scene.evolution, place))
    await scene.site.settle(scene.traffic.tenant)
    await scene.rows(
        "update messages set status = 'accepted', accepted_at = now() - interval '11 minutes'"
        " where company_id = $1"
    )
    await scene.set_number("state = 'open'")
    await scene.enqueue("messages.watch")


async def _watched(scene: Scene) -> tuple[bool, bool]:
    """Whether campaigns wait, and whether the number was asked."""
    probes = await scene.rows(
        "select status from queue_jobs where company_id = $1 and type = 'messages.probe'"
    )
    rests = (await scene.number())["campaigns_paused_until"] is not None
    return rests, {row["status"] for row in probes} == {"completed"}


async def _lost_by_meta(scene: Scene) -> None:
    await scene.lose(scene.traffic.tenant.meta, lose_times=1)


async def _never_at_evolution(scene: Scene) -> None:
    await scene.lose(scene.evolution, cut_times=1)


async def _decisions(scene: Scene) -> list[tuple[str, bool]]:
    rows = await scene.rows(
        "select status, needs_decision from messages where company_id = $1 and direction = 'out'"
    )
    return [(row["status"], row["needs_decision"]) for row in rows]


async def _held_back(scene: Scene) -> None:
    """A message that would wait for midnight, had its number's cap not been taken away."""
    await scene.site.set_faults(scene.evolution.external_id, **SILENT)
    await scene.set_number("daily_cap = 0")
    await scene.traffic.say(scene.evolution, scene.contact)
    await scene.site.drain()
    await scene.set_number("daily_cap = null")


async def _released(scene: Scene) -> tuple[set[str], list[bool]]:
    """How the jobs of the change ended, and what arrived."""
    jobs = await scene.rows(
        "select status from queue_jobs where company_id = $1 and type = 'messages.release'"
    )
    ledger = (await scene.site.whatsapp.get("/_fake/ledger")).json()
    bodies = [entry["body"] for entry in ledger]
    return {job["status"] for job in jobs}, [said in bodies for said in scene.traffic.sent.values()]


async def _old_bodies(scene: Scene) -> None:
    await scene.traffic.hear(scene.evolution, scene.contact)
    await scene.site.settle(scene.traffic.tenant)
    await scene.rows("update inbound_events set received_at = '2000-01-01' where company_id = $1")
    await scene.enqueue("inbound.expire")


async def _bodies(scene: Scene) -> list[bool]:
    """Whether the items have a body."""
    rows = await scene.rows("select raw from inbound_events where company_id = $1")
    return [row["raw"] is not None for row in rows]


async def _erasure(scene: Scene) -> None:
    await scene.hear_a_file()
    await scene.site.settle(scene.traffic.tenant)
    await scene.rows("update conversations set unread = 0 where company_id = $1")
    await scene.site.settle(scene.traffic.tenant)
    (contact,) = await scene.rows("select id from contacts where company_id = $1")
    token = scene.traffic.tenant.people["admin"].token
    answer = await scene.traffic.api.http.delete(
        f"/api/contacts/{contact['id']}", headers={"authorization": f"Bearer {token}"}
    )
    assert answer.status_code == 202, answer.text
    scene.traffic.heard.clear()


async def _remains(scene: Scene) -> tuple[list[Any], int]:
    """What messages say, and how many files there are."""
    rows = await scene.rows("select body from messages where company_id = $1")
    return [row["body"] for row in rows], (await _files(scene))[1]


PROBE = ("begin_probe", "baileys/onWhatsapp", "record_probe")
WORKS = (
    Work(
        "showing that it was read", "messages.mark_read",
        ("get_read_messages", "chat/markMessageAsRead"), _unread, _ticks, [True],
    ),
    Work(
        "fetching a file", "messages.fetch_media",
        (
            "begin_media", "chat/getBase64FromMediaMessage", "claim_media", "storage/v1",
            "record_media",
        ),
        _file, _files, (["stored"], 1),
    ),
    Work(
        "reacting to a report", "messages.react",
        ("react_to_report",), _refusal, _reactions, ["block_cold"],
    ),
    Work("probing a number that lives", "messages.probe", PROBE, _degraded, _state, ("open", None)),
    Work(
        "probing a number that is dead", "messages.probe", PROBE,
        _dead, _state, ("open", None), _found_dead,
    ),
    Work(
        "watching the numbers", "messages.watch",
        ("watch_numbers", *PROBE), _stuck, _watched, (True, True),
    ),
    Work(
        "asking about a message of Meta's", "messages.reconcile",
        ("begin_reconcile", "ask_for_decision"), _lost_by_meta, _decisions, [("unknown", True)],
    ),
    Work(
        "asking about a message that Evolution has not", "messages.reconcile",
        ("begin_reconcile", "chat/findMessages", "ask_for_decision"),
        _never_at_evolution, _decisions, [("unknown", True)],
    ),
    Work(
        "releasing what waits for a rule", "messages.release",
        ("release_waiting", "begin_send", "message/sendText", "record_send_result"),
        _held_back, _released, ({"completed"}, [True]),
    ),
    Work(
        "dropping old bodies", "inbound.expire",
        ("expire_inbound_bodies",), _old_bodies, _bodies, [False],
    ),
    Work(
        "erasing a contact", "contacts.erase",
        ("continue_erasure", "storage/v1"), _erasure, _remains, ([None], 0),
    ),
)  # fmt: skip
