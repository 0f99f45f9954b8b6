"""Which project the commands talk to: the one that is named, or the one of `make dev`."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import orjson

from functions.core.errors import NotConfigured
from functions.core.settings import Settings

# Where `make dev` says what it runs, and with which keys.
DEVELOPMENT = Path(__file__).parents[2] / ".recado" / "dev"


def find_settings(env_file: str | None, env: Mapping[str, str] = os.environ) -> Settings:
    """From `env_file`, else the environment, else a running `make dev`. Raises NotConfigured."""
    if env_file is not None:
        env = _read(Path(env_file))
    elif not env.get("SUPABASE_URL"):
        env = _development()
    try:
        settings = Settings.from_env(env)
    except ValueError as error:
        raise NotConfigured(f"{error}.") from None
    names = {
        "SUPABASE_URL": settings.supabase_url,
        "SUPABASE_SECRET_KEY": settings.secret_key,
    }
    missing = [name for name, value in names.items() if not value]
    if missing:
        raise NotConfigured(
            f"There is no {' and no '.join(missing)}.",
            hint="Start `make dev`, export them, or name a file with them: --env-file .env.",
        )
    # For calls of users, of which the command line makes none.
    return replace(settings, publishable_key=settings.publishable_key or settings.secret_key)


def _development() -> dict[str, str]:
    """The variables of a running `make dev`; none where there is none."""
    try:
        running = orjson.loads((DEVELOPMENT / "running.json").read_bytes())
        keys = orjson.loads((DEVELOPMENT / "keys.json").read_bytes())
        project = {"SUPABASE_URL": running["url"], "SUPABASE_SECRET_KEY": keys["secret_key"]}
        named = DEVELOPMENT / "api.env"
        return (_read(named) if named.exists() else {}) | project
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _read(path: Path) -> dict[str, str]:
    """NAME=value lines, as shells and `vercel env pull` write them. Raises NotConfigured."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise NotConfigured(f"{path} cannot be read: {reason}.") from None
    found = {}
    for line in lines:
        name, is_pair, value = line.strip().removeprefix("export ").partition("=")
        if is_pair and not name.startswith("#"):
            found[name.strip()] = value.strip().strip("\"'")
    return found
