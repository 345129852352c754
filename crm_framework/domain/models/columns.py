"""Columns that tables of the core have in common."""

from typing import Any

from tortoise import fields

from crm_framework.storage.ids import new_id


def key() -> Any:
    return fields.UUIDField(primary_key=True, default=new_id)


def created() -> Any:
    return fields.DatetimeField(description="set by the unit of work, UTC")
