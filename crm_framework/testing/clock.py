"""The time in tests: `with frozen(datetime(2024, 1, 1, tzinfo=UTC)):` holds still what everything goes by."""

from crm_framework.storage.clock import frozen

__all__ = ["frozen"]
