from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    initial = True

    dependencies = [("crm", "0001_initial")]

    operations = [
        ops.CreateModel(
            name="Activity",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("customer", fields.OneToOneField("crm.Customer", on_delete=fields.RESTRICT)),
                ("tickets", fields.IntField(db_default=0)),
                ("points", fields.BigIntField(db_default=0)),
            ],
            options={"table": "analytics_activity"},
        ),
        ops.CreateModel(
            name="Daily",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("customer", fields.ForeignKeyField("crm.Customer", null=True, on_delete=fields.RESTRICT)),
                ("day", fields.DateField()),
                ("currency", fields.CharField(max_length=3)),
                ("purchases", fields.IntField()),
                ("refunds", fields.IntField()),
                ("revenue_minor", fields.BigIntField()),
            ],
            options={
                "table": "analytics_daily",
                "unique_together": (("customer_id", "day", "currency"),),
                "indexes": (("day", "currency"),),
            },
        ),
    ]
