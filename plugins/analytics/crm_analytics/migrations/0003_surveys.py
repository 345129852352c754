from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("analytics", "0002_predictions"), ("crm", "0001_initial")]

    operations = [
        ops.CreateModel(
            name="Survey",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("version", fields.IntField(db_default=1)),
                ("name", fields.CharField(unique=True, max_length=200)),
                ("kind", fields.CharField(max_length=24)),
                ("question", fields.TextField()),
                ("locale", fields.CharField(max_length=35)),
                ("texts", fields.JSONField()),
                ("active_from", fields.DatetimeField()),
                ("active_until", fields.DatetimeField(null=True)),
                ("valid_days", fields.IntField()),
                ("created_at", fields.DatetimeField()),
            ],
            options={"table": "analytics_survey", "indexes": (("created_at", "id"),)},
        ),
        ops.CreateModel(
            name="SurveyRun",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("survey", fields.ForeignKeyField("analytics.Survey", on_delete=fields.RESTRICT)),
                ("channel", fields.CharField(max_length=40)),
                ("customers", fields.IntField()),
                ("created_at", fields.DatetimeField()),
                ("finished_at", fields.DatetimeField(null=True)),
            ],
            options={"table": "analytics_survey_run", "indexes": (("survey_id", "created_at", "id"),)},
        ),
        ops.CreateModel(
            name="Invitation",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("survey", fields.ForeignKeyField("analytics.Survey", on_delete=fields.RESTRICT)),
                ("run", fields.ForeignKeyField("analytics.SurveyRun", on_delete=fields.RESTRICT)),
                ("customer", fields.ForeignKeyField("crm.Customer", null=True, on_delete=fields.RESTRICT)),
                ("asked_id", fields.UUIDField(null=True)),
                ("channel", fields.CharField(max_length=40)),
                ("state", fields.CharField(max_length=24)),
                ("reason", fields.CharField(null=True, max_length=40)),
                ("explanation", fields.TextField(null=True)),
                ("created_at", fields.DatetimeField()),
                ("sent_at", fields.DatetimeField(null=True)),
                ("expires_at", fields.DatetimeField(null=True)),
                ("message_id", fields.UUIDField(null=True, unique=True)),
                ("answered_at", fields.DatetimeField(null=True)),
                ("score", fields.IntField(null=True)),
                ("comment", fields.TextField(null=True)),
                ("interaction_id", fields.UUIDField(null=True)),
            ],
            options={
                "table": "analytics_invitation",
                "unique_together": (("run_id", "asked_id"),),
                "indexes": (
                    ("run_id", "state", "id"),
                    ("survey_id", "created_at", "id"),
                    ("customer_id", "created_at", "id"),
                    ("sent_at", "id"),
                ),
            },
        ),
    ]
