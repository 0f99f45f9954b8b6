"""What one client may cost: frames, payloads, channels, and frames it does not read."""

import asyncio
import secrets
from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from local.gateway.realtime.limits import (
    MAX_CHANNELS,
    MAX_FRAME_BYTES,
    MAX_PAYLOAD_BYTES,
    MAX_QUEUED_BYTES,
    MAX_QUEUED_FRAMES,
)
from local.gateway.realtime.outbox import Outbox
from local.stack import Stack
from tests.local.realtime_rooms import topic
from tests.realtime.phoenix import Phoenix, dial

TOO_LARGE = {"status": "error", "response": "payload_size_exceeded"}


@pytest.fixture
async def client(league: Stack) -> AsyncIterator[Phoenix]:
    async with dial(league, league.keys.secret_key) as client:
        yield client


async def test_a_payload_of_just_the_cap_passes_and_one_byte_more_does_not(client: Phoenix) -> None:
    name = f"realtime:{topic('public')}"
    await client.join(name, broadcast={"ack": True})
    fits = b"\x00" * MAX_PAYLOAD_BYTES
    ref = await client.push_binary(name, "e", fits, raw=True)
    assert (await client.reply(ref))["status"] == "ok"
    ref = await client.push_binary(name, "e", fits + b"\x00", raw=True)
    assert await client.reply(ref) == TOO_LARGE
    ref = await client.push(name, "broadcast", {"event": "e", "payload": "x" * MAX_PAYLOAD_BYTES})
    assert await client.reply(ref) == TOO_LARGE
    await client.heartbeat()


async def test_without_ack_a_large_payload_is_dropped_in_silence(client: Phoenix) -> None:
    name = f"realtime:{topic('public')}"
    await client.join(name, broadcast={"self": True})
    await client.push_binary(name, "e", b"\x00" * (MAX_PAYLOAD_BYTES + 1), raw=True)
    await client.heartbeat()


async def test_the_database_cannot_send_more_either(
    client: Phoenix, database: asyncpg.Pool
) -> None:
    name = topic("large")
    await client.join(f"realtime:{name}", private=True)
    send = "select realtime.send(jsonb_build_object('text', repeat('x', $1)), 'e', $2)"
    await database.execute(send, MAX_PAYLOAD_BYTES, name)
    await database.execute(send, 10, name)
    assert (await client.next()).payload["payload"]["text"] == "x" * 10


async def test_a_large_presence_shuts_the_channel(client: Phoenix) -> None:
    name = f"realtime:{topic('public')}"
    await client.join(name)
    tracked = {"event": "track", "payload": {"text": "x" * MAX_PAYLOAD_BYTES}}
    await client.push(name, "presence", tracked)
    assert (await client.next()).payload["message"] == "Track message size exceeded"
    assert (await client.next()).event == "phx_close"


async def test_a_frame_above_the_cap_ends_the_socket(client: Phoenix) -> None:
    await client.socket.send(b"\x03" * (MAX_FRAME_BYTES + 1))
    with pytest.raises(ConnectionClosed) as closed:
        await client.next()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


async def test_a_socket_has_so_many_channels_and_leaving_one_makes_room(client: Phoenix) -> None:
    for number in range(MAX_CHANNELS):
        await client.join(f"realtime:{number}")
    answer = await client.ask_join("realtime:more")
    assert answer["response"]["reason"] == "ChannelRateLimitReached: Too many channels"
    await client.push("realtime:0", "phx_join", {"config": {}})  # the same topic is no more
    assert (await client.next()).payload["status"] == "ok"
    assert (await client.next()).event == "phx_close"
    await client.push("realtime:0", "phx_leave", {})
    assert [(await client.next()).event for _ in range(2)] == ["phx_reply", "phx_close"]
    await client.join("realtime:more")


async def test_a_slow_reader_is_cut_and_the_others_hear_everything(league: Stack) -> None:
    name, count = topic("flood"), 400
    # Every socket between the two buffers some megabytes; random bytes are not compressed.
    payload = secrets.token_bytes(200_000)
    async with (
        dial(league, league.keys.publishable_key) as slow,
        dial(league, league.keys.publishable_key) as quick,
    ):
        for client in (slow, quick):
            await client.join(f"realtime:{name}")
        assert slow.socket.transport is not None
        slow.socket.transport.pause_reading()
        url = f"{league.url}/realtime/v1/api/broadcast/{name}/events/e"
        headers = {
            "apikey": league.keys.publishable_key,
            "content-type": "application/octet-stream",
        }
        async with httpx.AsyncClient(headers=headers) as http:
            for _ in range(count):
                assert (await http.post(url, content=payload)).status_code == 202
                assert (await quick.next()).payload["payload"] == payload
        slow.socket.transport.resume_reading()
        with pytest.raises(ConnectionClosed):
            await read_forever(slow)


async def read_forever(client: Phoenix) -> None:
    async with asyncio.timeout(20):
        while True:
            await client.socket.recv()


async def test_the_queue_of_a_reader_is_bounded_in_frames_and_in_bytes() -> None:
    outbox = Outbox()
    assert all(outbox.put("x") for _ in range(MAX_QUEUED_FRAMES))
    assert not outbox.put("x")
    assert [await outbox.get() for _ in range(MAX_QUEUED_FRAMES)] == ["x"] * MAX_QUEUED_FRAMES
    frame = b"x" * 1_000_000
    taken = 0
    while outbox.put(frame):
        taken += len(frame)
    assert taken == MAX_QUEUED_BYTES
    await outbox.get()
    assert outbox.put(frame)
