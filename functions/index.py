"""The door of Vercel, and of any ASGI server: `uvicorn functions.index:app`."""

import gc

# What a start makes stays for good: looking for garbage among it takes a tenth of a cold start.
gc.disable()

from functions.app import create_app  # noqa: E402
from functions.core.settings import Settings  # noqa: E402

app = create_app(Settings.from_env())

gc.freeze()
gc.enable()
