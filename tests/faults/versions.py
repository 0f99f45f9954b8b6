"""Whether every scope has one gapless history, and a sync tells the same as the table."""

from collections.abc import Iterator
from typing import Any

from tests.faults.site import Site

Json = dict[str, Any]

TABLES = {
    "conversation": "select id::text, rev from messages where conversation_id = $1::text::uuid",
    "inbox": "select id::text, rev from conversations where company_id = $1::text::uuid",
}


async def faults_of_versions(site: Site, company_id: str) -> list[str]:
    scopes = await site.look(
        "select scope, version, epoch from versions join companies on id = company_id "
        "where company_id = $1::text::uuid",
        company_id,
    )
    faults: list[str] = []
    for scope in scopes:
        events = await site.look(
            "select (payload ->> 'prev')::bigint as prev, (payload ->> 'ver')::bigint as ver "
            "from realtime.messages where topic = $1 order by 2",
            scope["scope"],
        )
        faults += _holes(scope, events)
        faults += await _differences(site, scope)
    return faults


def _holes(scope: Json, events: list[Json]) -> Iterator[str]:
    """The broadcasts of a scope follow each other from nothing to its present version."""
    reached = 0
    for event in events:
        if event["prev"] != reached or event["ver"] <= reached:
            yield f"{scope['scope']}: {event} does not follow {reached}"
        reached = event["ver"]
    if reached != scope["version"]:
        yield f"{scope['scope']} is at {scope['version']}, told of {reached}"


async def _differences(site: Site, scope: Json) -> list[str]:
    """From nothing, page after page, a sync tells every row of the table at its version."""
    kind, _, id = str(scope["scope"]).partition(":")
    synced: dict[str, int] = {}
    after, more = 0, True
    while more:
        answer = await site.project.rpc(
            f"sync_{kind}",
            {"p_id": id, "p_after": after, "p_epoch": str(scope["epoch"]), "p_limit": 50},
        )
        if answer["reset"]:  # too far behind: the newest hundred, which here are all
            synced.clear()
        synced |= {row["id"]: row["rev"] for row in answer["rows"]}
        after, more = answer["ver"], answer["more"]
    rows = {row["id"]: row["rev"] for row in await site.look(TABLES[kind], id)}
    if (after, synced) != (scope["version"], rows):
        return [f"{scope['scope']}: sync from nothing reaches {after} with {synced}, not {rows}"]
    return []
