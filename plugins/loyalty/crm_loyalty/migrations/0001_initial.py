from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    initial = True

    dependencies = [("crm", "0001_initial")]

    operations = [
        ops.CreateModel(
            name="Program",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("version", fields.IntField(db_default=1)),
                ("name", fields.CharField(unique=True, max_length=200)),
                ("currency", fields.CharField(max_length=3)),
                ("points_per_unit", fields.IntField()),
                ("active", fields.BooleanField(db_default=True)),
                ("created_at", fields.DatetimeField()),
            ],
            options={"table": "loyalty_program"},
        ),
        ops.CreateModel(
            name="Account",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                (
                    "program",
                    fields.ForeignKeyField(
                        "loyalty.Program",
                        related_name="accounts",
                        on_delete=fields.RESTRICT,
                    ),
                ),
                (
                    "customer",
                    fields.ForeignKeyField(
                        "crm.Customer",
                        null=True,
                        db_index=True,
                        related_name="loyalty_accounts",
                        on_delete=fields.RESTRICT,
                    ),
                ),
                ("balance", fields.BigIntField(db_default=0)),
                ("lifetime", fields.BigIntField(db_default=0)),
                ("created_at", fields.DatetimeField()),
                ("updated_at", fields.DatetimeField()),
            ],
            options={"table": "loyalty_account", "unique_together": (("program_id", "customer_id"),)},
        ),
        ops.CreateModel(
            name="Entry",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                (
                    "program",
                    fields.ForeignKeyField(
                        "loyalty.Program",
                        related_name="entries",
                        on_delete=fields.RESTRICT,
                    ),
                ),
                (
                    "account",
                    fields.ForeignKeyField(
                        "loyalty.Account",
                        related_name="entries",
                        on_delete=fields.RESTRICT,
                    ),
                ),
                ("kind", fields.CharField(max_length=24)),
                ("points", fields.BigIntField()),
                ("amount_minor", fields.BigIntField(null=True)),
                ("source_key", fields.CharField(max_length=200)),
                (
                    "corrects",
                    fields.ForeignKeyField(
                        "loyalty.Entry",
                        null=True,
                        db_index=True,
                        related_name="corrections",
                        on_delete=fields.RESTRICT,
                    ),
                ),
                ("reason", fields.CharField(null=True, max_length=500)),
                ("at", fields.DatetimeField()),
                ("created_at", fields.DatetimeField()),
            ],
            options={
                "table": "loyalty_entry",
                "unique_together": (("program_id", "source_key"),),
                "indexes": (("account_id", "at", "id"),),
            },
        ),
    ]
