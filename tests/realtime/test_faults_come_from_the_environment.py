"""Faults of the gateway's process: off unless asked for, and never misspelt in silence."""

import pytest

from local.gateway.realtime import Faults
from local.gateway.realtime.faults import ENVIRONMENT


def test_without_the_variable_every_delivery_leaves_once_and_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    faults = Faults.from_environment()
    assert [list(faults.deliveries()) for _ in range(100)] == [[0.0]] * 100
    assert not any(faults.kills() for _ in range(100))


def test_the_variable_names_fractions_and_a_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, "drop=0.3,duplicate=0.3,delay=0.5,seconds=0.1,kill=0.1,seed=7")
    first, second = Faults.from_environment(), Faults.from_environment()
    deliveries = [list(first.deliveries()) for _ in range(1000)]
    assert deliveries == [list(second.deliveries()) for _ in range(1000)]
    copies = [len(each) for each in deliveries]
    assert 250 < copies.count(0) < 350
    assert 160 < copies.count(2) < 260
    assert max(seconds for each in deliveries for seconds in each) <= 0.1


@pytest.mark.parametrize("text", ["drops=0.3", "drop=much", "drop"])
def test_a_misspelt_fault_is_an_error(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(ENVIRONMENT, text)
    with pytest.raises(ValueError):
        Faults.from_environment()
