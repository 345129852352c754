from tortoise import fields, migrations
from tortoise.migrations import operations as ops

from crm_framework import DialectSQL

# What was recorded before the plugin came is counted here, not on demand: until then all figures would be 0
KEY = {
    "sqlite": (
        "LOWER(HEX(RANDOMBLOB(4)) || '-' || HEX(RANDOMBLOB(2)) || '-4' || SUBSTR(HEX(RANDOMBLOB(2)), 2)"
        " || '-8' || SUBSTR(HEX(RANDOMBLOB(2)), 2) || '-' || HEX(RANDOMBLOB(6)))"
    ),
    "postgres": "gen_random_uuid()",
}
DAY = {
    "sqlite": "DATE(i.occurred_at)",
    "postgres": "CAST(i.occurred_at AT TIME ZONE 'UTC' AS DATE)",
}
OWNER = "CASE WHEN c.erased_at IS NULL THEN i.customer_id END"
DAYS = (
    "INSERT INTO analytics_daily (id, customer_id, day, currency, purchases, refunds, revenue_minor,"
    " refunded_minor, first_purchase_at, last_purchase_at)"
    " SELECT {key}, o.* FROM (SELECT {owner} AS customer_id, {day} AS day, i.currency,"
    " SUM(CASE WHEN i.kind = 'purchase' THEN 1 ELSE 0 END),"
    " SUM(CASE WHEN i.kind = 'refund' THEN 1 ELSE 0 END),"
    " SUM(i.total_minor), SUM(CASE WHEN i.kind = 'refund' THEN -i.total_minor ELSE 0 END),"
    " MIN(CASE WHEN i.kind = 'purchase' THEN i.occurred_at END),"
    " MAX(CASE WHEN i.kind = 'purchase' THEN i.occurred_at END)"
    " FROM crm_interaction AS i JOIN crm_customer AS c ON c.id = i.customer_id"
    " WHERE i.kind IN ('purchase', 'refund') GROUP BY {owner}, {day}, i.currency) AS o"
)
FIGURES = (
    "INSERT INTO analytics_customer (id, customer_id, purchases, refunds, purchase_days, first_purchase_at,"
    " last_purchase_at) SELECT {key}, o.* FROM (SELECT customer_id, SUM(purchases), SUM(refunds),"
    " COUNT(DISTINCT CASE WHEN purchases > 0 THEN day END), MIN(first_purchase_at), MAX(last_purchase_at)"
    " FROM analytics_daily WHERE customer_id IS NOT NULL GROUP BY customer_id) AS o"
)
REVENUE = (
    "INSERT INTO analytics_revenue (id, customer_id, currency, purchases, purchase_days, purchased_minor,"
    " refunded_minor) SELECT {key}, o.* FROM (SELECT customer_id, currency, SUM(purchases),"
    " SUM(CASE WHEN purchases > 0 THEN 1 ELSE 0 END), SUM(revenue_minor + refunded_minor),"
    " SUM(refunded_minor) FROM analytics_daily WHERE customer_id IS NOT NULL"
    " GROUP BY customer_id, currency) AS o"
)


def filled(dialect: str) -> list[str]:
    return [text.format(key=KEY[dialect], day=DAY[dialect], owner=OWNER) for text in (DAYS, FIGURES, REVENUE)]


class Migration(migrations.Migration):
    initial = True

    dependencies = [("crm", "0001_initial")]

    operations = [
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
                ("refunded_minor", fields.BigIntField()),
                ("first_purchase_at", fields.DatetimeField(null=True)),
                ("last_purchase_at", fields.DatetimeField(null=True)),
            ],
            options={
                "table": "analytics_daily",
                "unique_together": (("customer_id", "day", "currency"),),
                "indexes": (("day", "currency"),),
            },
        ),
        ops.CreateModel(
            name="Figures",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("customer", fields.OneToOneField("crm.Customer", on_delete=fields.RESTRICT)),
                ("purchases", fields.IntField(db_default=0)),
                ("refunds", fields.IntField(db_default=0)),
                ("purchase_days", fields.IntField(db_default=0)),
                ("first_purchase_at", fields.DatetimeField(null=True)),
                ("last_purchase_at", fields.DatetimeField(null=True)),
                ("tickets", fields.IntField(null=True)),
                ("points", fields.BigIntField(null=True)),
            ],
            options={"table": "analytics_customer"},
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
            options={
                "table": "analytics_revenue",
                "unique_together": (("customer_id", "currency"),),
            },
        ),
        DialectSQL(sqlite=filled("sqlite"), postgres=filled("postgres")),
    ]
