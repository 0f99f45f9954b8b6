"""Who may open a socket, join, hear and speak; and for how long: in the words of hosted."""

import time
from typing import Any

import asyncpg
import jwt
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from local.keys import Keys
from local.stack import Stack
from tests.local.realtime_rooms import create_policies, token, topic
from tests.realtime.phoenix import Phoenix, dial

NO_CLAIMS = "Fields `role` and `exp` are required in JWT"
NO_JWT = "The token provided is not a valid JWT"
NO_SIGNER = "Failed to generate JWT signer, check your JWT secret or JWKS configuration"


@pytest.fixture(scope="module", autouse=True)
async def policies(migrator: asyncpg.Pool) -> None:
    await create_policies(migrator)


def foreign(league: Stack, **header: Any) -> str:
    """A token that another project signed."""
    claims = {"role": "anon", "exp": int(time.time()) + 60}
    return jwt.encode(claims, Keys.create().jwt_secret, algorithm="HS256", headers=header)


async def reason(client: Phoenix, name: str, given: str | None, **config: Any) -> str:
    answer = await client.ask_join(f"realtime:{name}", given, **config)
    assert answer["status"] == "error", answer
    return str(answer["response"]["reason"])


# Opening a socket


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("none", "API key is missing"),
        ("nonsense", NO_JWT),
        ("foreign", "Failed to validate JWT signature"),
        ("expired", "Token has expired"),
        ("no role", NO_CLAIMS),
        ("no exp", NO_CLAIMS),
        ("unsigned", NO_SIGNER),
    ],
)
async def test_a_socket_is_refused_with_the_reason(league: Stack, kind: str, message: str) -> None:
    keys = {
        "none": "",
        "nonsense": "nonsense",
        "foreign": foreign(league),
        "expired": token(league, seconds=-100),
        "no role": token(league, role=None),
        "no exp": token(league, exp=None),
        "unsigned": jwt.encode({"role": "anon", "exp": 4_000_000_000}, "", algorithm="none"),
    }
    with pytest.raises(InvalidStatus) as refusal:
        async with dial(league, keys[kind]):
            pass
    assert refusal.value.response.status_code == 401
    assert refusal.value.response.body == f'{{"error":"{message}"}}'.encode()


async def test_the_key_may_come_as_a_header(league: Stack) -> None:
    url = f"{league.url.replace('http', 'ws', 1)}/realtime/v1/websocket"
    headers = {"x-api-key": token(league)}
    async with connect(url, additional_headers=headers) as socket:
        await Phoenix(socket, "1.0.0").heartbeat()


# Joining


async def test_the_token_of_a_join_is_refused_with_the_reason(league: Stack) -> None:
    reasons = {
        "nonsense": f"MalformedJWT: {NO_JWT}",
        foreign(league): "JwtSignatureError: Failed to validate JWT signature",
        token(league, role=None): f"InvalidJWTToken: {NO_CLAIMS}",
        token(league, exp=None): f"InvalidJWTToken: {NO_CLAIMS}",
    }
    async with dial(league, league.keys.publishable_key) as client:
        for given, expected in reasons.items():
            assert await reason(client, topic("public"), given) == expected
        age = await reason(client, topic("public"), token(league, seconds=-50))
        assert age.startswith("InvalidJWTToken: Token has expired 5")
        other_kid = jwt.encode(
            {"role": "anon", "exp": 4_000_000_000},
            Keys.create().es256_private_pem,
            algorithm="ES256",
            headers={"kid": "other"},
        )
        assert await reason(client, topic("public"), other_kid) == (
            'JwtSignerError: Failed to generate JWT signer for key ID (kid) "other", '
            "check your JWT secret or JWKS configuration"
        )


async def test_white_space_in_a_token_is_read_over(league: Stack) -> None:
    async with dial(league, league.keys.publishable_key) as client:
        given = token(league)
        await client.join(
            f"realtime:{topic('room')}", f" {given[:9]}\n{given[9:]}%20", private=True
        )


@pytest.mark.parametrize("kind", ["none", "broken"])
async def test_a_private_topic_is_refused_when_no_policy_lets_read(
    league: Stack, kind: str
) -> None:
    name = topic(kind)
    async with dial(league, league.keys.publishable_key) as client:
        assert await reason(client, name, token(league), private=True) == (
            f"Unauthorized: You do not have permissions to read from this Channel topic: {name}"
        )
        await client.join(f"realtime:{name}")  # the public topic of that name is another one


async def test_a_policy_sees_who_asks(league: Stack) -> None:
    async with dial(league, league.keys.publishable_key) as client:
        user = "5f2b0f30-0000-4000-8000-000000000001"
        await client.join(f"realtime:mine:{user}", token(league, sub=user), private=True)
        other = token(league, sub="5f2b0f30-0000-4000-8000-000000000002")
        assert "Unauthorized" in await reason(client, f"mine:{user}", other, private=True)


async def test_a_user_token_goes_before_an_access_token(league: Stack) -> None:
    name = f"realtime:{topic('room')}"
    async with dial(league, league.keys.publishable_key) as client:
        config = {"config": {"private": "true"}}
        for tokens, status in (
            ({"user_token": token(league), "access_token": "nonsense"}, "ok"),
            ({"user_token": "nonsense", "access_token": token(league)}, "error"),
            ({"user_token": token(league), "access_token": None}, "ok"),
            ({"access_token": "sb_publishable_x", "user_token": token(league)}, "error"),
            ({}, "error"),
        ):
            ref = await client.push(name, "phx_join", config | tokens)
            frame = await client.next()
            while frame.ref != ref:  # the close of the join before
                frame = await client.next()
            assert frame.payload["status"] == status, tokens


async def test_the_key_of_the_socket_speaks_where_a_join_has_no_token(league: Stack) -> None:
    async with dial(league, token(league)) as client:
        for given in (None, "sb_publishable_x"):
            await client.join(f"realtime:{topic('room')}", given, private=True)


async def test_presence_is_told_only_to_whom_may_read_it(league: Stack) -> None:
    async with dial(league, league.keys.publishable_key) as client:
        presence = {"presence": {"enabled": True}, "private": True}
        name = f"realtime:{topic('presence')}"
        await client.join(name, token(league), **presence)
        assert (await client.next()).event == "presence_state"
        async with dial(league, league.keys.secret_key) as speaker:
            await speaker.join(name, private=True, broadcast={"ack": True})
            ref = await speaker.push(name, "broadcast", {"event": "e", "payload": {}})
            assert (await speaker.reply(ref))["status"] == "ok"
        await client.heartbeat()  # may read presence, but no broadcast


async def test_presence_is_answered_although_nobody_is_told(league: Stack) -> None:
    name = f"realtime:{topic('public')}"
    async with dial(league, league.keys.publishable_key) as client:
        await client.join(name)
        for event, payload, answer in (
            ("track", {"a": 1}, {"status": "ok", "response": {}}),
            ("UNTRACK", {}, {"status": "ok", "response": {}}),
            (
                "track",
                "text",
                {
                    "status": "error",
                    "response": {"reason": "Presence track payload must be a map"},
                },
            ),
            ("dance", {}, {"status": "error", "response": {}}),
        ):
            body = {"type": "presence", "event": event, "payload": payload}
            assert await client.reply(await client.push(name, "presence", body)) == answer


# Speaking


async def test_a_write_is_asked_once_and_again_with_the_next_token(
    league: Stack, migrator: asyncpg.Pool
) -> None:
    name = f"realtime:{topic('room')}"
    message = {"event": "e", "payload": {}}
    async with dial(league, league.keys.publishable_key) as client:
        await client.join(name, token(league), private=True, broadcast={"ack": True})
        assert (await client.reply(await client.push(name, "broadcast", message)))["status"] == "ok"
        await migrator.execute("drop policy rooms_write on realtime.messages")
        try:
            ref = await client.push(name, "broadcast", message)
            assert (await client.reply(ref))["status"] == "ok"
            await client.push(name, "access_token", {"access_token": token(league)})
            await client.push(name, "broadcast", message)
            await client.heartbeat()  # denied: not even an answer
        finally:
            await create_policies(migrator)


async def test_a_policy_that_fails_is_asked_again(league: Stack, migrator: asyncpg.Pool) -> None:
    kind = topic("unsure")
    async with dial(league, league.keys.publishable_key) as client:
        await migrator.execute(
            "create policy unsure on realtime.messages for select to authenticated"
            f" using (realtime.topic() = '{kind}')"
        )
        await client.join(f"realtime:{kind}", token(league), private=True, broadcast={"ack": True})
        await client.push(f"realtime:{kind}", "broadcast", {"event": "e", "payload": {}})
        await client.heartbeat()
        await migrator.execute(
            "drop policy unsure on realtime.messages; drop policy rooms_write on realtime.messages;"
            "create policy rooms_write on realtime.messages for insert to authenticated"
            " with check (true)"
        )
        try:
            ref = await client.push(f"realtime:{kind}", "broadcast", {"event": "e", "payload": {}})
            assert (await client.reply(ref))["status"] == "ok"
        finally:
            await create_policies(migrator)


# A new token on an open channel


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ({"role": None}, NO_CLAIMS),
        ({"exp": None}, NO_CLAIMS),
        ({"exp": 1}, "Token has expired "),
        ({"role": "anon"}, "You do not have permissions to read from this Channel topic: "),
        ("", NO_JWT),
        ("nonsense", NO_JWT),
    ],
)
async def test_a_token_that_does_not_do_shuts_the_channel_with_the_reason(
    league: Stack, claims: dict[str, Any] | str, message: str
) -> None:
    name = topic("room")
    async with dial(league, league.keys.publishable_key) as client:
        await client.join(f"realtime:{name}", token(league), private=True)
        given = claims if isinstance(claims, str) else token(league, **claims)
        await client.push(f"realtime:{name}", "access_token", {"access_token": given})
        system, closed = await client.next(), await client.next()
        assert system.event == "system"
        assert system.payload["message"].startswith(message)
        facts = {"channel": name, "extension": "system", "status": "error"}
        assert facts.items() <= system.payload.items()
        assert (closed.event, closed.payload, closed.ref) == ("phx_close", {}, client.join_ref)
        await client.join(f"realtime:{name}", token(league), private=True)  # the socket lives on


@pytest.mark.parametrize("payload", [{}, {"access_token": 5}, {"access_token": None}, None, []])
async def test_a_refresh_without_a_token_is_ignored(league: Stack, payload: Any) -> None:
    name = f"realtime:{topic('room')}"
    async with dial(league, league.keys.publishable_key) as client:
        await client.join(name, token(league), private=True)
        await client.push(name, "access_token", payload)
        await client.heartbeat()


async def test_another_role_may_go_on_where_nothing_is_private(league: Stack) -> None:
    name = f"realtime:{topic('public')}"
    async with dial(league, league.keys.publishable_key) as client:
        await client.join(name, token(league), broadcast={"self": True})
        await client.push(name, "access_token", {"access_token": token(league, role="anon")})
        await client.push(name, "broadcast", {"event": "e", "payload": {}})
        assert (await client.next()).event == "broadcast"


async def test_an_opaque_key_does_not_lengthen_the_life_of_a_token(league: Stack) -> None:
    name = f"realtime:{topic('public')}"
    async with dial(league, league.keys.publishable_key) as client:
        await client.join(name, token(league, seconds=2))
        await client.push(name, "access_token", {"access_token": "sb_publishable_x"})
        assert "Token has expired" in (await client.next()).payload["message"]
        assert (await client.next()).event == "phx_close"
