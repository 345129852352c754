from tortoise import fields, migrations
from tortoise.migrations import operations as ops

from crm_framework import DialectSQL

# Where something was recorded before the plugin came, the worker counts it in the background
BEGIN = (
    "INSERT INTO analytics_state (id, name, zone, counted_at) VALUES ('00000000-0000-7000-8000-000000000001',"
    " 'rollups', 'UTC', CASE WHEN EXISTS (SELECT 1 FROM crm_interaction) THEN NULL ELSE {now} END)"
)

# On SQLite a pass over all customers is one along an index, in the order of the tags. PostgreSQL passes over
# the short rows as quickly, and its indexes have no room for many tags
ACTIVITY = (
    "CREATE INDEX idx_analytics_activity_all"
    " ON analytics_activity (block, tags, earlier, months, followed, customer_id)"
)


class Migration(migrations.Migration):
    initial = True

    dependencies = [("crm", "0001_initial")]

    operations = [
        ops.CreateModel(
            name="Activity",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("customer", fields.ForeignKeyField("crm.Customer", on_delete=fields.RESTRICT)),
                ("block", fields.IntField()),
                ("tags", fields.TextField()),
                ("earlier", fields.BigIntField()),
                ("months", fields.BigIntField()),
                ("followed", fields.BooleanField()),
            ],
            options={"table": "analytics_activity", "unique_together": (("customer_id", "block"),)},
        ),
        ops.CreateModel(
            name="Answer",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("interaction_id", fields.UUIDField(unique=True)),
                (
                    "customer",
                    fields.ForeignKeyField(
                        "crm.Customer",
                        null=True,
                        db_index=True,
                        on_delete=fields.RESTRICT,
                    ),
                ),
                ("question", fields.CharField(max_length=10)),
                ("score", fields.IntField()),
                ("most", fields.IntField()),
                ("channel", fields.CharField(db_default="", max_length=40)),
                ("answered_at", fields.DatetimeField()),
            ],
            options={"table": "analytics_answer", "indexes": (("question", "answered_at"),)},
        ),
        ops.CreateModel(
            name="Cohorts",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("basis", fields.CharField(max_length=20)),
                ("cohort", fields.DateField()),
                ("month", fields.DateField()),
                ("customers", fields.IntField()),
            ],
            options={"table": "analytics_cohort", "indexes": (("basis", "cohort"),)},
        ),
        ops.CreateModel(
            name="Daily",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("customer", fields.ForeignKeyField("crm.Customer", on_delete=fields.RESTRICT)),
                ("day", fields.DateField()),
                ("channel", fields.CharField(db_default="", max_length=40)),
                ("currency", fields.CharField(max_length=3)),
                ("purchases", fields.IntField()),
                ("refunds", fields.IntField()),
                ("revenue_minor", fields.BigIntField()),
                ("refunded_minor", fields.BigIntField()),
                ("first_purchase_at", fields.DatetimeField(null=True)),
                ("last_purchase_at", fields.DatetimeField(null=True)),
            ],
            options={
                "table": "analytics_daily",
                "unique_together": (("customer_id", "day", "channel", "currency"),),
                "indexes": (("day", "customer_id"),),
            },
        ),
        ops.CreateModel(
            name="Figures",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("customer", fields.OneToOneField("crm.Customer", on_delete=fields.RESTRICT)),
                ("zone", fields.CharField(db_default="UTC", max_length=64)),
                ("counted", fields.IntField(db_default=0)),
                ("purchases", fields.IntField(db_default=0)),
                ("refunds", fields.IntField(db_default=0)),
                ("purchase_days", fields.IntField(db_default=0)),
                ("first_purchase_at", fields.DatetimeField(null=True)),
                ("last_purchase_at", fields.DatetimeField(null=True)),
                ("last_day", fields.DateField(null=True)),
                ("first_month", fields.DateField(null=True)),
                ("last_month", fields.DateField(null=True)),
                ("signup_month", fields.DateField(null=True)),
                ("currency", fields.CharField(null=True, max_length=3)),
                ("net_minor", fields.BigIntField(db_default=0)),
                ("gap_median", fields.FloatField(null=True)),
                ("gap_mean", fields.FloatField(null=True)),
                ("expected_on", fields.DateField(null=True)),
                ("unhappy_at", fields.DatetimeField(null=True)),
                ("tickets", fields.IntField(null=True)),
                ("solved", fields.IntField(null=True)),
                ("points", fields.BigIntField(null=True)),
            ],
            options={
                "table": "analytics_customer",
                "indexes": (
                    ("currency", "last_day", "purchases", "net_minor"),
                    ("currency", "purchases"),
                    ("currency", "net_minor"),
                    ("expected_on",),
                    ("unhappy_at",),
                ),
            },
        ),
        ops.CreateModel(
            name="Freeze",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("segment_id", fields.UUIDField()),
                ("day", fields.DateField()),
            ],
            options={"table": "analytics_freeze", "unique_together": (("segment_id", "day"),)},
        ),
        ops.CreateModel(
            name="Goods",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("month", fields.DateField()),
                ("sku", fields.CharField(max_length=100)),
                ("currency", fields.CharField(max_length=3)),
                ("quantity", fields.BigIntField()),
                ("amount_minor", fields.BigIntField()),
                ("purchases", fields.IntField()),
                ("buyers", fields.IntField()),
            ],
            options={"table": "analytics_goods", "indexes": (("month", "sku"),)},
        ),
        ops.CreateModel(
            name="Membership",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("segment_id", fields.UUIDField()),
                ("day", fields.DateField()),
                ("customer", fields.ForeignKeyField("crm.Customer", on_delete=fields.RESTRICT)),
                ("last_before", fields.SmallIntField(null=True)),
                ("first_from", fields.SmallIntField(null=True)),
            ],
            options={
                "table": "analytics_membership",
                "unique_together": (("segment_id", "day", "customer_id"),),
                "indexes": (("customer_id",), ("segment_id", "day", "last_before", "first_from")),
            },
        ),
        ops.CreateModel(
            name="Month",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("customer", fields.ForeignKeyField("crm.Customer", on_delete=fields.RESTRICT)),
                ("month", fields.DateField()),
                ("channel", fields.CharField(db_default="", max_length=40)),
                ("currency", fields.CharField(max_length=3)),
                ("purchases", fields.IntField()),
                ("refunds", fields.IntField()),
                ("purchased_minor", fields.BigIntField()),
                ("refunded_minor", fields.BigIntField()),
            ],
            options={
                "table": "analytics_month",
                "unique_together": (("customer_id", "month", "channel", "currency"),),
                "indexes": (("customer_id", "month", "purchases"),),
            },
        ),
        ops.CreateModel(
            name="Product",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("customer", fields.ForeignKeyField("crm.Customer", on_delete=fields.RESTRICT)),
                ("month", fields.DateField()),
                ("sku", fields.CharField(max_length=100)),
                ("currency", fields.CharField(max_length=3)),
                ("quantity", fields.BigIntField()),
                ("amount_minor", fields.BigIntField()),
                ("purchases", fields.IntField()),
            ],
            options={
                "table": "analytics_product",
                "unique_together": (("customer_id", "month", "sku", "currency"),),
                "indexes": (("sku", "customer_id"), ("month", "sku")),
            },
        ),
        ops.CreateModel(
            name="Quintiles",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("currency", fields.CharField(unique=True, max_length=20)),
                ("customers", fields.IntField()),
                ("counted_at", fields.DatetimeField()),
                ("recency_1", fields.DateField(null=True)),
                ("recency_2", fields.DateField(null=True)),
                ("recency_3", fields.DateField(null=True)),
                ("recency_4", fields.DateField(null=True)),
                ("frequency_1", fields.IntField(null=True)),
                ("frequency_2", fields.IntField(null=True)),
                ("frequency_3", fields.IntField(null=True)),
                ("frequency_4", fields.IntField(null=True)),
                ("monetary_1", fields.BigIntField(null=True)),
                ("monetary_2", fields.BigIntField(null=True)),
                ("monetary_3", fields.BigIntField(null=True)),
                ("monetary_4", fields.BigIntField(null=True)),
            ],
            options={"table": "analytics_quintile"},
        ),
        ops.CreateModel(
            name="Rate",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("currency", fields.CharField(max_length=3)),
                ("base", fields.CharField(max_length=3)),
                ("valid_from", fields.DateField()),
                ("rate", fields.CharField(max_length=40)),
            ],
            options={"table": "analytics_rate", "unique_together": (("currency", "base", "valid_from"),)},
        ),
        ops.CreateModel(
            name="Revenue",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("customer", fields.ForeignKeyField("crm.Customer", on_delete=fields.RESTRICT)),
                ("currency", fields.CharField(max_length=3)),
                ("purchases", fields.IntField()),
                ("purchase_days", fields.IntField()),
                ("purchased_minor", fields.BigIntField()),
                ("refunded_minor", fields.BigIntField()),
            ],
            options={"table": "analytics_revenue", "unique_together": (("customer_id", "currency"),)},
        ),
        ops.CreateModel(
            name="Sales",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("day", fields.DateField()),
                ("channel", fields.CharField(db_default="", max_length=40)),
                ("currency", fields.CharField(max_length=3)),
                ("purchases", fields.IntField()),
                ("refunds", fields.IntField()),
                ("revenue_minor", fields.BigIntField()),
                ("refunded_minor", fields.BigIntField()),
            ],
            options={"table": "analytics_sales", "indexes": (("day",),)},
        ),
        ops.CreateModel(
            name="State",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("name", fields.CharField(unique=True, max_length=20)),
                ("zone", fields.CharField(max_length=64)),
                ("next_zone", fields.CharField(null=True, max_length=64)),
                ("counted_at", fields.DatetimeField(null=True)),
                ("step", fields.IntField(db_default=0)),
            ],
            options={"table": "analytics_state"},
        ),
        DialectSQL(
            sqlite=[BEGIN.format(now="strftime('%Y-%m-%d %H:%M:%f+00:00', 'now')")],
            postgres=[BEGIN.format(now="now()")],
        ),
        DialectSQL(sqlite=[ACTIVITY], postgres=[]),
    ]
