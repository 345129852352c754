"""What several tables have."""

from typing import Any

from tortoise import fields

from crm_framework import new_id


def key() -> Any:
    return fields.UUIDField(primary_key=True, default=new_id)
