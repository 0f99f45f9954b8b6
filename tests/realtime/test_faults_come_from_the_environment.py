"""Faults of the gateway's process: off unless asked for, the same for the same seed, and never
misspelt in silence."""

import asyncio

import pytest

from local.gateway.realtime import Faults
from local.gateway.realtime.faults import ENVIRONMENT


async def heard(faults: Faults, topic: str = "realtime:t", count: int = 1000) -> list[str]:
    """What a reader of `count` numbered messages gets; "cut" for each time the socket is cut."""
    got: list[str] = []
    line = faults.line(topic, lambda wire: got.append(str(wire)), lambda: got.append("cut"))
    for number in range(count):
        line.deliver(str(number))
    await asyncio.sleep(faults.seconds)
    return got


async def test_without_the_variable_every_message_arrives_once_and_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    assert await heard(Faults.from_environment()) == [str(number) for number in range(1000)]


async def test_the_variable_names_fractions_and_a_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, "drop=0.3,duplicate=0.3,close=0.1,seconds=0.01,seed=7")
    got = await heard(Faults.from_environment())
    assert 60 < got.count("cut") < 140
    numbers = [number for number in got if number != "cut"]
    assert 570 < len(set(numbers)) < 690
    assert 130 < len(numbers) - len(set(numbers)) < 250


@pytest.mark.parametrize("fault", ["drop", "duplicate", "reorder", "close"])
async def test_the_same_seed_is_the_same_fate_whatever_other_channels_do(fault: str) -> None:
    def asked(seed: int = 7) -> Faults:
        return Faults(**{fault: 0.3, "seed": seed, "seconds": 0.01})

    alone, crowded = asked(), asked()
    first = await heard(alone)
    await heard(crowded, "realtime:other")
    assert await heard(crowded) == first
    assert await heard(asked(seed=8)) != first
    assert await heard(alone) != first  # a later join of the topic is not cut at the same place


async def test_a_reordered_message_leaves_behind_the_next_one() -> None:
    got = await heard(Faults(reorder=1.0, seconds=0.01), count=4)
    assert got == ["1", "0", "3", "2"]
    assert await heard(Faults(reorder=1.0, seconds=0.01), count=1) == ["0"]


async def test_a_delayed_message_arrives_later_and_whole() -> None:
    got = await heard(Faults(delay=0.5, seconds=0.01))
    in_order = [str(number) for number in range(1000)]
    assert got != in_order
    assert sorted(got, key=int) == in_order


@pytest.mark.parametrize("text", ["drops=0.3", "drop=much", "drop", "drop=1.1", "close=-1"])
def test_a_misspelt_fault_is_an_error(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(ENVIRONMENT, text)
    with pytest.raises(ValueError):
        Faults.from_environment()
