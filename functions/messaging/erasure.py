"""The job that erases what a contact said, part by part."""

from functions.core.db import Database
from functions.core.errors import Unavailable
from functions.core.storage import Storage
from functions.jobs.context import JobContext
from functions.jobs.models import GiveUp, Handler, Handlers, Job, Json, RetryLater, Snooze
from functions.messaging.contacts import Contacts
from functions.messaging.media import BUCKET

# A part takes a second at most; what is left then does another run.
MARGIN_SECONDS = 10.0
# While a worker may still be putting a file of the person into Storage.
FILE_SECONDS = 5.0


def handlers(db: Database, storage: Storage) -> Handlers:
    """contacts.erase."""

    async def erase(job: Job, context: JobContext) -> Json | None:
        """Goes on with an erasure until it is done, or the time is up."""
        contact_id = job.data.get("contact_id")
        if not isinstance(contact_id, str):
            raise GiveUp("data.contact_id is missing")
        contacts = Contacts(db.as_service())
        part = await contacts.continue_erasure(contact_id, [])
        while not part["done"]:
            if part.get("wait"):
                raise Snooze(FILE_SECONDS)
            if context.seconds_left < MARGIN_SECONDS:
                raise Snooze(1.0)
            if part["objects"]:
                await _remove(storage, part["objects"])
            part = await contacts.continue_erasure(contact_id, part["objects"])
        return None

    return {"contacts.erase": Handler(erase, concurrency=1)}


async def _remove(storage: Storage, names: list[str]) -> None:
    try:
        await storage.remove(BUCKET, names)
    except Unavailable as error:
        raise RetryLater(error.code) from None
