"""Signatures, tokens and the subscription's challenge, with right, wrong, old and odd values."""

import hashlib
import hmac
import time
import warnings
from typing import Any

import jwt
import pytest

from functions.providers.base import Secrets
from functions.providers.evolution import EVOLUTION
from functions.providers.meta import META

BODY = b'{"object": "whatsapp_business_account"}'
OLD, NEW = "old-secret", "new-secret"
JWT_KEY = "a jwt key of at least thirty-two bytes"
TOKENS = {"tokens": [NEW, OLD]}


def signature(secret: str = NEW, body: bytes = BODY) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def is_meta(value: str | None, secrets: Any = None, body: bytes = BODY) -> bool:
    headers = {} if value is None else {"X-Hub-Signature-256": value}
    return META.verify(headers, body, secrets or {"app_secrets": [NEW, OLD]})


def test_a_signature_by_any_of_our_secrets_is_right() -> None:
    assert is_meta(signature(NEW))
    assert is_meta(signature(OLD))
    assert is_meta(signature(NEW).upper().replace("SHA256", "sha256"))
    assert META.verify({"x-hub-signature-256": signature()}, BODY, {"app_secrets": [NEW]})


@pytest.mark.parametrize(
    "value",
    [
        None, "", "sha256=", signature("other"), signature()[:-2], signature() + "00",
        signature().removeprefix("sha256="), "sha1=" + signature().removeprefix("sha256="),
        "sha256=" + "é" * 64, "sha256=" + "\u0661" * 64, "\x00", signature(body=b"{}"),
    ],
)  # fmt: skip
def test_any_other_signature_is_wrong(value: str | None) -> None:
    assert not is_meta(value)


def test_one_changed_byte_of_the_body_is_noticed() -> None:
    assert not is_meta(signature(), body=BODY + b" ")


def test_without_a_secret_nothing_from_meta_is_right() -> None:
    empty = hmac.new(b"", BODY, hashlib.sha256).hexdigest()
    configurations: list[Secrets] = [{}, {"app_secrets": []}, {"app_secrets": [""]}]
    for secrets in configurations:
        assert not META.verify({"x-hub-signature-256": f"sha256={empty}"}, BODY, secrets)


def test_the_challenge_is_answered_to_who_knows_the_token() -> None:
    secrets = {"verify_tokens": [NEW, OLD]}
    query = {"hub.mode": "subscribe", "hub.challenge": "115", "hub.verify_token": OLD}
    assert META.challenge(query, secrets) == "115"
    assert META.challenge({**query, "hub.verify_token": "x"}, secrets) is None
    assert META.challenge({**query, "hub.verify_token": "é"}, secrets) is None
    assert META.challenge({**query, "hub.verify_token": ""}, {"verify_tokens": [""]}) is None
    assert META.challenge({**query, "hub.mode": "unsubscribe"}, secrets) is None
    assert META.challenge({}, secrets) is None
    assert META.challenge(query, {}) is None
    assert EVOLUTION.challenge(query, secrets) is None


@pytest.mark.parametrize("name", ["x-webhook-token", "X-Recado-Token", "apikey", "ApiKey"])
@pytest.mark.parametrize("token", [NEW, OLD])
def test_a_token_in_a_header_is_right(name: str, token: str) -> None:
    assert EVOLUTION.verify({name: token}, BODY, TOKENS)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_token_as_bearer_is_right(scheme: str) -> None:
    assert EVOLUTION.verify({"Authorization": f"{scheme} {NEW}"}, BODY, TOKENS)


@pytest.mark.parametrize(
    "headers",
    [
        {}, {"x-webhook-token": ""}, {"x-webhook-token": "other"}, {"x-webhook-token": NEW[:-1]},
        {"x-webhook-token": NEW + "x"}, {"x-webhook-token": "sécret"}, {"authorization": NEW},
        {"authorization": f"Basic {NEW}"}, {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"x-other": NEW}, {"apikey": "\udcff"}, {"authorization": "Bearer a.b.c"},
    ],
)  # fmt: skip
def test_any_other_header_is_wrong(headers: dict[str, str]) -> None:
    assert not EVOLUTION.verify(headers, BODY, TOKENS)
    assert not EVOLUTION.verify(headers, BODY, {"jwt_keys": [JWT_KEY]})


def test_a_token_may_hold_any_characters() -> None:
    assert EVOLUTION.verify({"x-webhook-token": "açúcar"}, BODY, {"tokens": ["açúcar"]})


def test_without_any_secret_the_address_alone_decides() -> None:
    configurations: list[Secrets] = [{}, {"tokens": []}, {"tokens": [""], "jwt_keys": [""]}]
    for secrets in configurations:
        assert EVOLUTION.verify({}, BODY, secrets)


def bearer(key: str = JWT_KEY, algorithm: str = "HS256", **claims: Any) -> dict[str, str]:
    now = int(time.time())
    whole = {"iat": now, "exp": now + 600, "app": "evolution", "action": "webhook", **claims}
    whole = {name: value for name, value in whole.items() if value is not None}
    return {"authorization": f"Bearer {jwt.encode(whole, key, algorithm)}"}


def is_evolution_jwt(headers: dict[str, str], *keys: str) -> bool:
    return EVOLUTION.verify(headers, BODY, {"jwt_keys": list(keys) or [JWT_KEY]})


def test_a_jwt_of_the_server_is_right() -> None:
    assert is_evolution_jwt(bearer())
    assert is_evolution_jwt(bearer(), "another key of at least thirty-two bytes", JWT_KEY)


def test_a_short_jwt_key_works_too() -> None:
    """People choose it; Evolution signs with any."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        headers = bearer("short")
    assert is_evolution_jwt(headers, "short")


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 1}, {"exp": None}, {"app": "other"}, {"action": "login"}, {"app": None},
        {"key": "another key of at least thirty-two bytes"}, {"exp": "soon"},
    ],
)  # fmt: skip
def test_any_other_jwt_is_wrong(claims: Any) -> None:
    assert not is_evolution_jwt(bearer(**claims))


def test_a_jwt_without_or_with_another_algorithm_is_wrong() -> None:
    long = "another key, long enough for HS512: sixty-four bytes and then some"
    assert not is_evolution_jwt(bearer(long, "HS512"), long)
    unsigned = jwt.encode({"exp": 9999999999, "app": "evolution", "action": "webhook"}, "", "none")
    assert not is_evolution_jwt({"authorization": f"Bearer {unsigned}"})
