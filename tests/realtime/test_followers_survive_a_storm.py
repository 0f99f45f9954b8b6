"""A short storm; `make storm` is longer, and takes other seeds."""

from pathlib import Path

import pytest

from local import npm
from tests.faults.history import log
from tests.realtime.storm import JAVASCRIPT, storm

SECONDS = 6.0


@pytest.fixture(scope="module")
async def modules() -> Path | None:
    """Without Node.js the followers in Python are alone."""
    try:
        return await npm.install(*JAVASCRIPT)
    except npm.NodeUnavailable as reason:
        log.warning("no followers in JavaScript: %s", reason)
        return None


@pytest.mark.parametrize("seed", [1])
async def test_every_follower_ends_equal_to_the_database(seed: int, modules: Path | None) -> None:
    run = await storm(SECONDS, seed, modules)
    log.info("%s", "\n".join(run.lines))
    assert run.faults == []
    assert run.compared["at the version of the database"] > 50
