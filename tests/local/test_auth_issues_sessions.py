"""Users and sessions: supabase_auth parses every answer, raw HTTP shows the errors."""

from uuid import uuid4

import asyncpg
import httpx
import jwt
import pytest
from supabase import AsyncClient
from supabase_auth.errors import AuthApiError, AuthWeakPasswordError

from local.stack import Stack
from tests.local.conftest import PASSWORD, Json, bearer, connected, refresh


async def test_signing_up_and_in_gives_a_session(league: Stack) -> None:
    email = f"{uuid4()}@example.com"
    async with connected(league, league.keys.publishable_key) as client:
        up = await client.auth.sign_up(
            {"email": email, "password": PASSWORD, "options": {"data": {"name": "Ana"}}}
        )
        assert up.session is not None
        assert up.user is not None
        assert up.user.user_metadata == {
            "name": "Ana",
            "sub": up.user.id,
            "email": email,
            "email_verified": True,
            "phone_verified": False,
        }
        assert up.user.app_metadata == {"provider": "email", "providers": ["email"]}
        assert up.user.email_confirmed_at is not None
        assert up.user.identities is not None
        assert up.user.identities[0].identity_data is not None
        assert up.user.identities[0].identity_data["email"] == email
        assert up.user.identities[0].identity_data["name"] == "Ana"
        into = await client.auth.sign_in_with_password({"email": email, "password": PASSWORD})
        assert into.session is not None
        assert into.session.expires_in == 3600
        assert into.session.token_type == "bearer"
        found = await client.auth.get_user()
        assert found is not None
        assert found.user.id == up.user.id
        claims = await client.auth.get_claims()
        assert claims is not None
        assert claims["claims"]["sub"] == up.user.id


async def test_an_access_token_is_es256_with_the_claims_of_hosted(
    league: Stack, auth: httpx.AsyncClient, user: Json
) -> None:
    token = user["access_token"]
    jwks = (await auth.get("/.well-known/jwks.json", headers={"apikey": ""})).json()
    header = jwt.get_unverified_header(token)
    assert (header["alg"], header["kid"]) == ("ES256", jwks["keys"][0]["kid"])
    assert "d" not in jwks["keys"][0]
    key = jwt.PyJWK(jwks["keys"][0])
    issuer = f"{league.url}/auth/v1"
    claims = jwt.decode(token, key, audience="authenticated", issuer=issuer)
    assert claims["sub"] == user["user"]["id"]
    assert claims["exp"] - claims["iat"] == 3600
    assert claims["role"] == "authenticated"
    assert claims["email"] == user["user"]["email"] == user["user"]["email"].lower()
    assert claims["user_metadata"]["name"] == "Ana"
    assert (claims["aal"], claims["amr"][0]["method"]) == ("aal1", "password")
    assert claims["session_id"]
    assert claims["is_anonymous"] is False


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/token?grant_type=password", {"email": "no@x.co", "password": "x"}, 400,
         "invalid_credentials"),
        ("/token?grant_type=password", {}, 400, "validation_failed"),
        ("/token?grant_type=password", {"email": 1, "password": 2}, 400, "bad_json"),
        ("/token?grant_type=password", {"email": "a@b.co", "phone": "1"}, 400, "validation_failed"),
        ("/token?grant_type=password", {"phone": "+1"}, 422, "phone_provider_disabled"),
        ("/token?grant_type=magic", {}, 400, "invalid_credentials"),
        ("/token?grant_type=id_token", {"token": "x"}, 400, "provider_disabled"),
        ("/token?grant_type=refresh_token", {"refresh_token": "x"}, 400, "validation_failed"),
        ("/token?grant_type=refresh_token", {"refresh_token": "a" * 12}, 400,
         "refresh_token_not_found"),
        ("/token?grant_type=refresh_token", {}, 400, "validation_failed"),
        ("/signup", {"email": "x", "password": PASSWORD}, 400, "validation_failed"),
        ("/signup", {"email": "a@b.co", "password": ""}, 400, "validation_failed"),
        ("/signup", {"email": "a@b.co", "password": "12345"}, 422, "weak_password"),
        ("/signup", {}, 422, "anonymous_provider_disabled"),
        ("/signup", [], 400, "bad_json"),
        ("/signup", {"email": "a@b.co", "password": "x" * 73}, 400, "validation_failed"),
        ("/signup", {"email": "a@b.co", "password": PASSWORD, "data": 1}, 400, "bad_json"),
        ("/signup", {"phone": "+1", "password": PASSWORD}, 400, "phone_provider_disabled"),
        ("/otp", {}, 422, "feature_disabled"),
        ("/factors/1/verify", {}, 422, "feature_disabled"),
        ("/sso", {"domain": "x.co"}, 404, "saml_provider_disabled"),
        ("/verify", {"type": "sms", "phone": "551188887777", "token": "1"}, 403, "otp_expired"),
        ("/verify", {"type": "sms", "phone": "me", "token": "1"}, 400, "validation_failed"),
        ("/nowhere", {}, 404, "validation_failed"),
    ],
)  # fmt: skip
async def test_a_refusal_has_a_code(
    auth: httpx.AsyncClient, path: str, body: object, status: int, code: str
) -> None:
    answer = await auth.post(path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.json()["message"]
    assert answer.headers["x-supabase-api-version"] == "2024-01-01"
    assert answer.headers["x-sb-error-code"] == code
    for version in ("", "2023-12-31", "tomorrow"):
        older = await auth.post(path, json=body, headers={"x-supabase-api-version": version})
        assert (older.json()["code"], older.json()["error_code"]) == (status, code)
        assert older.json()["msg"] == answer.json()["message"]


async def test_a_body_that_is_no_json_is_refused(auth: httpx.AsyncClient) -> None:
    for content in (b"{", b"", b"null"):
        answer = await auth.post("/signup", content=content)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_json")


async def test_supabase_py_knows_the_errors(league: Stack, user: Json) -> None:
    async with connected(league, league.keys.publishable_key) as client:
        email = user["user"]["email"]
        with pytest.raises(AuthApiError) as caught:
            await client.auth.sign_in_with_password({"email": email, "password": "wrong"})
        assert caught.value.code == "invalid_credentials"
        assert caught.value.message == "Invalid login credentials"
        with pytest.raises(AuthApiError) as caught:
            await client.auth.sign_up({"email": email, "password": PASSWORD})
        assert caught.value.code == "user_already_exists"
        with pytest.raises(AuthWeakPasswordError) as weak:
            await client.auth.sign_up({"email": f"{uuid4()}@example.com", "password": "x"})
        assert weak.value.reasons == ["length"]


async def test_a_weak_password_is_told_at_sign_in(
    auth: httpx.AsyncClient, supabase: AsyncClient
) -> None:
    login = {"email": f"{uuid4()}@example.com", "password": "12345"}
    await supabase.auth.admin.create_user(
        {"email": login["email"], "password": login["password"], "email_confirm": True}
    )
    session = (await auth.post("/token?grant_type=password", json=login)).json()
    assert session["weak_password"] == {
        "message": "Password should be at least 6 characters.",
        "reasons": ["length"],
    }


async def test_a_user_changes_password_and_metadata(auth: httpx.AsyncClient, user: Json) -> None:
    email = user["user"]["email"]
    login = {"email": email, "password": PASSWORD}
    other = (await auth.post("/token?grant_type=password", json=login)).json()
    body: Json = {"data": {"name": None, "city": "Recife", "deep": {"x": None}}}
    changed = await auth.put("/user", json=body, headers=bearer(user))
    metadata = changed.json()["user_metadata"]
    assert (metadata["city"], metadata["deep"]) == ("Recife", {"x": None})
    assert "name" not in metadata
    role = await auth.put("/user", json={"app_metadata": {"admin": True}}, headers=bearer(user))
    assert (role.status_code, role.json()["code"]) == (403, "not_admin")
    empty = await auth.put("/user", json={"password": ""}, headers=bearer(user))
    assert (empty.status_code, empty.json()["code"]) == (422, "weak_password")
    same = await auth.put("/user", json={"password": PASSWORD}, headers=bearer(user))
    assert (same.status_code, same.json()["code"]) == (422, "same_password")
    new = {"password": "another horse"}
    assert (await auth.put("/user", json=new, headers=bearer(user))).status_code == 200
    assert (await auth.get("/user", headers=bearer(user))).status_code == 200
    ended = await auth.get("/user", headers=bearer(other))
    assert (ended.status_code, ended.json()["code"]) == (403, "session_not_found")
    assert (await auth.post("/token?grant_type=password", json=login)).status_code == 400
    into = await auth.post("/token?grant_type=password", json={**login, **new})
    assert into.status_code == 200
    moved = await auth.put("/user", json={"email": "other@x.co"}, headers=bearer(user))
    assert (moved.status_code, moved.json()["code"]) == (422, "feature_disabled")


@pytest.mark.parametrize(
    ("scope", "left"), [("local", "other"), ("others", "own"), ("global", "none")]
)
async def test_signing_out_ends_the_sessions_of_its_scope(
    auth: httpx.AsyncClient, user: Json, scope: str, left: str
) -> None:
    login = {"email": user["user"]["email"], "password": PASSWORD}
    other = (await auth.post("/token?grant_type=password", json=login)).json()
    out = await auth.post(f"/logout?scope={scope}", headers=bearer(user))
    assert (out.status_code, out.content) == (204, b"")
    for session, name in ((user, "own"), (other, "other")):
        known = await auth.get("/user", headers=bearer(session))
        again = await refresh(auth, session["refresh_token"])
        if name == left:
            assert (known.status_code, again.status_code) == (200, 200)
        else:
            assert (known.status_code, known.json()["code"]) == (403, "session_not_found")
            assert again.json()["code"] == "refresh_token_not_found"


async def test_tokens_that_do_not_verify_are_refused(
    league: Stack, auth: httpx.AsyncClient, user: Json
) -> None:
    user_id = user["user"]["id"]
    expired = league.keys.sign_user_token({"sub": user_id, "exp": 1})
    unknown = league.keys.sign_user_token({"sub": str(uuid4()), "exp": 2**33})
    odd = league.keys.sign_user_token({"sub": "me", "exp": 2**33})
    for token, status, code in (
        ("x", 403, "bad_jwt"),
        (expired, 403, "bad_jwt"),
        (odd, 400, "bad_jwt"),
        (league.keys.anon_key, 403, "bad_jwt"),
        (unknown, 403, "user_not_found"),
    ):
        answer = await auth.get("/user", headers={"authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    basic = await auth.get("/user", headers={"authorization": "Basic x"})
    assert (basic.status_code, basic.json()["code"]) == (401, "no_authorization")


async def test_passwords_are_stored_as_slow_hashes(database: asyncpg.Pool, user: Json) -> None:
    stored = await database.fetchval(
        "select encrypted_password from auth.users where id = $1", user["user"]["id"]
    )
    assert stored.startswith("$scrypt$")
    assert PASSWORD not in stored


async def test_health_and_settings_answer(auth: httpx.AsyncClient) -> None:
    assert (await auth.get("/health")).json()["name"] == "GoTrue"
    settings = (await auth.get("/settings")).json()
    assert settings["external"]["email"] is True
    assert settings["external"]["google"] is False
    assert (settings["disable_signup"], settings["mailer_autoconfirm"]) == (False, True)
