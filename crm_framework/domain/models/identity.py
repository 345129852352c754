"""Who may act: members of staff and tokens."""

from typing import Any

from tortoise import fields
from tortoise.models import Model

from .columns import created, key


class Staff(Model):
    id = key()
    version = fields.IntField(default=1, db_default=1)
    name = fields.CharField(max_length=200)
    email = fields.CharField(max_length=320, null=True, unique=True)
    active = fields.BooleanField(default=True, db_default=True)
    by_roles = fields.BooleanField(
        default=False, db_default=False, description="roles say what they may do, tokens only narrow it"
    )
    away_from = fields.DatetimeField(null=True)
    away_until = fields.DatetimeField(null=True)
    source = fields.CharField(max_length=100, null=True)
    reference = fields.CharField(max_length=200, null=True)
    created_at = created()
    updated_at = created()

    class Meta:
        table = "crm_staff"
        unique_together = (("source", "reference"),)


class Role(Model):
    id = key()
    version = fields.IntField(default=1, db_default=1)
    name = fields.CharField(max_length=100, unique=True)
    description = fields.CharField(max_length=500, null=True)
    permissions: Any = fields.JSONField()
    scope = fields.CharField(max_length=24)
    segment: Any = fields.ForeignKeyField(
        "crm.Segment", related_name="roles", null=True, on_delete=fields.RESTRICT, db_index=True
    )
    created_at = created()
    updated_at = created()

    class Meta:
        table = "crm_role"


class StaffRole(Model):
    id = key()
    staff: Any = fields.ForeignKeyField("crm.Staff", related_name="roles", on_delete=fields.RESTRICT)
    role: Any = fields.ForeignKeyField(
        "crm.Role", related_name="staff", on_delete=fields.RESTRICT, db_index=True
    )

    class Meta:
        table = "crm_staff_role"
        unique_together = (("staff_id", "role_id"),)


class Token(Model):
    id = key()
    name = fields.CharField(max_length=200)
    digest = fields.CharField(max_length=64, unique=True, description="SHA-256 of the token, hexadecimal")
    hint = fields.CharField(max_length=12, description="first characters, to recognise it by")
    kind = fields.CharField(max_length=24)
    permissions: Any = fields.JSONField()
    staff: Any = fields.ForeignKeyField(
        "crm.Staff", related_name="tokens", null=True, on_delete=fields.RESTRICT
    )
    customer: Any = fields.ForeignKeyField(
        "crm.Customer", related_name="tokens", null=True, on_delete=fields.RESTRICT
    )
    segment: Any = fields.ForeignKeyField(
        "crm.Segment", related_name="tokens", null=True, on_delete=fields.RESTRICT, db_index=True
    )
    tag = fields.CharField(max_length=100, null=True, description="whose customers a partner's token is for")
    created_at = created()
    expires_at = fields.DatetimeField(null=True)
    revoked_at = fields.DatetimeField(null=True)
    last_used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "crm_token"
