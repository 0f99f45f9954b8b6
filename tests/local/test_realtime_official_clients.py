"""supabase-js in both versions and supabase-py, signed in, as their users write them."""

import json
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from realtime import RealtimeSubscribeStates
from realtime.types import RealtimeChannelOptions

from local import npm
from local.stack import Stack
from tests.fixtures import until
from tests.local.conftest import SignUp
from tests.local.realtime_rooms import create_policies, token, topic

SCRIPT = Path(__file__).with_name("realtime_client.cjs")
PRIVATE: RealtimeChannelOptions = {
    "config": {
        "private": True,
        "broadcast": {"self": True, "ack": True},
        "presence": {"enabled": True, "key": ""},
    }
}


@pytest.fixture(scope="module", autouse=True)
async def policies(migrator: asyncpg.Pool) -> None:
    await create_policies(migrator)


@pytest.mark.parametrize("version", ["1.0.0", "2.0.0"])
async def test_supabase_js_joins_speaks_and_hears(
    league: Stack, javascript: Path, version: str
) -> None:
    name = topic("room")
    arguments = [version, league.url, league.keys.publishable_key, token(league), name]
    output = await npm.run(
        ["node", str(SCRIPT), *arguments], SCRIPT.parent, {"NODE_PATH": str(javascript)}
    )
    said = json.loads(output.splitlines()[-1])
    assert said["joined"] == ["SUBSCRIBED", None]
    assert (said["sent"], said["posted"]) == ("ok", {"success": True})
    assert (said["tracked"], said["presence"]) == ("ok", {})
    heard: list[Any] = [["json", {"ç": [1, None]}, None], ["posted", {"over": "http"}, None]]
    if version == "2.0.0":
        assert said["sentBytes"] == "ok"
        heard.insert(1, ["bytes", [0, 255], None])
    assert said["heard"] == heard
    status, reason = said["refused"]
    assert status == "CHANNEL_ERROR"
    assert "Unauthorized: You do not have permissions to read from this Channel" in reason
    assert said["removed"] == "ok"


async def test_supabase_py_joins_speaks_and_hears_the_database(
    league: Stack, signed_in: SignUp, database: asyncpg.Pool
) -> None:
    client, name = await signed_in(), topic("room")
    heard: list[Any] = []
    states: list[RealtimeSubscribeStates] = []
    channel = client.channel(name, PRIVATE)
    channel.on_broadcast("e", lambda message: heard.append(message))
    await channel.subscribe(lambda state, _: states.append(state))

    await until(lambda: reached(states, 1))
    assert states == [RealtimeSubscribeStates.SUBSCRIBED]
    await channel.send_broadcast("e", {"n": 1})
    await until(lambda: reached(heard, 1))
    await database.execute("""select realtime.send('{"n": 2}', 'e', $1)""", name)
    await until(lambda: reached(heard, 2))
    assert heard[0]["payload"] == {"n": 1}
    assert heard[1]["payload"] == {"n": 2, "id": heard[1]["meta"]["id"]}
    # The session's next token goes to the open channel, which stays.
    await client.auth.refresh_session()
    await channel.send_broadcast("e", {"n": 3})
    await until(lambda: reached(heard, 3))
    await client.realtime.close()


async def reached(things: list[Any], count: int) -> bool:
    return len(things) == count
