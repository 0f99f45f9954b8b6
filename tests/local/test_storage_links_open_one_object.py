"""Signed links: each opens one object, for one purpose, until its time is over."""

import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest

from local.stack import Stack
from tests.local.storage_door import Door, door_of, refusal


@pytest.fixture
async def door(league: Stack) -> AsyncIterator[Door]:
    async with door_of(league) as door:
        yield door


@pytest.fixture
async def bucket(door: Door) -> str:
    """With the object a/b.txt in it."""
    name = await door.bucket()
    await door.upload(f"{name}/a/b.txt", b"bytes")
    return name


async def signed(door: Door, path: str, seconds: Any = 60) -> str:
    answer = await door.post(f"/object/sign/{path}", {"expiresIn": seconds})
    assert (answer.status_code, list(answer.json())) == (200, ["signedURL"])
    link: str = answer.json()["signedURL"]
    assert link.startswith(f"/object/sign/{path}?token=")
    return link


def claims_of(link: str) -> dict[str, Any]:
    token = parse_qs(urlsplit(link).query)["token"][0]
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def forged(door: Door, secret: str | None = None, **claims: Any) -> str:
    content = {"iat": int(time.time()), "exp": 2**33, **claims}
    return jwt.encode(content, secret or door.keys.storage_secret, algorithm="HS256")


async def test_a_link_needs_no_key(door: Door, bucket: str) -> None:
    link = await signed(door, f"{bucket}/a/b.txt", "120")
    claims = claims_of(link)
    assert claims["url"] == f"{bucket}/a/b.txt"
    assert claims["exp"] - claims["iat"] == 120
    answer = await door.http.get(link)
    assert (answer.status_code, answer.content) == (200, b"bytes")
    assert "expires" in answer.headers
    assert "cache-control" not in answer.headers
    named = await door.http.get(f"{link}&download=c.txt")
    assert "filename=c.txt" in named.headers["content-disposition"]
    part = await door.http.get(link, headers={"range": "bytes=1-2"})
    assert (part.status_code, part.content) == (206, b"yt")


async def test_a_link_opens_nothing_else(door: Door, bucket: str) -> None:
    await door.upload(f"{bucket}/other", b"secret")
    token = (await signed(door, f"{bucket}/a/b.txt")).partition("?")[2]
    other = await door.http.get(f"/object/sign/{bucket}/other?{token}")
    expected = (400, "400", "InvalidSignature", "Invalid signature", "InvalidSignature")
    assert refusal(other) == expected
    upload = await door.http.put(f"/object/upload/sign/{bucket}/a/b.txt?{token}", content=b"x")
    assert refusal(upload)[4] == "InvalidSignature"
    bearer = {"authorization": f"Bearer {token.removeprefix('token=')}"}
    assert (await door.http.get("/bucket", headers=bearer)).status_code == 400


async def test_damaged_and_old_links_are_refused(door: Door, bucket: str) -> None:
    url = f"{bucket}/a/b.txt"
    path = f"/object/sign/{url}"
    missing = await door.http.get(path)
    message = "querystring must have required property 'token'"
    assert refusal(missing) == (400, "400", "Error", message, "InvalidRequest")
    for token, message in (
        ("xxx", "Invalid Compact JWS"),
        (forged(door, url=url, exp=1), '"exp" claim timestamp check failed'),
        (
            forged(door, "another secret of thirty-two bytes", url=url),
            "signature verification failed",
        ),
        (forged(door, door.keys.jwt_secret, url=url), "signature verification failed"),
        (door.keys.service_role_key, "signature verification failed"),
    ):
        answer = await door.http.get(f"{path}?token={token}")
        assert refusal(answer) == (400, "400", "InvalidJWT", message, "InvalidJWT")


async def test_links_in_one_go_tell_what_is_missing(door: Door, bucket: str) -> None:
    body = {"expiresIn": 60, "paths": ["a/b.txt", "none", "n\x00ne"]}
    clean = {**body, "paths": body["paths"][:2]}  # type: ignore[index]
    assert (await door.post(f"/object/sign/{bucket}", body)).status_code == 400
    found, missing = (await door.post(f"/object/sign/{bucket}", clean)).json()
    assert (found["path"], found["error"]) == ("a/b.txt", None)
    assert (await door.http.get(found["signedURL"])).content == b"bytes"
    text = "Either the object does not exist or you do not have access to it"
    assert missing == {"path": "none", "error": text, "signedURL": None}


async def test_no_link_outlives_the_calendar(door: Door, bucket: str) -> None:
    for seconds in (10**13, 10**30):
        answer = await door.post(f"/object/sign/{bucket}/a/b.txt", {"expiresIn": seconds})
        assert refusal(answer)[:2] == (400, "400")


async def test_an_upload_link_takes_one_object_once(door: Door, bucket: str) -> None:
    answer = await door.http.post(f"/object/upload/sign/{bucket}/new", headers=door.service)
    assert set(answer.json()) == {"url", "token"}
    url = answer.json()["url"]
    assert claims_of(url)["exp"] - claims_of(url)["iat"] == 7200
    form = {"file": ("a", b"first", "text/plain")}
    uploaded = await door.http.put(url, files=form)
    assert (uploaded.status_code, uploaded.json()) == (200, {"Key": f"{bucket}/new"})
    assert refusal(await door.http.put(url, content=b"second"))[4] == "KeyAlreadyExists"
    read = await door.http.get(url.replace("/upload/sign/", "/sign/"))
    assert refusal(read)[4] == "InvalidSignature"
    assert (await door.download(f"{bucket}/new")).content == b"first"
    taken = await door.http.post(f"/object/upload/sign/{bucket}/new", headers=door.service)
    assert refusal(taken)[4] == "KeyAlreadyExists"
    again = {**door.service, "x-upsert": "true"}
    answer = await door.http.post(f"/object/upload/sign/{bucket}/new", headers=again)
    replaced = await door.http.put(answer.json()["url"], content=b"second")
    assert replaced.status_code == 200
    assert (await door.download(f"{bucket}/new")).content == b"second"
