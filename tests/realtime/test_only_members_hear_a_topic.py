"""Private topics: who may join and speak is what the policies say, as long as the token lasts."""

import asyncio
from typing import Any

import jwt
import pytest

from local.gateway.realtime import Faults
from local.keys import Keys
from tests.realtime.phoenix import dial
from tests.realtime.probe import Member, Probe
from tests.realtime.server import Server

PRIVATE = {"config": {"private": True}}


def no_read(topic: str) -> dict[str, Any]:
    reason = f"Unauthorized: You do not have permissions to read from this Channel topic: {topic}"
    return {"status": "error", "response": {"reason": reason}}


async def test_a_member_joins_and_hears(server: Server, probe: Probe, member: Member) -> None:
    async with dial(server, probe.keys.publishable_key) as client:
        await client.join(f"realtime:{member.scope}", member.token(), private=True)
        await member.say("bom dia")
        heard = await client.next()
        assert heard.payload["payload"]["rows"][0]["body"] == "bom dia"


async def test_another_companys_member_is_refused(
    server: Server, probe: Probe, member: Member
) -> None:
    stranger = await probe.member()
    async with dial(server, probe.keys.publishable_key) as client:
        answer = await client.ask_join(f"realtime:{member.scope}", stranger.token(), private=True)
        assert answer == no_read(member.scope)


@pytest.mark.parametrize("role", ["anon", "supabase_admin", "postgres", "nobody"])
async def test_other_roles_are_refused(
    server: Server, probe: Probe, member: Member, role: str
) -> None:
    async with dial(server, probe.keys.publishable_key) as client:
        token = member.token(role=role)
        answer = await client.ask_join(f"realtime:{member.scope}", token, private=True)
        assert answer == no_read(member.scope)


async def test_the_key_alone_is_refused(server: Server, probe: Probe, member: Member) -> None:
    async with dial(server, probe.keys.publishable_key) as client:
        answer = await client.ask_join(f"realtime:{member.scope}", private=True)
        assert answer == no_read(member.scope)


async def test_a_policy_that_raises_denies(server: Server, probe: Probe, member: Member) -> None:
    token = probe.keys.sign_user_token(
        {"sub": "no uuid", "role": "authenticated", "exp": 4_000_000_000}
    )
    async with dial(server, probe.keys.publishable_key) as client:
        answer = await client.ask_join(f"realtime:{member.scope}", token, private=True)
        assert answer == no_read(member.scope)


async def test_service_role_hears_every_topic(server: Server, probe: Probe, member: Member) -> None:
    async with dial(server, probe.keys.service_role_key) as client:
        await client.join(f"realtime:{member.scope}", private=True)


async def test_a_public_channel_of_the_same_name_hears_nothing_private(
    server: Server, probe: Probe, member: Member
) -> None:
    topic = f"realtime:{member.scope}"
    async with dial(server, probe.keys.publishable_key) as eavesdropper:
        await eavesdropper.join(topic)
        async with dial(server, probe.keys.publishable_key) as listener:
            await listener.join(topic, member.token(), private=True)
            await member.say("secret")
            assert (await listener.next()).event == "broadcast"
            await eavesdropper.push(topic, "broadcast", {"event": "forged", "payload": {}})
            await eavesdropper.heartbeat()
            await listener.heartbeat()


async def test_probe_rows_leave_no_trace(server: Server, probe: Probe, member: Member) -> None:
    async with dial(server, probe.keys.publishable_key) as client:
        await client.join(f"realtime:{member.scope}", member.token(), private=True)
    count = "select count(*) from realtime.messages where topic = $1"
    assert await probe.pool.fetchval(count, member.scope) == 0


async def test_a_denied_write_is_silent_even_with_ack(
    server: Server, probe: Probe, member: Member
) -> None:
    topic = f"realtime:{member.scope}"
    async with dial(server, probe.keys.publishable_key) as client:
        await client.join(
            topic, member.token(), private=True, broadcast={"ack": True, "self": True}
        )
        await client.push(topic, "broadcast", {"event": "e", "payload": {}})
        await client.heartbeat()


async def test_an_allowed_write_reaches_private_members_only(server: Server, probe: Probe) -> None:
    member = await probe.member("room")
    topic = f"realtime:{member.scope}"
    config = {"private": True, "broadcast": {"ack": True}}
    async with (
        dial(server, probe.keys.publishable_key) as speaker,
        dial(server, probe.keys.publishable_key, "1.0.0") as listener,
    ):
        await speaker.join(topic, member.token(), **config)
        await listener.join(topic, member.token(), **config)
        ref = await speaker.push(topic, "broadcast", {"event": "e", "payload": {"a": 1}})
        assert (await speaker.reply(ref))["status"] == "ok"
        assert (await listener.next()).payload["payload"] == {"a": 1}


async def test_a_refusal_may_be_delayed_as_hosted_does_without_blocking_the_socket(
    probe: Probe, member: Member
) -> None:
    async with (
        Server(probe, Faults(backoff=0.2)) as slow,
        dial(slow, probe.keys.publishable_key) as client,
    ):
        ref = await client.push(f"realtime:{member.scope}", "phx_join", PRIVATE)
        await client.heartbeat()
        assert await client.reply(ref) == no_read(member.scope)


# Tokens


def expired(seconds: int) -> str:
    return f"InvalidJWTToken: Token has expired {seconds} seconds ago"


async def test_an_expired_token_is_refused_with_its_age(
    server: Server, probe: Probe, member: Member
) -> None:
    async with dial(server, probe.keys.publishable_key) as client:
        token = member.token(seconds=-100)
        answer = await client.ask_join(f"realtime:{member.scope}", token, private=True)
        assert answer["response"]["reason"] in (expired(100), expired(101))


async def test_a_token_of_another_project_is_refused(
    server: Server, probe: Probe, member: Member
) -> None:
    claims = {"sub": str(member.user), "role": "authenticated", "exp": 4_000_000_000}
    foreign = jwt.encode(claims, Keys.create().jwt_secret, algorithm="HS256")
    async with dial(server, probe.keys.publishable_key) as client:
        answer = await client.ask_join("realtime:t", foreign)
        assert answer["response"]["reason"] == (
            "JwtSignatureError: Failed to validate JWT signature"
        )
        answer = await client.ask_join("realtime:t", "nonsense")
        assert answer["response"]["reason"] == (
            "MalformedJWT: The token provided is not a valid JWT"
        )
        answer = await client.ask_join("realtime:t", probe.keys.sign_user_token({"sub": "x"}))
        assert answer["response"]["reason"] == (
            "InvalidJWTToken: Fields `role` and `exp` are required in JWT"
        )


async def test_the_channel_closes_when_its_token_expires(
    server: Server, probe: Probe, member: Member
) -> None:
    async with dial(server, probe.keys.publishable_key) as client:
        topic = f"realtime:{member.scope}"
        await client.join(topic, member.token(seconds=1.5), private=True)
        system, closed = await client.next(), await client.next()
        assert (system.event, system.payload["status"]) == ("system", "error")
        assert system.payload["message"].startswith("Token has expired")
        assert system.payload["channel"] == member.scope
        assert closed.event == "phx_close"


async def test_a_new_token_in_time_keeps_the_channel(
    server: Server, probe: Probe, member: Member
) -> None:
    async with dial(server, probe.keys.publishable_key) as client:
        topic = f"realtime:{member.scope}"
        old = member.token(seconds=2)
        await client.join(topic, old, private=True)
        await client.push(topic, "access_token", {"access_token": member.token()})
        await client.heartbeat()  # an access_token is never answered
        await _until_expired(old)
        await member.say("still here")
        assert (await client.next()).event == "broadcast"


async def test_a_new_token_that_may_no_longer_read_closes_the_channel(
    server: Server, probe: Probe, member: Member
) -> None:
    async with dial(server, probe.keys.publishable_key) as client:
        topic = f"realtime:{member.scope}"
        await client.join(topic, member.token(), private=True)
        await probe.pool.execute("delete from probe.members where user_id = $1", member.user)
        await member.say("heard: the rights are those of the join")
        assert (await client.next()).event == "broadcast"
        await client.push(topic, "access_token", {"access_token": member.token(seconds=1800)})
        system, closed = await client.next(), await client.next()
        assert "permission" in system.payload["message"]
        assert (system.payload["status"], closed.event) == ("error", "phx_close")


@pytest.mark.parametrize("token", ["sb_publishable_x", None, "same"])
async def test_a_token_that_is_none_is_ignored(
    server: Server, probe: Probe, member: Member, token: str | None
) -> None:
    async with dial(server, probe.keys.publishable_key) as client:
        topic, own = f"realtime:{member.scope}", member.token()
        await client.join(topic, own, private=True)
        sent = own if token == "same" else token
        await client.push(topic, "access_token", {"access_token": sent})
        await client.heartbeat()


async def _until_expired(token: str) -> None:
    while True:
        try:
            jwt.decode(token, options={"verify_signature": False, "verify_exp": True})
        except jwt.ExpiredSignatureError:
            return
        await asyncio.sleep(0.05)
