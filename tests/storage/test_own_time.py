"""A coroutine's own time on the event loop, by a clock that only its steps move on."""

import asyncio

import pytest

from crm_framework.storage import own_time
from crm_framework.storage.own_time import OwnTime


class Clock:
    """Stands for `time` in the module."""

    def __init__(self) -> None:
        self.at = 0.0

    def perf_counter(self) -> float:
        return self.at


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(own_time, "time", clock)
    return clock


async def test_only_its_own_steps_count(clock: Clock) -> None:
    async def work() -> None:
        clock.at += 2
        await asyncio.sleep(0)
        clock.at += 5
        await asyncio.sleep(0)
        clock.at += 1

    async def another() -> None:
        clock.at += 100

    timed = OwnTime(work())
    await asyncio.gather(asyncio.wait_for(timed, None), another(), another())
    assert (timed.spent, timed.longest, clock.at) == (8, 5, 208)


async def test_what_is_raised_passes_both_ways(clock: Clock) -> None:
    answered: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            clock.at += 3
            answered.append("cancelled")
            await asyncio.sleep(0)
            raise ValueError("not now") from None

    timed = OwnTime(work())
    task = asyncio.ensure_future(timed)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(ValueError, match="not now"):
        await task
    assert (answered, timed.longest) == (["cancelled"], 3)
