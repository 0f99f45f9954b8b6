"""What one channel's token allows, for as long as it lasts."""

import asyncio
from collections.abc import Callable, Mapping

from local.gateway.realtime import policies
from local.gateway.realtime.hub import Address
from local.gateway.realtime.policies import Caller, ReadRights
from local.gateway.realtime.runtime import Runtime
from local.gateway.realtime.tokens import Claims, Refused, claims_of, seconds_left

CONFIRM_SECONDS = 300.0  # a token is looked at again at least this often
NO_READ = "You do not have permissions to read from this Channel topic"
LOST_READ = "You no longer have permission to read from this Channel topic"


class Grant:
    """Public topics allow everything to whoever has a valid token.

    `lapsed` is called once with the reason when the token expires.
    """

    def __init__(
        self,
        runtime: Runtime,
        address: Address,
        headers: Mapping[str, str],
        *,
        presence: bool,
        lapsed: Callable[[str], None],
    ) -> None:
        self.rights = ReadRights(broadcast=True, presence=True)
        self.token = ""
        self._runtime = runtime
        self._topic, self._private = address
        self._headers = headers
        self._presence = presence
        self._lapsed = lapsed
        self._claims: Claims = {}
        self._may_broadcast: bool | None = None if self._private else True
        self._timer: asyncio.TimerHandle | None = None

    async def take(self, token: str) -> None:
        """Go by this token from now on. Raises Refused when it may not hear the topic."""
        self.token = token
        self._claims = claims_of(self._runtime.gateway.keys, token)
        if self._private:
            self._may_broadcast = None
            self.rights = await policies.read_rights(
                self._runtime.gateway.admin, self._caller, self._topic, presence=self._presence
            )
            if not (self.rights.broadcast or self.rights.presence):
                raise Refused("Unauthorized", f"{NO_READ}: {self._topic}")
        self._plan_confirmation()

    async def renew(self, token: str) -> None:
        """Take another token. Raises Refused also when it may read less than the one before."""
        before = self.rights
        await self.take(token)
        lost_broadcast = before.broadcast and not self.rights.broadcast
        if lost_broadcast or (before.presence and not self.rights.presence):
            raise Refused("Unauthorized", f"{LOST_READ}: {self._topic}")

    async def may_broadcast(self) -> bool:
        """Asked of the policies at the first message, then remembered until the next token."""
        if self._may_broadcast is None:
            try:
                self._may_broadcast = await policies.may_broadcast(
                    self._runtime.gateway.admin, self._caller, self._topic
                )
            except policies.Undecided:
                return False
        return self._may_broadcast

    def end(self) -> None:
        if self._timer:
            self._timer.cancel()

    @property
    def _caller(self) -> Caller:
        return Caller(self._claims, self._headers)

    def _plan_confirmation(self) -> None:
        self.end()
        left = seconds_left(self._claims)
        if left is not None:
            seconds = min(max(left, 0.0), CONFIRM_SECONDS)
            self._timer = asyncio.get_running_loop().call_later(seconds, self._confirm)

    def _confirm(self) -> None:
        try:
            self._claims = claims_of(self._runtime.gateway.keys, self.token)
        except Refused as refusal:
            self._lapsed(refusal.message)
        else:
            self._plan_confirmation()
