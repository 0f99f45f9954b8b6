"""A short run of the chaos; `make chaos` runs longer."""

import pytest

from tests.faults.chaos import chaos
from tests.faults.history import log
from tests.faults.site import Site

SECONDS = 20.0


@pytest.mark.parametrize("seed", [1])
async def test_nothing_is_lost_doubled_or_early(seed: int, site: Site) -> None:
    report = await chaos(site, SECONDS, seed)
    log.info("%s", report)
    assert not report.faults
    assert report.jobs > 500
