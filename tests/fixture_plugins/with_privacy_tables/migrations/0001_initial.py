from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    initial = True

    dependencies = [("crm", "0001_initial")]

    operations = [
        ops.CreateModel(
            name="Note",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                (
                    "customer",
                    fields.ForeignKeyField(
                        "crm.Customer",
                        source_field="customer_id",
                        db_index=True,
                        to_field="id",
                        on_delete=fields.RESTRICT,
                    ),
                ),
                ("text", fields.TextField()),
            ],
            options={"table": "with_privacy_note"},
        ),
    ]
