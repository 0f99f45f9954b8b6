"""What the providers of the chaos of sending do to the next messages of a number."""

from typing import Any

Json = dict[str, Any]


def graph(code: int, status: int = 400, times: int = 1) -> Json:
    error = {"error": {"code": code, "message": f"(#{code})", "fbtrace_id": "A"}}
    return {"fail_times": times, "fail_status": status, "fail_body": error}


def baileys(status: int, said: str, times: int = 1) -> Json:
    body = {"status": status, "error": "x", "response": {"message": [said]}}
    return {"fail_times": times, "fail_status": status, "fail_body": body}


SILENT: Json = {"drop_statuses": True, "drop_echoes": True}
LOST: list[Json] = [
    {"lose_times": 3},
    {"hang_times": 2, "hang_seconds": 1.5},
    {"gateway_times": 2},
    {"anonymous_times": 2},
    {"cut_times": 2},
    {"delay_seconds": 0.3},
    {"delay_seconds": 1.3},  # given up by us, taken afterwards
    {"fail_times": 2, "fail_status": 502, "fail_body": None},
]
BOTH: list[Json] = [
    {},
    {"copies": 3, "shuffle": True},
    {"shuffle": True, "read": False},
    SILENT,
    {"stuck_times": 2},
    *LOST,
    *(lost | SILENT for lost in LOST),
    *(lost | {"copies": 2, "shuffle": True} for lost in LOST),
]
MOODS: dict[str, list[Json]] = {
    "evolution": [
        *BOTH,
        {"lose_times": 3, "drop_statuses": True},
        {"lose_times": 3, "drop_echoes": True},
        {"nack_times": 1, "nack_code": "463"},
        {"nack_times": 3},
        {"cold_lock": True},
        {"zombie": True},
        baileys(400, "Error: Connection Closed", 2),
        baileys(400, "PrismaClientKnownRequestError: Invalid `create()`"),
        baileys(401, "Unauthorized"),
        baileys(500, "TypeError: undefined"),
        {"fail_times": 1, "fail_status": 503, "fail_body": None},
    ],
    "meta": [
        *BOTH,
        *(graph(code, 500, 2) for code in (1, 2, 131000, 131016)),
        *(graph(code, 429, 2) for code in (4, 130429, 80007)),
        *(graph(code) for code in (131056, 131048, 131057, 131049, 190, 131050, 131026, 131009)),
        *({"nack_times": 1, "nack_code": str(code)} for code in (131047, 131026, 131049, 131053)),
    ],
}
