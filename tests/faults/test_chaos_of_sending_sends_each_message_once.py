"""A short run of the chaos of sending; `make chaos OF=sending` runs longer."""

import pytest

from tests.faults.history import log
from tests.faults.sending_chaos import chaos
from tests.faults.site import Site

SECONDS = 10.0


@pytest.mark.parametrize("seed", [1, 2])
async def test_each_message_once_at_its_pace_and_its_status_says_so(seed: int, site: Site) -> None:
    report = await chaos(site, SECONDS, seed)
    log.info("%s", report)
    assert not report.faults
    assert report.messages > 20
