"""What every socket shares: the gateway's context, the hub, the listener and the faults."""

from dataclasses import dataclass

from local.gateway.context import Gateway
from local.gateway.realtime.faults import Faults
from local.gateway.realtime.hub import Hub
from local.gateway.realtime.listener import Listener

MAX_PAYLOAD_BYTES = 256 * 1024  # the free plan's limit, the smallest of hosted
MAX_FRAME_BYTES = 5_000_000
MAX_CHANNELS = 100  # per socket
MAX_QUEUED_FRAMES = 1000  # per socket; a slower reader is cut


@dataclass(frozen=True, slots=True)
class Runtime:
    gateway: Gateway
    hub: Hub
    listener: Listener
    faults: Faults
