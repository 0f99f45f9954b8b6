"""Makes an empty database look like a hosted Supabase project, once: the SQL files beside this one.

The role `postgres`, which runs migrations afterwards, is no superuser; this part needs one.
"""

import hashlib
from pathlib import Path

import asyncpg

from local.errors import StackError

# Later files name objects of earlier ones; api.sql is last because it watches all later DDL.
FILES = ("roles.sql", "auth.sql", "storage.sql", "realtime.sql", "api.sql")
FOLDER = Path(__file__).parent


class BootstrapChanged(StackError):
    """The data directory was made with other bootstrap files; it has to be made anew."""


async def bootstrap(database_url: str) -> bool:
    """Applies the files in one transaction; False when they are in place already.

    `database_url` is of the superuser. Raises BootstrapChanged when the files differ from those
    that made the database.
    """
    sources = {name: (FOLDER / name).read_text() for name in FILES}
    digest = hashlib.sha256("\0".join(sources.values()).encode()).hexdigest()
    connection = await asyncpg.connect(database_url, ssl=False)
    try:
        recorded = await connection.fetchval(
            "select shobj_description(oid, 'pg_database') from pg_database"
            " where datname = current_database()"
        )
        mark = f"local bootstrap {digest}"
        if recorded == mark:
            return False
        if recorded is not None and recorded.startswith("local bootstrap "):
            raise BootstrapChanged(
                "local/bootstrap changed since this database was made: make dev FRESH=1 starts over"
            )
        async with connection.transaction():
            for source in sources.values():
                await connection.execute(source)
            name = await connection.fetchval("select quote_ident(current_database())")
            await connection.execute(f"comment on database {name} is '{mark}'")
        return True
    finally:
        await connection.close()
