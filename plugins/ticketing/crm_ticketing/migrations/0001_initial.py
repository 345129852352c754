from tortoise import fields, migrations
from tortoise.migrations import operations as ops

from crm_framework import DialectSQL

COUNTER = "INSERT INTO ticketing_counter (id, last_number) VALUES (1, 0)"


class Migration(migrations.Migration):
    initial = True

    dependencies = [("crm", "0001_initial")]

    operations = [
        ops.CreateModel(
            name="Counter",
            fields=[
                ("id", fields.IntField(generated=True, primary_key=True)),
                ("last_number", fields.IntField()),
            ],
            options={"table": "ticketing_counter"},
        ),
        ops.CreateModel(
            name="Ticket",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("version", fields.IntField(db_default=1)),
                ("number", fields.IntField(unique=True)),
                (
                    "customer",
                    fields.ForeignKeyField("crm.Customer", related_name="tickets", on_delete=fields.RESTRICT),
                ),
                ("subject", fields.CharField(max_length=500)),
                ("category", fields.CharField(max_length=60)),
                ("status", fields.CharField(max_length=24)),
                ("priority", fields.CharField(max_length=24)),
                (
                    "assignee",
                    fields.ForeignKeyField(
                        "crm.Staff",
                        null=True,
                        db_index=True,
                        related_name="tickets",
                        on_delete=fields.RESTRICT,
                    ),
                ),
                ("created_at", fields.DatetimeField()),
                ("updated_at", fields.DatetimeField()),
                ("resolved_at", fields.DatetimeField(null=True)),
            ],
            options={
                "table": "ticketing_ticket",
                "indexes": (("customer_id", "created_at", "id"), ("status", "created_at", "id")),
            },
        ),
        ops.CreateModel(
            name="Message",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                (
                    "ticket",
                    fields.ForeignKeyField(
                        "ticketing.Ticket",
                        related_name="messages",
                        on_delete=fields.RESTRICT,
                    ),
                ),
                ("author", fields.CharField(max_length=24)),
                (
                    "staff",
                    fields.ForeignKeyField(
                        "crm.Staff",
                        null=True,
                        db_index=True,
                        related_name="ticket_messages",
                        on_delete=fields.RESTRICT,
                    ),
                ),
                ("body", fields.TextField()),
                ("at", fields.DatetimeField()),
            ],
            options={"table": "ticketing_message", "indexes": (("ticket_id", "at", "id"),)},
        ),
        ops.CreateModel(
            name="StatusChange",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                (
                    "ticket",
                    fields.ForeignKeyField(
                        "ticketing.Ticket",
                        related_name="status_changes",
                        on_delete=fields.RESTRICT,
                    ),
                ),
                ("status", fields.CharField(max_length=24)),
                ("at", fields.DatetimeField()),
            ],
            options={"table": "ticketing_status_change", "indexes": (("ticket_id", "at", "id"),)},
        ),
        DialectSQL(sqlite=[COUNTER], postgres=[COUNTER]),
    ]
