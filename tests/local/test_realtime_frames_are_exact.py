"""What goes over the wire, byte by byte, in both versions of the serializer."""

from collections.abc import AsyncIterator

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from local.stack import Stack
from tests.local.realtime_rooms import topic
from tests.realtime.phoenix import Phoenix, dial

SELF = '{"config":{"broadcast":{"self":true}}}'


@pytest.fixture
async def first(league: Stack) -> AsyncIterator[Phoenix]:
    async with dial(league, league.keys.publishable_key, "1.0.0") as client:
        yield client


@pytest.fixture
async def second(league: Stack) -> AsyncIterator[Phoenix]:
    async with dial(league, league.keys.publishable_key, "2.0.0") as client:
        yield client


async def exchange(client: Phoenix, sent: str | bytes, count: int = 1) -> list[str | bytes]:
    """Send one frame; the next `count` that come, as they are."""
    await client.socket.send(sent)
    return [(await client.next()).raw for _ in range(count)]


async def test_version_1_has_four_names_and_a_null_ref(first: Phoenix) -> None:
    name = f"realtime:{topic('public')}"
    joined = await exchange(
        first, f'{{"topic":"{name}","event":"phx_join","payload":{SELF},"ref":"7"}}'
    )
    assert joined == [
        f'{{"topic":"{name}","event":"phx_reply","payload":{{"status":"ok",'
        '"response":{"postgres_changes":[]}},"ref":"7"}'
    ]
    sent = '{"type":"broadcast","event":"e","payload":{"ç":1},"more":[null]}'
    heard = await exchange(
        first, f'{{"topic":"{name}","event":"broadcast","payload":{sent},"ref":"8"}}'
    )
    assert heard == [f'{{"topic":"{name}","event":"broadcast","payload":{sent},"ref":null}}']
    left = await exchange(
        first, f'{{"topic":"{name}","event":"phx_leave","payload":{{}},"ref":"9"}}', count=2
    )
    assert left == [
        f'{{"topic":"{name}","event":"phx_reply","payload":{{"status":"ok","response":{{}}}},'
        '"ref":"9"}',
        # The ref of a close is the join_ref, and this join had none.
        f'{{"topic":"{name}","event":"phx_close","payload":{{}},"ref":null}}',
    ]


async def test_version_2_is_an_array_that_starts_with_the_join_ref(second: Phoenix) -> None:
    name = f"realtime:{topic('public')}"
    assert await exchange(second, f'["3","3","{name}","phx_join",{SELF}]') == [
        f'["3","3","{name}","phx_reply",{{"status":"ok","response":{{"postgres_changes":[]}}}}]'
    ]
    sent = '{"event":"e","payload":"no object","more":1}'
    assert await exchange(second, f'["3","4","{name}","broadcast",{sent}]') == [
        f'[null,null,"{name}","broadcast",{sent}]'
    ]
    assert await exchange(second, f'["3","5","{name}","phx_leave",{{}}]', count=2) == [
        f'["3","5","{name}","phx_reply",{{"status":"ok","response":{{}}}}]',
        f'["3","3","{name}","phx_close",{{}}]',
    ]


async def test_a_binary_broadcast_leaves_as_kind_4_and_as_json_to_version_1(
    first: Phoenix, second: Phoenix
) -> None:
    name = f"realtime:{topic('public')}"
    await first.join(name)
    await second.join(name, broadcast={"self": True})
    payload = '{"ç":1}'.encode()
    await second.push_binary(name, "é", payload, raw=False)
    assert (await second.next()).raw == b"".join(
        (bytes([4, len(name), 2, 0, 1]), name.encode(), "é".encode(), payload)
    )
    assert (await first.next()).raw == (
        f'{{"topic":"{name}","event":"broadcast",'
        '"payload":{"type":"broadcast","event":"é","payload":{"ç":1}},"ref":null}'
    )
    await second.push_binary(name, "b", b"\x00\xff", raw=True)
    assert (await second.next()).raw == b"".join(
        (bytes([4, len(name), 1, 0, 0]), name.encode(), b"b\x00\xff")
    )
    await first.heartbeat()  # version 1 cannot say bytes


async def test_metadata_of_a_binary_push_is_read_over(second: Phoenix) -> None:
    name = f"realtime:{topic('public')}"
    await second.join(name, broadcast={"self": True, "ack": True})
    parts = ("1", "9", name, "e", '{"persist":true}')
    header = bytes([3, *(len(part) for part in parts), 1])
    await second.socket.send(header + "".join(parts).encode() + b'{"a":1}')
    assert (await second.next()).payload["payload"] == {"a": 1}  # itself first, then the answer
    assert await second.reply("9") == {"status": "ok", "response": {}}


async def test_a_name_longer_than_a_length_byte_is_lost_to_version_2_only(
    first: Phoenix, second: Phoenix, league: Stack
) -> None:
    name = topic("public")
    for client in (first, second):
        await client.join(f"realtime:{name}")
    url = f"{league.url}/realtime/v1/api/broadcast/{name}/events/{'e' * 256}"
    async with httpx.AsyncClient(headers={"apikey": league.keys.publishable_key}) as http:
        assert (await http.post(url, json={})).status_code == 202
    assert (await first.next()).payload["event"] == "e" * 256
    await second.heartbeat()


async def test_answers_outside_of_a_channel_carry_no_join_ref(second: Phoenix) -> None:
    assert await exchange(second, '["9","1","phoenix","heartbeat",{}]') == [
        '[null,"1","phoenix","phx_reply",{"status":"ok","response":{}}]'
    ]
    unmatched = '{"status":"error","response":{"reason":"unmatched topic"}}'
    for sent in ('["9","2","realtime:x","broadcast",{}]', '["2","2","other:x","phx_join",{}]'):
        name = sent.split('"')[5]
        assert await exchange(second, sent) == [f'[null,"2","{name}","phx_reply",{unmatched}]']
    assert await exchange(second, '["9","3","realtime:x","phx_leave",{}]') == [
        '["9","3","realtime:x","phx_reply",{"status":"ok","response":{}}]'
    ]


async def test_a_second_join_answers_then_closes_the_first_then_speaks(second: Phoenix) -> None:
    name = f"realtime:{topic('public')}"
    config = '{"config":{"presence":{"enabled":true},"broadcast":{"replication_ready":true}}}'
    await exchange(second, f'["1","1","{name}","phx_join",{config}]', count=3)
    again = await exchange(second, f'["2","2","{name}","phx_join",{config}]', count=4)
    system = (
        f'{{"channel":"{name.removeprefix("realtime:")}","extension":"system",'
        '"message":"Replication connection established","status":"ok"}'
    )
    assert again == [
        f'["2","2","{name}","phx_reply",{{"status":"ok","response":{{"postgres_changes":[]}}}}]',
        f'["1","1","{name}","phx_close",{{}}]',
        f'["2",null,"{name}","system",{system}]',
        f'["2",null,"{name}","presence_state",{{}}]',
    ]
    # What is still meant for the first join is not answered; without a join_ref it is.
    await second.socket.send(f'["1","3","{name}","phx_leave",{{}}]')
    await second.socket.send(f'[null,"4","{name}","phx_leave",{{}}]')
    assert (await second.reply("4"))["status"] == "ok"


@pytest.mark.parametrize(
    "garbage",
    ["{", "[]", "[1,2,3,4]", '{"topic":"t"}', '[null,null,1,"e",{}]', b"", b"\x03", b"\x00abcdef"],
)
async def test_a_frame_that_is_none_is_read_over(
    first: Phoenix, second: Phoenix, garbage: str | bytes
) -> None:
    for client in (first, second):
        await client.socket.send(garbage)
        await client.heartbeat()


async def test_a_join_that_asks_for_nothing_is_a_join(second: Phoenix) -> None:
    name = f"realtime:{topic('public')}"
    for payload in ("{}", '{"config":null}', '{"config":{"broadcast":7,"presence":[]}}'):
        answer = await exchange(second, f'["1","1","{name}","phx_join",{payload}]')
        assert '"status":"ok"' in str(answer[0])
        await exchange(second, f'["1","2","{name}","phx_leave",{{}}]', count=2)


@pytest.mark.parametrize("name", ["a b", "ç/é?#%", "a:b:realtime:c", "ünï", '"quoted"', "\\"])
async def test_a_topic_may_have_any_character(league: Stack, name: str) -> None:
    key = league.keys.secret_key
    async with dial(league, key, "1.0.0") as older, dial(league, key) as newer:
        for client in (older, newer):
            await client.join(f"realtime:{name}", private=True, broadcast={"self": True})
            await client.push(f"realtime:{name}", "broadcast", {"event": "e", "payload": {}})
            heard = await client.next()
            assert (heard.topic, heard.event) == (f"realtime:{name}", "broadcast")


@pytest.mark.parametrize("vsn", ["1.0.3", "2.0.1"])
async def test_a_patch_of_a_version_is_that_version(league: Stack, vsn: str) -> None:
    async with dial(league, league.keys.publishable_key, vsn) as client:
        client.version = f"{vsn[0]}.0.0"
        await client.heartbeat()


@pytest.mark.parametrize("vsn", ["3.0.0", "2.1.0", "2.0", "", "x"])
async def test_another_version_is_forbidden(league: Stack, vsn: str) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        async with dial(league, league.keys.publishable_key, vsn):
            pass
    assert (refusal.value.response.status_code, refusal.value.response.body) == (403, b"")
