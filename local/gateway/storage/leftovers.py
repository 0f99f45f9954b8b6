"""What a killed process has left behind."""

from local.gateway.context import Gateway
from local.gateway.storage.files import Files


async def sweep(gateway: Gateway) -> None:
    """Removes files that no row names, before the first request comes."""
    async with gateway.admin.acquire() as connection:
        found = await connection.fetch("select version from storage.objects")
    Files(gateway.storage_folder).sweep({row["version"] for row in found})
