"""Both serializer versions, text and binary, frame by frame."""

import asyncio
import secrets

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from local.gateway.realtime.limits import MAX_CHANNELS, MAX_PAYLOAD_BYTES
from tests.realtime.phoenix import Phoenix, dial
from tests.realtime.probe import Member, Probe
from tests.realtime.server import Server

VERSIONS = pytest.mark.parametrize("version", ["1.0.0", "2.0.0"])


@VERSIONS
async def test_a_public_channel_is_joined_heard_and_left(
    server: Server, probe: Probe, version: str
) -> None:
    async with dial(server, probe.keys.publishable_key, version) as client:
        topic = "realtime:room"
        ref = await client.push(topic, "phx_join", {"config": {"broadcast": {"self": True}}})
        reply = await client.next()
        assert reply.payload == {"status": "ok", "response": {"postgres_changes": []}}
        assert (reply.topic, reply.event, reply.ref) == (topic, "phx_reply", ref)
        await client.push(
            topic, "broadcast", {"type": "broadcast", "event": "e", "payload": {"a": 1}}
        )
        heard = await client.next()
        assert heard.payload == {"type": "broadcast", "event": "e", "payload": {"a": 1}}
        left = await client.push(topic, "phx_leave", {})
        assert await client.reply(left) == {"status": "ok", "response": {}}
        closed = await client.next()
        assert (closed.topic, closed.event) == (topic, "phx_close")


async def test_version_1_pushes_carry_a_null_ref(server: Server, probe: Probe) -> None:
    async with dial(server, probe.keys.anon_key, "1.0.0") as client:
        await client.join("realtime:room", broadcast={"self": True}, presence={"enabled": True})
        assert (await client.next()).raw == (
            '{"topic":"realtime:room","event":"presence_state","payload":{},"ref":null}'
        )
        await client.push("realtime:room", "broadcast", {"event": "e", "payload": {}})
        assert (await client.next()).raw == (
            '{"topic":"realtime:room","event":"broadcast",'
            '"payload":{"event":"e","payload":{}},"ref":null}'
        )


async def test_binary_broadcasts_reach_each_version_in_its_own_form(
    server: Server, probe: Probe
) -> None:
    key = probe.keys.publishable_key
    async with (
        dial(server, key) as sender,
        dial(server, key, "2.0.0") as newer,
        dial(server, key, "1.0.0") as older,
    ):
        for client in (sender, newer, older):
            await client.join("realtime:both")
        await sender.push_binary("realtime:both", "bytes", b"\x00\xff", raw=True)
        await sender.push_binary("realtime:both", "text", b'{"a":"\xc3\xa7"}', raw=False)
        first, second = await newer.next(), await newer.next()
        assert isinstance(first.raw, bytes)
        assert (first.payload["event"], first.payload["payload"]) == ("bytes", b"\x00\xff")
        assert (second.payload["event"], second.payload["payload"]) == ("text", {"a": "ç"})
        # Version 1.0.0 has no form for bytes, so the first thing it hears is the second message.
        assert (await older.next()).payload["payload"] == {"a": "ç"}


async def test_a_text_broadcast_leaves_as_text_with_its_payload_untouched(
    server: Server, probe: Probe
) -> None:
    async with dial(server, probe.keys.publishable_key) as client:
        await client.join("realtime:long", broadcast={"self": True})
        event = "e" * 300
        await client.push("realtime:long", "broadcast", {"event": event, "payload": {}})
        heard = await client.next()
        assert isinstance(heard.raw, str)
        assert heard.payload["event"] == event


@VERSIONS
async def test_an_acknowledged_broadcast_is_answered_and_not_echoed(
    server: Server, probe: Probe, version: str
) -> None:
    async with dial(server, probe.keys.publishable_key, version) as client:
        await client.join("realtime:ack", broadcast={"ack": True})
        ref = await client.push("realtime:ack", "broadcast", {"event": "e", "payload": {}})
        assert await client.reply(ref) == {"status": "ok", "response": {}}
        await client.heartbeat()


async def test_an_oversized_payload_is_refused_with_ack_and_dropped_without(
    server: Server, probe: Probe
) -> None:
    huge = {"event": "e", "payload": {"text": "x" * MAX_PAYLOAD_BYTES}}
    async with dial(server, probe.keys.publishable_key) as client:
        await client.join("realtime:ack", broadcast={"ack": True, "self": True})
        ref = await client.push("realtime:ack", "broadcast", huge)
        assert await client.reply(ref) == {
            "status": "error",
            "response": "payload_size_exceeded",
        }
        await client.join("realtime:no-ack", broadcast={"self": True})
        await client.push("realtime:no-ack", "broadcast", huge)
        await client.heartbeat()


async def test_presence_is_answered_and_stays_empty(server: Server, probe: Probe) -> None:
    async with dial(server, probe.keys.publishable_key) as client:
        await client.join("realtime:presence", presence={"enabled": True, "key": "me"})
        state = await client.next()
        assert (state.event, state.payload) == ("presence_state", {})
        ref = await client.push("realtime:presence", "presence", {"event": "track", "payload": {}})
        assert await client.reply(ref) == {"status": "ok", "response": {}}


async def test_postgres_changes_are_refused_with_the_reason(server: Server, probe: Probe) -> None:
    async with dial(server, probe.keys.publishable_key) as client:
        answer = await client.ask_join("realtime:t", postgres_changes=[{"event": "*"}])
        assert answer["status"] == "error"
        assert answer["response"]["reason"].startswith("PostgresChangesNotSupported: ")


@pytest.mark.parametrize(
    ("topic", "reason"),
    [
        ("realtime:", "TopicNameRequired: You must provide a topic name"),
        ("other:topic", "unmatched topic"),
    ],
)
async def test_a_join_without_a_topic_name_is_refused(
    server: Server, probe: Probe, topic: str, reason: str
) -> None:
    async with dial(server, probe.keys.publishable_key) as client:
        answer = await client.ask_join(topic)
        assert answer == {"status": "error", "response": {"reason": reason}}


async def test_a_message_to_a_topic_not_joined_is_an_error_and_a_leave_is_not(
    server: Server, probe: Probe
) -> None:
    async with dial(server, probe.keys.publishable_key) as client:
        ref = await client.push("realtime:none", "broadcast", {"event": "e", "payload": {}})
        assert (await client.reply(ref))["response"] == {"reason": "unmatched topic"}
        ref = await client.push("realtime:none", "phx_leave", {})
        assert (await client.reply(ref))["status"] == "ok"


async def test_a_second_join_of_a_topic_replaces_the_first(server: Server, probe: Probe) -> None:
    async with dial(server, probe.keys.publishable_key) as client:
        await client.join("realtime:again", broadcast={"self": True})
        first = client.join_ref
        await client.join("realtime:again", broadcast={"self": True})
        closed = await client.next()
        assert (closed.event, closed.join_ref) == ("phx_close", first)
        await client.push("realtime:again", "broadcast", {"event": "e", "payload": {}})
        assert (await client.next()).event == "broadcast"
        await client.heartbeat()  # heard once, not twice


async def test_the_hundred_and_first_channel_of_a_socket_is_refused(
    server: Server, probe: Probe
) -> None:
    async with dial(server, probe.keys.publishable_key) as client:
        for number in range(MAX_CHANNELS):
            await client.join(f"realtime:{number}")
        answer = await client.ask_join("realtime:last")
        assert answer["response"]["reason"] == "ChannelRateLimitReached: Too many channels"


@pytest.mark.parametrize(
    ("key", "message"),
    [("", "API key is missing"), ("sb_publishable_other", "The token provided is not a valid JWT")],
)
async def test_a_socket_without_a_valid_key_is_refused_with_plain_http(
    server: Server, key: str, message: str
) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        async with dial(server, key):
            pass
    assert refusal.value.response.status_code == 401
    assert refusal.value.response.body == f'{{"error":"{message}"}}'.encode()


@pytest.mark.parametrize("garbage", ["{", "[]", '{"topic":1}', b"\x09\x00", b"\x03", b""])
async def test_a_frame_that_is_none_is_ignored(
    server: Server, probe: Probe, garbage: str | bytes
) -> None:
    async with dial(server, probe.keys.publishable_key) as client:
        await client.socket.send(garbage)
        await client.heartbeat()


async def test_a_frame_above_five_megabytes_closes_the_socket(server: Server, probe: Probe) -> None:
    async with dial(server, probe.keys.publishable_key) as client:
        await client.socket.send(" " * 5_000_001)
        with pytest.raises(ConnectionClosed) as closed:
            await client.next()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009


async def test_a_reader_that_falls_too_far_behind_is_cut(server: Server, probe: Probe) -> None:
    async with dial(server, probe.keys.publishable_key) as slow:
        await slow.join("realtime:flood")
        assert slow.socket.transport is not None
        slow.socket.transport.pause_reading()
        await _flood_until_nobody_listens(server, probe)
        slow.socket.transport.resume_reading()
        with pytest.raises(ConnectionClosed):
            await _read_forever(slow)


async def _flood_until_nobody_listens(server: Server, probe: Probe) -> None:
    """Far more than the sockets' buffers and the queue hold."""
    payload = {"text": secrets.token_hex(30_000)}  # sockets compress, and this hardly does
    body = {"messages": [{"topic": "flood", "event": "e", "payload": payload}] * 200}
    async with httpx.AsyncClient(headers={"apikey": probe.keys.publishable_key}) as http:
        for _ in range(10):
            url = f"{server.url}/realtime/v1/api/broadcast"
            assert (await http.post(url, json=body)).status_code == 202


async def _read_forever(client: Phoenix) -> None:
    async with asyncio.timeout(10):
        while True:
            await client.socket.recv()


async def test_an_opaque_token_in_a_join_means_the_key_of_the_socket(
    server: Server, probe: Probe, member: Member
) -> None:
    secret = probe.keys.secret_key
    async with dial(server, secret) as client:
        await client.join(f"realtime:{member.scope}", secret, private=True)
