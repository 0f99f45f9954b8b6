"""What anybody may ask about numbers, in their own role. SQL: *_messaging_numbers.sql."""

from typing import Any

from functions.core.db import Rpc

Json = dict[str, Any]


async def list_numbers(rpc: Rpc, company_id: str | None) -> Any:
    """A numbers_models.NumberList. Raises company_required, company_not_found."""
    return await rpc.call("list_numbers", {"p_company_id": company_id})


async def find_number(
    rpc: Rpc, number_id: str, company_id: str | None, role: str = "viewer"
) -> Json:
    """A number that the caller has this role for. Raises number_not_found, role_required."""
    found: Json = await rpc.call(
        "find_number", {"p_id": number_id, "p_company_id": company_id, "p_min_role": role}
    )
    return found


async def company_to_connect(rpc: Rpc, company_id: str | None) -> str:
    """The company that the caller may connect numbers for. Raises as the SQL function."""
    found: str = await rpc.call("may_connect_numbers", {"p_company_id": company_id})
    return found
