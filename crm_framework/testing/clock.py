"""The time, held still in tests."""

from contextlib import AbstractContextManager
from datetime import datetime

from crm_framework.storage import clock


def frozen(at: datetime) -> AbstractContextManager[None]:
    """Holds `now()`, and so every moment that is written, at the aware moment `at` inside the block.

    with frozen(datetime(2026, 1, 31, tzinfo=UTC)):
        await client.data("mutation { … }")
    """
    return clock.frozen(at)
