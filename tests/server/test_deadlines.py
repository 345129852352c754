import asyncio

import pytest

from crm_framework.server.deadlines import Deadlines


async def test_what_takes_too_long_is_ended() -> None:
    deadlines = Deadlines(0.02)
    with pytest.raises(TimeoutError), deadlines.begin() as deadline:
        await asyncio.sleep(5)
    assert deadline.expired
    await asyncio.sleep(0)  # nothing of the cancellation is left
    assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]  # a test is a task


async def test_what_ends_in_time_is_left_alone() -> None:
    deadlines = Deadlines(0.02)
    with deadlines.begin() as deadline:
        await asyncio.sleep(0)
    await asyncio.sleep(0.05)
    assert not deadline.expired


async def test_each_has_its_own_time() -> None:
    deadlines = Deadlines(0.1)
    ended: list[str] = []

    async def work(name: str, before: float, takes: float) -> None:
        await asyncio.sleep(before)
        try:
            with deadlines.begin():
                await asyncio.sleep(takes)
            ended.append(name)
        except TimeoutError:
            ended.append(f"{name} late")

    await asyncio.gather(work("a", 0, 5), work("b", 0.06, 0.07), work("c", 0.02, 5), work("d", 0.25, 5))
    assert ended == ["a late", "c late", "b", "d late"]


async def test_a_time_out_of_others_is_passed_on() -> None:
    with pytest.raises(TimeoutError, match="of the driver"), Deadlines(5).begin() as deadline:
        raise TimeoutError("of the driver")
    assert not deadline.expired


async def test_a_cancellation_by_others_stays_one() -> None:
    deadlines = Deadlines(0.02)

    async def work() -> None:
        with deadlines.begin():
            await asyncio.sleep(5)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    both = asyncio.create_task(work())
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_later(0.02, both.cancel)
    await asyncio.wait([both])
    assert both.cancelled() or isinstance(both.exception(), TimeoutError)


async def test_an_exception_that_answers_the_cancellation_is_kept() -> None:
    with pytest.raises(ValueError, match="cleaned up"), Deadlines(0.01).begin() as deadline:
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            raise ValueError("cleaned up") from None
    assert deadline.expired


def test_one_after_another_loop() -> None:
    deadlines = Deadlines(0.02)

    async def work() -> None:
        with deadlines.begin():
            await asyncio.sleep(5)

    for _ in range(2):
        with pytest.raises(TimeoutError):
            asyncio.run(work())
