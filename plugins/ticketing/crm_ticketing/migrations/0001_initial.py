from tortoise import fields, migrations
from tortoise.migrations import operations as ops

from crm_framework import DialectSQL

COUNTER = "INSERT INTO ticketing_counter (id, last_number) VALUES (1, 0)"
RULEBOOK = "INSERT INTO ticketing_rulebook (id, version) VALUES (1, 0)"
WORDS_SQLITE = [
    "CREATE VIRTUAL TABLE ticketing_words_index USING fts5(folded, content='ticketing_words',"
    " content_rowid='id', tokenize='unicode61 remove_diacritics 0')",
    "CREATE TRIGGER ticketing_words_insert AFTER INSERT ON ticketing_words BEGIN"
    " INSERT INTO ticketing_words_index (rowid, folded) VALUES (new.id, new.folded);"
    " END",
    "CREATE TRIGGER ticketing_words_delete AFTER DELETE ON ticketing_words BEGIN"
    " INSERT INTO ticketing_words_index (ticketing_words_index, rowid, folded)"
    " VALUES ('delete', old.id, old.folded);"
    " END",
]
WORDS_POSTGRES = [
    "CREATE INDEX ticketing_words_index ON ticketing_words USING gin (to_tsvector('simple', folded))",
]
_URGENCY = "(CASE priority WHEN 'LOW' THEN 0 WHEN 'NORMAL' THEN 1 WHEN 'HIGH' THEN 2 ELSE 3 END)"
URGENCY_SQLITE = [
    f"CREATE INDEX ticketing_urgency ON ticketing_ticket ({_URGENCY}, id)",
    f"CREATE INDEX ticketing_urgency_due ON ticketing_ticket ({_URGENCY} DESC, due_at, id)",
]
URGENCY_POSTGRES = [
    f"CREATE INDEX ticketing_urgency ON ticketing_ticket (CAST({_URGENCY} AS bigint), id)",
    f"CREATE INDEX ticketing_urgency_due ON ticketing_ticket (CAST({_URGENCY} AS bigint) DESC, due_at, id)",
]


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
            name="KnowledgeNote",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("version", fields.IntField(db_default=1)),
                ("name", fields.CharField(unique=True, max_length=200)),
                ("category", fields.CharField(db_index=True, max_length=60)),
                ("body", fields.TextField()),
                ("created_at", fields.DatetimeField()),
                ("updated_at", fields.DatetimeField()),
            ],
            options={"table": "ticketing_knowledge"},
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
            name="ReplyTemplate",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("version", fields.IntField(db_default=1)),
                ("name", fields.CharField(unique=True, max_length=200)),
                ("category", fields.CharField(null=True, max_length=60)),
                ("body", fields.TextField()),
                ("created_at", fields.DatetimeField()),
                ("updated_at", fields.DatetimeField()),
            ],
            options={"table": "ticketing_template"},
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
                ("folded_subject", fields.CharField(db_default="", max_length=500)),
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
                (
                    "merged_into",
                    fields.ForeignKeyField(
                        "ticketing.Ticket",
                        null=True,
                        db_index=True,
                        on_delete=fields.RESTRICT,
                    ),
                ),
                ("attributes", fields.JSONField(db_default="{}")),
                ("clock_at", fields.DatetimeField(null=True)),
                ("due_at", fields.DatetimeField(db_default="9999-12-31 00:00:00.000000+00:00")),
                ("breached_at", fields.DatetimeField(null=True)),
                ("clock_state", fields.CharField(null=True, max_length=24)),
                ("measures", fields.TextField(null=True)),
                ("alarms_until", fields.DatetimeField(null=True)),
                ("alarm_at", fields.DatetimeField(null=True)),
            ],
            options={
                "table": "ticketing_ticket",
                "indexes": (
                    ("customer_id", "created_at", "id"),
                    ("status", "created_at", "id"),
                    ("created_at", "id"),
                    ("updated_at", "id"),
                    ("folded_subject", "id"),
                    ("due_at", "id"),
                    ("breached_at", "customer_id"),
                    ("assignee_id", "due_at", "id"),
                    ("team_id", "due_at", "id"),
                ),
            },
        ),
        ops.CreateModel(
            name="Follower",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("ticket", fields.ForeignKeyField("ticketing.Ticket", on_delete=fields.RESTRICT)),
                (
                    "staff",
                    fields.ForeignKeyField("crm.Staff", null=True, db_index=True, on_delete=fields.RESTRICT),
                ),
                ("at", fields.DatetimeField()),
            ],
            options={"table": "ticketing_follower", "unique_together": (("ticket_id", "staff_id"),)},
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
            name="Link",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("ticket", fields.ForeignKeyField("ticketing.Ticket", on_delete=fields.RESTRICT)),
                (
                    "other",
                    fields.ForeignKeyField("ticketing.Ticket", db_index=True, on_delete=fields.RESTRICT),
                ),
                ("kind", fields.CharField(max_length=24)),
                ("at", fields.DatetimeField()),
            ],
            options={"table": "ticketing_link", "unique_together": (("ticket_id", "other_id", "kind"),)},
        ),
        ops.CreateModel(
            name="Mail",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("message_id", fields.CharField(unique=True, max_length=250)),
                (
                    "ticket",
                    fields.ForeignKeyField(
                        "ticketing.Ticket",
                        null=True,
                        db_index=True,
                        on_delete=fields.RESTRICT,
                    ),
                ),
                ("outcome", fields.CharField(max_length=24)),
                ("at", fields.DatetimeField()),
            ],
            options={"table": "ticketing_mail"},
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
                ("channel", fields.CharField(null=True, max_length=60)),
                ("sender", fields.CharField(null=True, max_length=320)),
                ("rest", fields.TextField(null=True)),
                ("source", fields.CharField(null=True, max_length=100)),
                ("reference", fields.CharField(null=True, max_length=200)),
            ],
            options={
                "table": "ticketing_message",
                "unique_together": (("source", "reference"),),
                "indexes": (("ticket_id", "at", "id"),),
            },
        ),
        ops.CreateModel(
            name="Attachment",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                (
                    "ticket",
                    fields.ForeignKeyField("ticketing.Ticket", db_index=True, on_delete=fields.RESTRICT),
                ),
                (
                    "message",
                    fields.ForeignKeyField("ticketing.Message", db_index=True, on_delete=fields.RESTRICT),
                ),
                ("internal", fields.BooleanField(db_default=False)),
                ("name", fields.CharField(max_length=200)),
                ("media_type", fields.CharField(max_length=120)),
                ("size", fields.BigIntField()),
                ("sha256", fields.CharField(null=True, max_length=64)),
                ("url", fields.CharField(null=True, max_length=2000)),
                ("kept", fields.BooleanField(db_default=False)),
            ],
            options={"table": "ticketing_attachment"},
        ),
        ops.CreateModel(
            name="AttachmentContent",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("attachment", fields.ForeignKeyField("ticketing.Attachment", on_delete=fields.RESTRICT)),
                ("content", fields.BinaryField()),
            ],
            options={"table": "ticketing_attachment_content", "unique_together": (("attachment_id",),)},
        ),
        ops.CreateModel(
            name="Survey",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("ticket", fields.ForeignKeyField("ticketing.Ticket", on_delete=fields.RESTRICT)),
                ("resolution", fields.IntField()),
                (
                    "staff",
                    fields.ForeignKeyField("crm.Staff", null=True, db_index=True, on_delete=fields.RESTRICT),
                ),
                ("created_at", fields.DatetimeField()),
                ("invited_at", fields.DatetimeField(null=True)),
                ("answered_at", fields.DatetimeField(null=True)),
                ("rating", fields.IntField(null=True)),
                ("comment", fields.TextField(null=True)),
            ],
            options={
                "table": "ticketing_survey",
                "unique_together": (("ticket_id", "resolution"),),
                "indexes": (("answered_at", "id"),),
            },
        ),
        ops.CreateModel(
            name="TicketTag",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("ticket", fields.ForeignKeyField("ticketing.Ticket", on_delete=fields.RESTRICT)),
                ("tag", fields.CharField(max_length=100)),
            ],
            options={
                "table": "ticketing_ticket_tag",
                "unique_together": (("ticket_id", "tag"),),
                "indexes": (("tag", "ticket_id"),),
            },
        ),
        ops.CreateModel(
            name="View",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("version", fields.IntField(db_default=1)),
                ("name", fields.CharField(max_length=200)),
                (
                    "owner",
                    fields.ForeignKeyField("crm.Staff", null=True, db_index=True, on_delete=fields.RESTRICT),
                ),
                ("condition", fields.TextField()),
                ("order_by", fields.TextField()),
                ("created_at", fields.DatetimeField()),
                ("updated_at", fields.DatetimeField()),
            ],
            options={"table": "ticketing_view", "indexes": (("name", "id"),)},
        ),
        ops.CreateModel(
            name="Words",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True)),
                (
                    "ticket",
                    fields.ForeignKeyField("ticketing.Ticket", db_index=True, on_delete=fields.RESTRICT),
                ),
                (
                    "message",
                    fields.ForeignKeyField(
                        "ticketing.Message",
                        null=True,
                        db_index=True,
                        on_delete=fields.RESTRICT,
                    ),
                ),
                ("internal", fields.BooleanField(db_default=False)),
                ("folded", fields.TextField()),
            ],
            options={"table": "ticketing_words"},
        ),
        DialectSQL(sqlite=[COUNTER, RULEBOOK], postgres=[COUNTER, RULEBOOK]),
        DialectSQL(sqlite=WORDS_SQLITE, postgres=WORDS_POSTGRES),
        DialectSQL(sqlite=URGENCY_SQLITE, postgres=URGENCY_POSTGRES),
    ]
