"""Projects from before 2026 grant everything in `public` to the API's roles by default.

The migrations must take that back, or the tables that are closed on a new project are open there.
"""

from local.lint.scratch import scratch_database
from local.migrations import migrate
from tests.deploy.databases import MIGRATIONS, copy, schema_dump

OLD_DEFAULTS = """
alter default privileges for role postgres in schema public
  grant all on tables to anon, authenticated, service_role;
alter default privileges for role postgres in schema public
  grant all on functions to anon, authenticated, service_role;
alter default privileges for role postgres in schema public
  grant all on sequences to anon, authenticated, service_role;
"""


async def test_the_defaults_of_old_projects_open_nothing() -> None:
    async with scratch_database() as postgres:
        new = await copy(postgres, "new_project")
        old = await copy(postgres, "old_project", before=OLD_DEFAULTS)
        await migrate(new, MIGRATIONS)
        await migrate(old, MIGRATIONS)

        assert await schema_dump(old, 18) == await schema_dump(new, 18)
