"""The fit of all models: reads every purchase, fits, and writes what the models say of each customer.

It may be killed anywhere: until all is written the earlier models hold, and the next fit removes what is
left.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Protocol

from crm_analytics.settings import AnalyticsSettings
from crm_framework import CrmError, ErrorCode, JobRun, Reader, UnitOfWork

from . import store
from .backtest import BackTest, back_test
from .fitting import Fitted, fitted
from .histories import History, pages
from .scoring import Horizon, Score, score

AT_ONCE = 1000
"""Customers whose predictions are written in one transaction."""


class Run(Protocol):
    """What a job and a command have in common."""

    @property
    def settings(self) -> Any: ...
    @property
    def reader(self) -> Reader: ...
    @property
    def now(self) -> datetime: ...

    def unit_of_work(self) -> AbstractAsyncContextManager[UnitOfWork]: ...


Progress = Callable[[str, int, int], None]
"""What is being done, how much of it, and of how much."""


@dataclass(frozen=True)
class Refitted:
    """A currency's new models, and how many customers they say something of."""

    currency: str
    model: Fitted
    test: BackTest | str
    predictions: int


async def fit_job(job: JobRun) -> None:
    """The job `analytics.fit`; its payload may name the last day: `{"through": "2024-06-30"}`."""
    through = job.payload.get("through")
    await refit(job, None if through is None else date.fromisoformat(through))


async def refit(
    run: Run, through: date | None = None, progress: Progress = lambda what, done, of: None
) -> list[Refitted]:
    """Fits the models of every currency to what was bought to the end of `through`, yesterday if left out.

    BAD_INPUT for a day that is not over yet.
    """
    yesterday = run.now.date() - timedelta(days=1)
    if through is None:
        through = yesterday
    if through > yesterday:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"{through} is not over yet (in UTC).",
            path=("through",),
            hint=f"Take {yesterday} or an earlier day.",
        )
    histories = await _read(run.reader, through, progress)
    main = _main_currencies(histories)
    last = through.toordinal()
    horizon = horizon_of(run.settings)
    results: list[Refitted] = []
    keys: list[str] = []
    for done, (currency, known) in enumerate(sorted(histories.items())):
        progress("currencies fitted", done, len(histories))
        model, test = await asyncio.to_thread(_models, known, last)
        async with run.unit_of_work() as tx:
            keys.append(store.begin(tx, currency, through, model, test, horizon))
        written = await _write(run, keys[-1], currency, known, model, main, last, horizon, progress)
        results.append(Refitted(currency, model, test, written))
    progress("currencies fitted", len(histories), len(histories))
    if keys:
        async with run.unit_of_work() as tx:
            await store.complete(tx, keys)
    return results


def _models(known: Sequence[History], last: int) -> tuple[Fitted, BackTest | str]:
    return fitted(known, last), back_test(known, last)


def horizon_of(settings: AnalyticsSettings) -> Horizon:
    return Horizon(settings.horizon_days, settings.value_days, settings.discount_percent / 100)


async def _read(reader: Reader, through: date, progress: Progress) -> dict[str, list[History]]:
    [counted] = await reader.fetch(
        "SELECT COUNT(*) AS n FROM crm_customer WHERE merged_into_id IS NULL AND erased_at IS NULL"
    )
    histories: dict[str, list[History]] = defaultdict(list)
    done = 0
    async for looked_at, page in pages(reader, through):
        for currency, history in page:
            histories[currency].append(history)
        done += looked_at
        progress("customers read", done, max(done, counted["n"]))
    return histories


def _main_currencies(histories: Mapping[str, Sequence[History]]) -> dict[str, str]:
    """Customer → the currency in which he buys on most days; the first by name, of several."""
    most: dict[str, tuple[int, str]] = {}
    for currency, known in sorted(histories.items()):
        for history in known:
            days = len(history.days)
            if days > most.get(history.customer_id, (0, ""))[0]:
                most[history.customer_id] = (days, currency)
    return {customer: currency for customer, (_, currency) in most.items()}


async def _write(
    run: Run,
    key: str,
    currency: str,
    histories: Sequence[History],
    model: Fitted,
    main: Mapping[str, str],
    last: int,
    horizon: Horizon,
    progress: Progress,
) -> int:
    if model.purchases is None:
        return 0
    purchases, values = model.purchases.parameters, model.values.parameters if model.values else None

    def scores(some: Sequence[History]) -> dict[str, tuple[Score, bool]]:
        return {
            each.customer_id: (
                score(each, last, purchases, values, horizon),
                main[each.customer_id] == currency,
            )
            for each in some
        }

    written = 0
    for start in range(0, len(histories), AT_ONCE):
        some = histories[start : start + AT_ONCE]
        found = await asyncio.to_thread(scores, some)
        async with run.unit_of_work() as tx:
            written += await store.put(tx, key, currency, found)
        progress(f"{currency} predictions written", start + len(some), len(histories))
    return written
