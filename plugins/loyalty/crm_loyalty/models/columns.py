"""Columns that several tables have."""

from typing import Any

from tortoise import fields

from crm_framework import new_id


def key() -> Any:
    return fields.UUIDField(primary_key=True, default=new_id)


def to(model: str, name: str, *, null: bool = False, index: bool = False, description: str = "") -> Any:
    """A reference to another table. What is referred to cannot be removed."""
    options: dict[str, Any] = {"null": null, "db_index": index, "description": description or None}
    return fields.ForeignKeyField(model, related_name=name, on_delete=fields.RESTRICT, **options)
