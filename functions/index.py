"""The door of Vercel, and of any ASGI server: `uvicorn functions.index:app`."""

from functions.app import create_app
from functions.core.settings import Settings

app = create_app(Settings.from_env())
