"""What the gateway's services share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.gateway.auth.config import AuthConfig
from local.keys import Keys


@dataclass(slots=True)
class Gateway:
    """Open connections and keys, from start to stop of the gateway's process.

    `rest` logs in as authenticator (what a request may do is decided by the role it switches to),
    `admin` as supabase_admin, a superuser. Both are asyncpg pools. `database_url` is the
    superuser's, for a connection of one's own; `public_url` is what clients call; `auth` is what
    the project's config.toml says about its users; in `storage_folder` are the bytes of objects.
    """

    keys: Keys
    rest: Any
    admin: Any
    database_url: str
    public_url: str
    auth: AuthConfig
    storage_folder: Path
