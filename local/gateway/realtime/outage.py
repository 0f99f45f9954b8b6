"""What the driver raises when Postgres is away, going away or coming back."""

import asyncpg

UNREACHABLE = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # of a connection that was cut between two statements
    asyncpg.PostgresConnectionError,
    asyncpg.exceptions.OperatorInterventionError,
)
