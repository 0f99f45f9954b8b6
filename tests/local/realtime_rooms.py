"""Topics for tests of the realtime service, named after what a signed-in user may do there."""

import time
from typing import Any
from uuid import uuid4

import asyncpg

from local.stack import Stack

POLICIES = """
drop policy if exists rooms_read on realtime.messages;
create policy rooms_read on realtime.messages for select to authenticated using (
  case split_part(realtime.topic(), ':', 1)
    when 'room' then true
    when 'read' then true
    when 'presence' then extension = 'presence'
    when 'mine' then realtime.topic() = 'mine:' || auth.uid()
    when 'broken' then realtime.topic()::int = 1  -- raises
  end
);
drop policy if exists rooms_write on realtime.messages;
create policy rooms_write on realtime.messages for insert to authenticated with check (
  case split_part(realtime.topic(), ':', 1)
    when 'room' then true
    when 'unsure' then realtime.topic()::int = 1  -- raises
  end
);
"""


async def create_policies(migrator: asyncpg.Pool) -> None:
    """May be run again."""
    await migrator.execute(POLICIES)


def topic(kind: str) -> str:
    """A fresh topic, without prefix."""
    return f"{kind}:{uuid4()}"


def token(stack: Stack, *, seconds: float = 3600, **claims: Any) -> str:
    """A signed-in user's; a claim that is None is left out."""
    facts = {"sub": str(uuid4()), "role": "authenticated", "exp": int(time.time() + seconds)}
    given = {name: value for name, value in (facts | claims).items() if value is not None}
    return stack.keys.sign_user_token(given)
