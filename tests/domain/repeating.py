"""Changes as mutations make them."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from crm_framework.storage.database import Database
from crm_framework.storage.gathered import Outdated
from crm_framework.storage.unit_of_work import UnitOfWork

T = TypeVar("T")


async def repeatably(database: Database, change: Callable[[UnitOfWork], Awaitable[T]]) -> T:
    """What the change gives; it is made once more where too much was assumed."""
    try:
        async with database.unit_of_work(repeatable=True) as tx:
            return await change(tx)
    except Outdated:
        async with database.unit_of_work() as tx:
            return await change(tx)
