"""Columns that most tables have."""

from typing import Any

from tortoise import fields

from crm_framework import new_id


def key() -> Any:
    return fields.UUIDField(primary_key=True, default=new_id)


def customer(related_name: str) -> Any:
    return fields.ForeignKeyField("crm.Customer", related_name=related_name, on_delete=fields.RESTRICT)


def channel() -> Any:
    return fields.CharField(max_length=40, default="", db_default="", description="empty where none is known")


def currency() -> Any:
    return fields.CharField(max_length=3, description="ISO 4217")
