from tortoise import fields, migrations
from tortoise.migrations import operations as ops

from crm_framework import DialectSQL

COUNTER = "INSERT INTO ticketing_counter (id, last_number) VALUES (1, 0)"
RULEBOOK = "INSERT INTO ticketing_rulebook (id, version) VALUES (1, 0)"


class Migration(migrations.Migration):
    initial = True

    dependencies = [("crm", "0001_initial")]

    operations = [
        ops.CreateModel(
            name="BusinessCalendar",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("version", fields.IntField(db_default=1)),
                ("name", fields.CharField(unique=True, max_length=200)),
                ("number", fields.IntField()),
                ("created_at", fields.DatetimeField()),
                ("updated_at", fields.DatetimeField()),
            ],
            options={"table": "ticketing_calendar"},
        ),
        ops.CreateModel(
            name="CalendarVersion",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("calendar", fields.ForeignKeyField("ticketing.BusinessCalendar", on_delete=fields.RESTRICT)),
                ("number", fields.IntField()),
                ("time_zone", fields.CharField(max_length=60)),
                ("rules", fields.TextField()),
                ("created_at", fields.DatetimeField()),
            ],
            options={"table": "ticketing_calendar_version", "unique_together": (("calendar_id", "number"),)},
        ),
        ops.CreateModel(
            name="Counter",
            fields=[
                ("id", fields.IntField(generated=True, primary_key=True)),
                ("last_number", fields.IntField()),
            ],
            options={"table": "ticketing_counter"},
        ),
        ops.CreateModel(
            name="Policy",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("version", fields.IntField(db_default=1)),
                ("name", fields.CharField(unique=True, max_length=200)),
                ("position", fields.IntField()),
                ("number", fields.IntField()),
                ("active_number", fields.IntField(null=True)),
                ("created_at", fields.DatetimeField()),
                ("updated_at", fields.DatetimeField()),
            ],
            options={"table": "ticketing_policy"},
        ),
        ops.CreateModel(
            name="PolicyVersion",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("policy", fields.ForeignKeyField("ticketing.Policy", on_delete=fields.RESTRICT)),
                ("number", fields.IntField()),
                (
                    "calendar_version",
                    fields.ForeignKeyField(
                        "ticketing.CalendarVersion",
                        db_index=True,
                        on_delete=fields.RESTRICT,
                    ),
                ),
                ("rules", fields.TextField()),
                ("created_at", fields.DatetimeField()),
            ],
            options={"table": "ticketing_policy_version", "unique_together": (("policy_id", "number"),)},
        ),
        ops.CreateModel(
            name="Rulebook",
            fields=[
                ("id", fields.IntField(generated=True, primary_key=True)),
                ("version", fields.IntField()),
            ],
            options={"table": "ticketing_rulebook"},
        ),
        ops.CreateModel(
            name="Team",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("version", fields.IntField(db_default=1)),
                ("name", fields.CharField(unique=True, max_length=200)),
                ("categories", fields.JSONField()),
                ("members", fields.JSONField()),
                ("created_at", fields.DatetimeField()),
            ],
            options={"table": "ticketing_team"},
        ),
        ops.CreateModel(
            name="Ticket",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("version", fields.IntField(db_default=1)),
                ("number", fields.IntField(unique=True)),
                ("customer", fields.ForeignKeyField("crm.Customer", on_delete=fields.RESTRICT)),
                ("subject", fields.CharField(max_length=500)),
                ("category", fields.CharField(max_length=60)),
                ("status", fields.CharField(max_length=24)),
                ("priority", fields.CharField(max_length=24)),
                ("channel", fields.CharField(null=True, max_length=60)),
                ("assignee", fields.ForeignKeyField("crm.Staff", null=True, on_delete=fields.RESTRICT)),
                ("team", fields.ForeignKeyField("ticketing.Team", null=True, on_delete=fields.RESTRICT)),
                ("created_at", fields.DatetimeField()),
                ("updated_at", fields.DatetimeField()),
                ("resolved_at", fields.DatetimeField(null=True)),
                (
                    "policy_version",
                    fields.ForeignKeyField(
                        "ticketing.PolicyVersion",
                        null=True,
                        db_index=True,
                        on_delete=fields.RESTRICT,
                    ),
                ),
                ("clock_at", fields.DatetimeField(null=True)),
                ("due_at", fields.DatetimeField(db_default="9999-12-31 00:00:00.000000+00:00")),
                ("breached_at", fields.DatetimeField(null=True)),
                ("clock_state", fields.CharField(null=True, max_length=24)),
                ("alarms_until", fields.DatetimeField(null=True)),
                ("alarm_at", fields.DatetimeField(null=True)),
            ],
            options={
                "table": "ticketing_ticket",
                "indexes": (
                    ("customer_id", "created_at", "id"),
                    ("status", "created_at", "id"),
                    ("due_at", "id"),
                    ("assignee_id", "due_at", "id"),
                    ("team_id", "due_at", "id"),
                ),
            },
        ),
        ops.CreateModel(
            name="HistoryEntry",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("ticket", fields.ForeignKeyField("ticketing.Ticket", on_delete=fields.RESTRICT)),
                ("at", fields.DatetimeField()),
                ("kind", fields.CharField(max_length=24)),
                ("before", fields.CharField(null=True, max_length=100)),
                ("after", fields.CharField(null=True, max_length=100)),
                ("reference", fields.CharField(null=True, max_length=100)),
                ("detail", fields.JSONField(null=True)),
                ("actor_kind", fields.CharField(max_length=24)),
                ("actor", fields.CharField(null=True, max_length=200)),
                (
                    "staff",
                    fields.ForeignKeyField("crm.Staff", null=True, db_index=True, on_delete=fields.RESTRICT),
                ),
                ("once", fields.CharField(null=True, max_length=120)),
            ],
            options={
                "table": "ticketing_history",
                "unique_together": (("ticket_id", "once"),),
                "indexes": (("ticket_id", "at", "id"),),
            },
        ),
        ops.CreateModel(
            name="Message",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("ticket", fields.ForeignKeyField("ticketing.Ticket", on_delete=fields.RESTRICT)),
                ("author", fields.CharField(max_length=24)),
                ("internal", fields.BooleanField(db_default=False)),
                (
                    "staff",
                    fields.ForeignKeyField("crm.Staff", null=True, db_index=True, on_delete=fields.RESTRICT),
                ),
                ("body", fields.TextField()),
                ("at", fields.DatetimeField()),
            ],
            options={"table": "ticketing_message", "indexes": (("ticket_id", "at", "id"),)},
        ),
        DialectSQL(sqlite=[COUNTER, RULEBOOK], postgres=[COUNTER, RULEBOOK]),
    ]
