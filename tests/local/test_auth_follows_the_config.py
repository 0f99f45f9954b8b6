"""config.toml decides who may sign up, how strong passwords are, how long sessions last."""

import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
import jwt
import pytest

from local.errors import StackError
from local.gateway.auth.config import AuthConfig
from local.stack import ROOT, Stack
from tests.conftest import POSTGRES_VERSION
from tests.local.conftest import Json, bearer, refresh

CONFIG = """
[auth]
jwt_expiry = 600
minimum_password_length = 8
password_requirements = "letters_digits"
refresh_token_reuse_interval = 0
enable_anonymous_sign_ins = true
[auth.email]
enable_confirmations = true
secure_password_change = true
[auth.sessions]
timebox = "24h"
inactivity_timeout = "8h"
"""
PASSWORD = "correct horse 1"


@pytest.fixture(scope="module")
async def strict() -> AsyncIterator[Stack]:
    """A project with nothing but that configuration."""
    folder = Path(tempfile.mkdtemp(prefix="recado-strict-"))
    (folder / "project").mkdir()
    (folder / "project" / "config.toml").write_text(CONFIG)
    try:
        async with Stack(
            folder, postgres_version=POSTGRES_VERSION, project=folder / "project"
        ) as stack:
            yield stack
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def auth(strict: Stack) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"apikey": strict.keys.secret_key, "x-supabase-api-version": "2024-01-01"}
    async with httpx.AsyncClient(base_url=f"{strict.url}/auth/v1", headers=headers) as client:
        yield client


@pytest.fixture
async def session(auth: httpx.AsyncClient) -> Json:
    login = {"email": f"{uuid4()}@example.com", "password": PASSWORD}
    await auth.post("/admin/users", json={**login, "email_confirm": True})
    answer = await auth.post("/token?grant_type=password", json=login)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


async def execute(stack: Stack, sql: str, *values: object) -> None:
    connection = await asyncpg.connect(stack.database_url)
    try:
        await connection.execute(sql, *values)
    finally:
        await connection.close()


async def test_a_sign_up_waits_for_its_confirmation_and_tells_nothing(
    auth: httpx.AsyncClient,
) -> None:
    body = {"email": f"{uuid4()}@example.com", "password": PASSWORD, "data": {"name": "Ana"}}
    user = (await auth.post("/signup", json=body)).json()
    assert user["confirmation_sent_at"]
    assert "email_confirmed_at" not in user
    waiting = await auth.post("/token?grant_type=password", json=body)
    assert waiting.json()["code"] == "email_not_confirmed"
    await auth.put(f"/admin/users/{user['id']}", json={"email_confirm": True})
    again = await auth.post("/signup", json=body)
    assert again.status_code == 200
    assert again.json()["id"] != user["id"]
    assert set(again.json()) == set(user)
    assert again.json()["identities"] == []


async def test_passwords_have_the_demanded_length_and_characters(auth: httpx.AsyncClient) -> None:
    body = {"email": f"{uuid4()}@example.com", "password": "short"}
    answer = await auth.post("/signup", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "weak_password")
    assert answer.json()["weak_password"] == {"reasons": ["length", "characters"]}
    assert answer.json()["message"].startswith("Password should be at least 8 characters. ")


async def test_access_tokens_live_as_long_as_configured(session: Json) -> None:
    claims = jwt.decode(session["access_token"], options={"verify_signature": False})
    assert (session["expires_in"], claims["exp"] - claims["iat"]) == (600, 600)


async def test_without_a_reuse_interval_a_second_use_ends_the_session(
    auth: httpx.AsyncClient, session: Json
) -> None:
    second = (await refresh(auth, session["refresh_token"])).json()
    third = (await refresh(auth, second["refresh_token"])).json()
    for token in (session, third):
        answer = await refresh(auth, token["refresh_token"])
        assert (answer.status_code, answer.json()["code"]) == (400, "refresh_token_already_used")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("created_at = now() - interval '25 hours'", "Invalid Refresh Token: Session Expired"),
        ("refreshed_at = now() at time zone 'utc' - interval '9 hours'",
         "Invalid Refresh Token: Session Expired (Inactivity)"),
    ],
)  # fmt: skip
async def test_an_old_or_idle_session_is_not_refreshed(
    strict: Stack, auth: httpx.AsyncClient, session: Json, change: str, message: str
) -> None:
    of_the_user = f"update auth.sessions set {change} where user_id = $1"
    await execute(strict, of_the_user, session["user"]["id"])
    answer = await refresh(auth, session["refresh_token"])
    assert (answer.status_code, answer.json()["code"]) == (400, "session_expired")
    assert answer.json()["message"] == message


async def test_an_old_session_does_not_change_the_password(
    strict: Stack, auth: httpx.AsyncClient, session: Json
) -> None:
    made = "update auth.sessions set created_at = now() - interval '25 hours' where user_id = $1"
    await execute(strict, made, session["user"]["id"])
    new = {"password": "another horse 2"}
    answer = await auth.put("/user", json=new, headers=bearer(session))
    assert (answer.status_code, answer.json()["code"]) == (400, "reauthentication_needed")


async def test_anonymous_users_sign_in_where_they_may(auth: httpx.AsyncClient) -> None:
    session = (await auth.post("/signup", json={"data": {"from": "shop"}})).json()
    claims = jwt.decode(session["access_token"], options={"verify_signature": False})
    assert (claims["is_anonymous"], claims["role"]) == (True, "authenticated")
    assert claims["amr"][0]["method"] == "anonymous"
    assert session["user"]["user_metadata"] == {"from": "shop"}
    assert session["user"]["identities"] == []


def test_this_projects_users_are_invited_by_an_admin() -> None:
    config = AuthConfig.read(ROOT / "supabase" / "config.toml")
    assert (config.enable_signup, config.minimum_password_length) == (False, 12)
    assert config.secure_password_change is True


def test_a_value_left_out_is_the_default(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('project_id = "x"')
    assert AuthConfig.read(tmp_path / "config.toml") == AuthConfig()
    assert AuthConfig.read(tmp_path / "missing.toml") == AuthConfig()


@pytest.mark.parametrize(
    "text",
    ["[auth", '[auth]\npassword_requirements = "long"', '[auth.sessions]\ntimebox = "a day"'],
)
def test_a_config_that_cannot_be_read_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(StackError, match=r"config.toml cannot be read"):
        AuthConfig.read(tmp_path / "config.toml")
