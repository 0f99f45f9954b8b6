"""What every socket shares: the gateway's context, the hub, the listener and the faults."""

from dataclasses import dataclass

from local.gateway.context import Gateway
from local.gateway.realtime.faults import Faults
from local.gateway.realtime.hub import Hub
from local.gateway.realtime.listener import Listener


@dataclass(frozen=True, slots=True)
class Runtime:
    gateway: Gateway
    hub: Hub
    listener: Listener
    faults: Faults
