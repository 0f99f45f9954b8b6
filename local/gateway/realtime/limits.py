"""How much one socket may ask of the gateway. Where hosted has plans: the smallest one."""

MAX_PAYLOAD_BYTES = 256 * 1000 + 500  # of one broadcast; hosted adds the 500 to the plan's 256 kB
MAX_FRAME_BYTES = 5_000_000
MAX_CHANNELS = 100  # per socket
MAX_QUEUED_FRAMES = 1000  # per socket; a slower reader is cut
MAX_QUEUED_BYTES = 32_000_000  # likewise, for large frames
