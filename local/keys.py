"""The secrets of one local stack: API keys as Supabase has them, and what signs user tokens.

They are made at random per data directory, so a key of one developer opens nothing elsewhere.
"""

import hashlib
import hmac
import secrets
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt.algorithms import ECAlgorithm

TEN_YEARS = 10 * 365 * 24 * 3600
# Clocks differ: PostgREST forgives 30 seconds on exp, nbf and iat.
LEEWAY_SECONDS = 30


@dataclass(frozen=True, slots=True, repr=False)
class ApiKeys:
    """What a client needs to reach a project: the two legacy JWT keys and the two opaque ones."""

    anon_key: str
    service_role_key: str
    publishable_key: str
    secret_key: str


@dataclass(frozen=True, slots=True, repr=False)
class Keys(ApiKeys):
    """`ApiKeys` plus what signs them and the users' access tokens. Stays on this machine."""

    jwt_secret: str
    es256_private_pem: str
    es256_kid: str

    @classmethod
    def create(cls) -> "Keys":
        """Fresh random keys."""
        secret = secrets.token_urlsafe(48)
        private = ec.generate_private_key(ec.SECP256R1())
        pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return cls(
            anon_key=_role_jwt(secret, "anon"),
            service_role_key=_role_jwt(secret, "service_role"),
            publishable_key=f"sb_publishable_{secrets.token_urlsafe(16)}_{secrets.token_hex(4)}",
            secret_key=f"sb_secret_{secrets.token_urlsafe(16)}_{secrets.token_hex(4)}",
            jwt_secret=secret,
            es256_private_pem=pem.decode(),
            es256_kid=secrets.token_hex(16),
        )

    @classmethod
    def load_or_create(cls, path: Path) -> "Keys":
        """The keys in the JSON file at `path`; makes the file (mode 0600) when it is missing."""
        if path.exists():
            stored = orjson.loads(path.read_bytes())
            return cls(**{field.name: stored[field.name] for field in fields(cls)})
        keys = cls.create()
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_bytes(orjson.dumps(asdict(keys), option=orjson.OPT_INDENT_2))
        fresh.rename(path)
        return keys

    @property
    def storage_secret(self) -> str:
        """Signs links to stored objects; derived, so that no such link is ever an access token."""
        return hmac.new(self.jwt_secret.encode(), b"storage", hashlib.sha256).hexdigest()

    def role_of(self, api_key: str) -> str | None:
        """`anon` or `service_role` for one of this project's four API keys, None for any other."""
        if api_key in (self.publishable_key, self.anon_key):
            return "anon"
        if api_key in (self.secret_key, self.service_role_key):
            return "service_role"
        return None

    def role_token(self, role: str) -> str:
        """The JWT that stands for an opaque key of `role`."""
        return self.anon_key if role == "anon" else self.service_role_key

    def jwks(self) -> dict[str, Any]:
        """The public half of the signing key, as served at /auth/v1/.well-known/jwks.json."""
        public = _private_key(self.es256_private_pem).public_key()
        jwk = ECAlgorithm.to_jwk(public, as_dict=True)
        facts = {"kid": self.es256_kid, "alg": "ES256", "use": "sig", "key_ops": ["verify"]}
        return {"keys": [{**jwk, **facts, "ext": True}]}

    def sign_user_token(self, claims: dict[str, Any]) -> str:
        """An ES256 access token with these claims; `kid` names the key in `jwks()`."""
        headers = {"kid": self.es256_kid}
        return jwt.encode(claims, self.es256_private_pem, algorithm="ES256", headers=headers)

    def verify(self, token: str) -> dict[str, Any]:
        """The claims of a token signed by this project, HS256 or ES256. Audience is not checked.

        Raises: jwt.PyJWTError (ExpiredSignatureError when it is too old).
        """
        algorithm = jwt.get_unverified_header(token).get("alg")
        key: Any = self.jwt_secret
        if algorithm == "ES256":
            key = _private_key(self.es256_private_pem).public_key()
        return jwt.decode(
            token,
            key,
            algorithms=["ES256" if algorithm == "ES256" else "HS256"],
            leeway=LEEWAY_SECONDS,
            options={"verify_aud": False, "verify_sub": False, "verify_jti": False},
        )


_loaded: dict[str, ec.EllipticCurvePrivateKey] = {}


def _private_key(pem: str) -> ec.EllipticCurvePrivateKey:
    # Parsing a PEM costs more than verifying a signature with it.
    if pem not in _loaded:
        key = load_pem_private_key(pem.encode(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError("the signing key is not an elliptic curve key")
        _loaded[pem] = key
    return _loaded[pem]


def _role_jwt(secret: str, role: str) -> str:
    now = int(time.time())
    claims = {"iss": "supabase", "ref": "local", "role": role, "iat": now, "exp": now + TEN_YEARS}
    return jwt.encode(claims, secret, algorithm="HS256")
