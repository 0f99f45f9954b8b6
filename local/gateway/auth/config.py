"""The [auth] part of supabase/config.toml: `supabase config push` gives hosted the same values."""

import tomllib
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from local.errors import StackError
from local.gateway.auth.durations import parse_duration

# What `password_requirements` may name -> the sets of which each must occur once.
LOWER, UPPER, DIGITS = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
SYMBOLS = "!@#$%^&*()_+-=[]{};'\\:\"|<>?,./`~"
REQUIREMENTS = {
    "": (),
    "letters_digits": (LOWER + UPPER, DIGITS),
    "lower_upper_letters_digits": (LOWER, UPPER, DIGITS),
    "lower_upper_letters_digits_symbols": (LOWER, UPPER, DIGITS, SYMBOLS),
}


@dataclass(frozen=True, slots=True)
class AuthConfig:
    """What a project says about its users; the defaults are those of the Supabase CLI."""

    enable_signup: bool = True
    enable_email_signup: bool = True
    enable_anonymous_sign_ins: bool = False
    # Off: whoever signs up is confirmed at once, without a mail.
    enable_confirmations: bool = False
    minimum_password_length: int = 6
    required_characters: tuple[str, ...] = ()
    # A password change then needs a session younger than a day.
    secure_password_change: bool = False
    jwt_expiry: int = 3600
    enable_refresh_token_rotation: bool = True
    refresh_token_reuse_interval: int = 10
    session_timebox: timedelta | None = None
    session_inactivity_timeout: timedelta | None = None

    @classmethod
    def read(cls, path: Path | None) -> "AuthConfig":
        """The file's values; what it leaves out, or no file, is the default. Raises StackError."""
        if path is None or not path.exists():
            return cls()
        try:
            auth = tomllib.loads(path.read_text(encoding="utf-8")).get("auth", {})
            email, sessions = auth.get("email", {}), auth.get("sessions", {})
            found: dict[str, Any] = {
                name: auth[name]
                for name in cls.__dataclass_fields__
                if name in auth and isinstance(auth[name], int)
            }
            for name in ("enable_confirmations", "secure_password_change"):
                found[name] = bool(email.get(name, False))
            return cls(
                **found,
                enable_email_signup=bool(email.get("enable_signup", True)),
                required_characters=REQUIREMENTS[auth.get("password_requirements", "")],
                session_timebox=_duration(sessions.get("timebox")),
                session_inactivity_timeout=_duration(sessions.get("inactivity_timeout")),
            )
        except (tomllib.TOMLDecodeError, AttributeError, KeyError, ValueError) as error:
            raise StackError(f"{path} cannot be read: {error}") from error


def _duration(text: str | None) -> timedelta | None:
    return parse_duration(text) if text else None
