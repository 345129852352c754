from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("analytics", "0001_initial"), ("crm", "0001_initial")]

    operations = [
        ops.CreateModel(
            name="BasketRule",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("antecedent", fields.CharField(max_length=100)),
                ("antecedent_name", fields.CharField(null=True, max_length=300)),
                ("consequent", fields.CharField(max_length=100)),
                ("consequent_name", fields.CharField(null=True, max_length=300)),
                ("baskets", fields.IntField()),
                ("with_antecedent", fields.IntField()),
                ("with_consequent", fields.IntField()),
                ("with_both", fields.IntField()),
                ("support", fields.FloatField()),
                ("confidence", fields.FloatField()),
                ("lift", fields.FloatField()),
                ("since", fields.DateField()),
                ("found_at", fields.DatetimeField()),
            ],
            options={
                "table": "analytics_rule",
                "unique_together": (("antecedent", "consequent"),),
                "indexes": (("lift", "id"),),
            },
        ),
        ops.CreateModel(
            name="PredictionModel",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("currency", fields.CharField(max_length=3)),
                ("fitted_at", fields.DatetimeField()),
                ("data_through", fields.DateField()),
                ("complete", fields.BooleanField()),
                ("customers", fields.IntField()),
                ("repeaters", fields.IntField()),
                ("r", fields.FloatField(null=True)),
                ("alpha", fields.FloatField(null=True)),
                ("a", fields.FloatField(null=True)),
                ("b", fields.FloatField(null=True)),
                ("log_likelihood", fields.FloatField(null=True)),
                ("p", fields.FloatField(null=True)),
                ("q", fields.FloatField(null=True)),
                ("v", fields.FloatField(null=True)),
                ("value_log_likelihood", fields.FloatField(null=True)),
                ("reason", fields.TextField(null=True)),
                ("detail", fields.TextField()),
            ],
            options={
                "table": "analytics_model",
                "indexes": (("currency", "fitted_at", "id"), ("fitted_at", "id")),
            },
        ),
        ops.CreateModel(
            name="Prediction",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("customer", fields.ForeignKeyField("crm.Customer", on_delete=fields.RESTRICT)),
                ("currency", fields.CharField(max_length=3)),
                (
                    "model",
                    fields.ForeignKeyField(
                        "analytics.PredictionModel",
                        db_index=True,
                        on_delete=fields.RESTRICT,
                    ),
                ),
                ("main", fields.BooleanField()),
                ("repeats", fields.IntField()),
                ("recency_days", fields.IntField()),
                ("age_days", fields.IntField()),
                ("mean_minor", fields.BigIntField(null=True)),
                ("probability_alive", fields.FloatField()),
                ("expected_purchases", fields.FloatField()),
                ("expected_value_minor", fields.BigIntField(null=True)),
                ("clv_minor", fields.BigIntField(null=True)),
            ],
            options={"table": "analytics_prediction", "unique_together": (("customer_id", "currency"),)},
        ),
    ]
