from tortoise import fields, migrations
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint

from crm_framework.storage.migration.operations import DialectSQL, PostgresExtension

SEARCH_SQLITE = [
    # Full-text rows need an integer that never changes; the rowid of crm_customer may, on VACUUM.
    "CREATE TABLE crm_customer_search_key (number INTEGER PRIMARY KEY, customer_id CHAR(36) NOT NULL UNIQUE)",
    "CREATE VIEW crm_customer_search_text AS SELECT k.number, c.search_text"
    " FROM crm_customer_search_key k JOIN crm_customer c ON c.id = k.customer_id",
    "CREATE VIRTUAL TABLE crm_customer_search USING fts5(search_text,"
    " content='crm_customer_search_text', content_rowid='number',"
    " tokenize='unicode61 remove_diacritics 0', prefix='2 3')",
    "CREATE TRIGGER crm_customer_search_insert AFTER INSERT ON crm_customer BEGIN"
    " INSERT INTO crm_customer_search_key (customer_id) VALUES (new.id);"
    " INSERT INTO crm_customer_search (rowid, search_text)"
    " SELECT number, new.search_text FROM crm_customer_search_key WHERE customer_id = new.id;"
    " END",
    "CREATE TRIGGER crm_customer_search_update AFTER UPDATE OF search_text ON crm_customer"
    " WHEN old.search_text IS NOT new.search_text BEGIN"
    " INSERT INTO crm_customer_search (crm_customer_search, rowid, search_text)"
    " SELECT 'delete', number, old.search_text FROM crm_customer_search_key WHERE customer_id = old.id;"
    " INSERT INTO crm_customer_search (rowid, search_text)"
    " SELECT number, new.search_text FROM crm_customer_search_key WHERE customer_id = new.id;"
    " END",
    "CREATE TRIGGER crm_customer_search_delete BEFORE DELETE ON crm_customer BEGIN"
    " INSERT INTO crm_customer_search (crm_customer_search, rowid, search_text)"
    " SELECT 'delete', number, old.search_text FROM crm_customer_search_key WHERE customer_id = old.id;"
    " DELETE FROM crm_customer_search_key WHERE customer_id = old.id;"
    " END",
]
SEARCH_POSTGRES = [
    "CREATE INDEX crm_customer_search ON crm_customer USING gin (to_tsvector('simple', search_text))",
    "CREATE INDEX crm_customer_similar ON crm_customer USING gin (sort_name gin_trgm_ops)",
]
ONE_PRIMARY = (
    "CREATE UNIQUE INDEX crm_contact_point_primary"
    " ON crm_contact_point (customer_id, channel) WHERE is_primary"
)

# Nearly all customers are nobody's loser. An index over all of them would tempt SQLite, which knows no
# frequencies, to look for the others by it, and go through every customer for one.
LOSERS = (
    "CREATE INDEX crm_customer_merged_into ON crm_customer (merged_into_id) WHERE merged_into_id IS NOT NULL"
)

# The order by conversion; and as it holds just the customers that there are, they are counted by it. SQLite
# looks at the condition's column once more for each, and would read every customer if the index had it not.
CONVERTED = (
    "CREATE INDEX crm_customer_converted"
    " ON crm_customer (converted_at, id, merged_into_id) WHERE merged_into_id IS NULL"
)

# What must be over before an event is read: see storage/stream.py. It is part of the INSERT that there is.
STREAM_POSTGRES = [
    "CREATE SEQUENCE crm_event_shift MINVALUE 0",
    "ALTER TABLE crm_event ALTER COLUMN horizon SET DEFAULT"
    " GREATEST(pg_current_xact_id()::text::bigint, pg_snapshot_xmax(pg_current_snapshot())::text::bigint - 1)"
    " + COALESCE(pg_sequence_last_value('crm_event_shift'::regclass), 0)",
    "CREATE INDEX crm_event_stream ON crm_event (horizon, position)",
]
AUDIT_ERASED = "CREATE INDEX crm_audit_erased ON crm_audit (erased_by, id) WHERE erased_by IS NOT NULL"
AUDIT_STAYS = (
    *("id", "at", "actor_kind", "actor_id", "token_id", "request_id", "action", "subject_type"),
    *("subject_id", "customer_id", "reason", "digest"),
)
APPEND_ONLY = "The audit log is append-only: its rows are neither changed nor removed."
AUDIT_GUARD_SQLITE = [
    "CREATE TRIGGER crm_audit_guard_delete BEFORE DELETE ON crm_audit"
    f" BEGIN SELECT RAISE(ABORT, '{APPEND_ONLY}'); END",
    "CREATE TRIGGER crm_audit_guard_update BEFORE UPDATE ON crm_audit"
    " WHEN old.erased_by IS NOT NULL OR new.erased_by IS NULL OR new.salt IS NOT NULL"
    f" OR {' OR '.join(f'new.{name} IS NOT old.{name}' for name in AUDIT_STAYS)}"
    f" BEGIN SELECT RAISE(ABORT, '{APPEND_ONLY}'); END",
    *(
        f"CREATE TRIGGER crm_audit_chain_guard_{event.lower()} BEFORE {event} ON crm_audit_chain"
        f" BEGIN SELECT RAISE(ABORT, '{APPEND_ONLY}'); END"
        for event in ("DELETE", "UPDATE")
    ),
    # INSERT OR REPLACE removes the row that is there, and no trigger for DELETE sees it
    "CREATE TRIGGER crm_audit_guard_insert BEFORE INSERT ON crm_audit"
    " WHEN EXISTS (SELECT 1 FROM crm_audit WHERE id = new.id)"
    f" BEGIN SELECT RAISE(ABORT, '{APPEND_ONLY}'); END",
    "CREATE TRIGGER crm_audit_chain_guard_insert BEFORE INSERT ON crm_audit_chain"
    " WHEN EXISTS (SELECT 1 FROM crm_audit_chain WHERE position = new.position)"
    " OR EXISTS (SELECT 1 FROM crm_audit_chain WHERE entry_id = new.entry_id)"
    f" BEGIN SELECT RAISE(ABORT, '{APPEND_ONLY}'); END",
]
AUDIT_GUARD_POSTGRES = [
    f"CREATE FUNCTION crm_audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$"
    f" BEGIN RAISE EXCEPTION '{APPEND_ONLY}' USING ERRCODE = 'restrict_violation'; END $$",
    "CREATE TRIGGER crm_audit_guard_update BEFORE UPDATE ON crm_audit FOR EACH ROW"
    " WHEN (old.erased_by IS NOT NULL OR new.erased_by IS NULL OR new.salt IS NOT NULL"
    f" OR {' OR '.join(f'new.{name} IS DISTINCT FROM old.{name}' for name in AUDIT_STAYS)})"
    " EXECUTE FUNCTION crm_audit_refuse()",
    "CREATE TRIGGER crm_audit_guard_delete BEFORE DELETE OR TRUNCATE ON crm_audit"
    " FOR EACH STATEMENT EXECUTE FUNCTION crm_audit_refuse()",
    "CREATE TRIGGER crm_audit_chain_guard BEFORE UPDATE OR DELETE OR TRUNCATE ON crm_audit_chain"
    " FOR EACH STATEMENT EXECUTE FUNCTION crm_audit_refuse()",
]

# What waits under a key is there once: deferring it again moves it.
WAITING_KEY = (
    "CREATE UNIQUE INDEX crm_job_waiting_key"
    " ON crm_job (name, key_text) WHERE status = 'WAITING' AND key_text IS NOT NULL"
)


class Migration(migrations.Migration):
    initial = True

    operations = [
        ops.CreateModel(
            name="AttributeDefinition",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("version", fields.IntField(db_default=1)),
                ("name", fields.CharField(unique=True, max_length=100)),
                ("type", fields.CharField(max_length=24)),
                ("choices", fields.JSONField(null=True)),
                ("required", fields.BooleanField(db_default=False)),
                ("description", fields.CharField(null=True, max_length=500)),
                ("created_at", fields.DatetimeField()),
            ],
            options={"table": "crm_attribute_definition"},
        ),
        ops.CreateModel(
            name="AuditEntry",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("at", fields.DatetimeField()),
                ("actor_kind", fields.CharField(max_length=24)),
                ("actor_id", fields.CharField(null=True, max_length=100)),
                ("actor_name", fields.CharField(max_length=200)),
                ("token_id", fields.UUIDField(null=True)),
                ("request_id", fields.CharField(null=True, max_length=64)),
                ("action", fields.CharField(max_length=100)),
                ("subject_type", fields.CharField(max_length=60)),
                ("subject_id", fields.CharField(max_length=100)),
                ("customer_id", fields.UUIDField(null=True)),
                ("reason", fields.CharField(null=True, max_length=500)),
                ("changes", fields.TextField()),
                ("salt", fields.BinaryField(null=True)),
                ("digest", fields.BinaryField()),
                ("erased_by", fields.UUIDField(null=True)),
                ("erased_digest", fields.BinaryField(null=True)),
            ],
            options={
                "table": "crm_audit",
                "indexes": (("subject_type", "subject_id", "id"), ("customer_id", "id")),
            },
        ),
        ops.CreateModel(
            name="AuditLink",
            fields=[
                ("position", fields.BigIntField(primary_key=True, generated=False)),
                ("entry_id", fields.UUIDField(unique=True)),
                ("digest", fields.BinaryField()),
                ("hash", fields.BinaryField()),
                ("key_id", fields.CharField(null=True, max_length=16)),
            ],
            options={"table": "crm_audit_chain"},
        ),
        ops.AddConstraint(
            "AuditLink",
            CheckConstraint(
                name="crm_audit_chain_position",
                check="position > 0 AND position = CAST(position AS BIGINT)",
            ),
        ),
        ops.CreateModel(
            name="ContactRule",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("version", fields.IntField(db_default=1)),
                ("channel", fields.CharField(null=True, unique=True, max_length=40)),
                ("max_touches", fields.IntField(null=True)),
                ("window_hours", fields.IntField(null=True)),
                ("quiet_from", fields.CharField(null=True, max_length=5)),
                ("quiet_until", fields.CharField(null=True, max_length=5)),
                ("rest_hours", fields.IntField(null=True)),
                ("created_at", fields.DatetimeField()),
                ("updated_at", fields.DatetimeField()),
            ],
            options={"table": "crm_contact_rule"},
        ),
        ops.CreateModel(
            name="ErasureReceipt",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("customer_id", fields.UUIDField()),
                ("erased_at", fields.DatetimeField()),
                ("actor_name", fields.CharField(max_length=200)),
                ("reason", fields.CharField(null=True, max_length=500)),
                ("counts", fields.JSONField()),
            ],
            options={"table": "crm_erasure", "indexes": (("customer_id",),)},
        ),
        ops.CreateModel(
            name="IdempotencyRecord",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("actor", fields.CharField(max_length=140)),
                ("operation", fields.CharField(max_length=100)),
                ("key_text", fields.CharField(max_length=200)),
                ("fingerprint", fields.CharField(max_length=64)),
                ("result", fields.JSONField()),
                ("created_at", fields.DatetimeField()),
            ],
            options={"table": "crm_idempotency", "unique_together": (("actor", "operation", "key_text"),)},
        ),
        ops.CreateModel(
            name="StoredJob",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("name", fields.CharField(max_length=140)),
                ("key_text", fields.CharField(null=True, max_length=200)),
                ("payload", fields.JSONField()),
                ("status", fields.CharField(max_length=24)),
                ("run_at", fields.DatetimeField()),
                ("attempts", fields.IntField()),
                ("cancelled", fields.BooleanField(db_default=False)),
                ("lease", fields.UUIDField(null=True)),
                ("leased_by", fields.CharField(null=True, max_length=200)),
                ("leased_until", fields.DatetimeField(null=True)),
                ("error", fields.TextField(null=True)),
                ("created_at", fields.DatetimeField()),
                ("started_at", fields.DatetimeField(null=True)),
                ("finished_at", fields.DatetimeField(null=True)),
                ("trace", fields.CharField(null=True, max_length=55)),
            ],
            options={
                "table": "crm_job",
                "indexes": (("status", "run_at", "id"), ("status", "finished_at"), ("name", "id")),
            },
        ),
        ops.CreateModel(
            name="Schedule",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("name", fields.CharField(unique=True, max_length=140)),
                ("cron", fields.CharField(max_length=200)),
                ("time_zone", fields.CharField(max_length=64)),
                ("next_at", fields.DatetimeField()),
                ("last_at", fields.DatetimeField(null=True)),
            ],
            options={"table": "crm_schedule"},
        ),
        ops.CreateModel(
            name="OutboxEvent",
            fields=[
                ("position", fields.BigIntField(primary_key=True, generated=True)),
                ("id", fields.UUIDField(unique=True)),
                ("horizon", fields.BigIntField(db_default=0)),
                ("type", fields.CharField(max_length=100)),
                ("customer_id", fields.UUIDField(null=True)),
                ("payload", fields.JSONField()),
                ("created_at", fields.DatetimeField()),
                ("trace", fields.CharField(null=True, max_length=55)),
            ],
            options={"table": "crm_event", "indexes": (("customer_id", "position"),)},
        ),
        DialectSQL(sqlite=[], postgres=STREAM_POSTGRES),
        ops.CreateModel(
            name="Delivery",
            fields=[
                ("position", fields.BigIntField(primary_key=True, generated=True)),
                ("id", fields.UUIDField(unique=True)),
                (
                    "event",
                    fields.ForeignKeyField("crm.OutboxEvent", to_field="id", on_delete=fields.RESTRICT),
                ),
                ("handler", fields.CharField(max_length=100)),
                ("customer_id", fields.UUIDField(null=True)),
                ("status", fields.CharField(max_length=24)),
                ("attempts", fields.IntField()),
                ("tried_at", fields.DatetimeField(null=True)),
                ("next_at", fields.DatetimeField()),
                ("error", fields.TextField(null=True)),
            ],
            options={
                "table": "crm_delivery",
                "unique_together": (("event_id", "handler"),),
                "indexes": (("handler", "status", "next_at"), ("customer_id", "handler")),
            },
        ),
        ops.CreateModel(
            name="Segment",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("version", fields.IntField(db_default=1)),
                ("name", fields.CharField(unique=True, max_length=200)),
                ("description", fields.CharField(null=True, max_length=1000)),
                ("condition", fields.JSONField()),
                ("created_at", fields.DatetimeField()),
                ("updated_at", fields.DatetimeField()),
            ],
            options={"table": "crm_segment"},
        ),
        ops.CreateModel(
            name="Staff",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("version", fields.IntField(db_default=1)),
                ("name", fields.CharField(max_length=200)),
                ("email", fields.CharField(null=True, unique=True, max_length=320)),
                ("active", fields.BooleanField(db_default=True)),
                ("by_roles", fields.BooleanField(db_default=False)),
                ("away_from", fields.DatetimeField(null=True)),
                ("away_until", fields.DatetimeField(null=True)),
                ("source", fields.CharField(null=True, max_length=100)),
                ("reference", fields.CharField(null=True, max_length=200)),
                ("created_at", fields.DatetimeField()),
                ("updated_at", fields.DatetimeField()),
            ],
            options={"table": "crm_staff", "unique_together": (("source", "reference"),)},
        ),
        ops.CreateModel(
            name="Customer",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("version", fields.IntField(db_default=1)),
                ("kind", fields.CharField(max_length=24)),
                ("stage", fields.CharField(max_length=24)),
                ("name", fields.CharField(max_length=300)),
                ("sort_name", fields.CharField(max_length=300)),
                ("company", fields.CharField(null=True, max_length=300)),
                ("email", fields.CharField(null=True, max_length=320)),
                ("phone", fields.CharField(null=True, max_length=40)),
                ("city", fields.CharField(null=True, max_length=200)),
                ("country", fields.CharField(null=True, max_length=2)),
                (
                    "owner",
                    fields.ForeignKeyField("crm.Staff", null=True, db_index=True, on_delete=fields.RESTRICT),
                ),
                (
                    "backup",
                    fields.ForeignKeyField("crm.Staff", null=True, db_index=True, on_delete=fields.RESTRICT),
                ),
                ("attributes", fields.JSONField()),
                ("locale", fields.CharField(null=True, max_length=35)),
                ("time_zone", fields.CharField(null=True, max_length=64)),
                ("source", fields.CharField(null=True, max_length=100)),
                ("reference", fields.CharField(null=True, max_length=200)),
                ("confidential", fields.BooleanField(db_default=False)),
                ("search_text", fields.TextField()),
                ("created_at", fields.DatetimeField()),
                ("updated_at", fields.DatetimeField()),
                ("converted_at", fields.DatetimeField(null=True)),
                ("returned_at", fields.DatetimeField(null=True)),
                ("former_at", fields.DatetimeField(null=True)),
                ("archived_at", fields.DatetimeField(null=True)),
                ("erased_at", fields.DatetimeField(null=True)),
                (
                    "merged_into",
                    fields.ForeignKeyField("crm.Customer", null=True, on_delete=fields.RESTRICT),
                ),
            ],
            options={
                "table": "crm_customer",
                "unique_together": (("source", "reference"),),
                "indexes": (
                    ("created_at", "id"),
                    ("updated_at", "id"),
                    ("sort_name", "id"),
                    ("stage", "sort_name", "id"),
                    ("stage", "id"),
                    ("city", "sort_name", "id"),
                    ("city", "id"),
                    ("email",),
                    ("phone",),
                ),
            },
        ),
        ops.CreateModel(
            name="ContactPoint",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("customer", fields.ForeignKeyField("crm.Customer", on_delete=fields.RESTRICT)),
                ("channel", fields.CharField(max_length=40)),
                ("value", fields.CharField(max_length=500)),
                ("normalized", fields.CharField(max_length=500)),
                ("label", fields.CharField(null=True, max_length=100)),
                ("address", fields.JSONField(null=True)),
                ("position", fields.IntField(db_default=0)),
                ("is_primary", fields.BooleanField(db_default=False)),
                ("consent", fields.CharField(max_length=24)),
                ("consent_at", fields.DatetimeField(null=True)),
                ("consent_source", fields.CharField(null=True, max_length=200)),
                ("created_at", fields.DatetimeField()),
            ],
            options={
                "table": "crm_contact_point",
                "unique_together": (("customer_id", "channel", "normalized"),),
                "indexes": (("channel", "normalized"),),
            },
        ),
        ops.CreateModel(
            name="CustomerTag",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("customer", fields.ForeignKeyField("crm.Customer", on_delete=fields.RESTRICT)),
                ("tag", fields.CharField(max_length=100)),
            ],
            options={
                "table": "crm_customer_tag",
                "unique_together": (("customer_id", "tag"),),
                "indexes": (("tag", "customer_id"),),
            },
        ),
        ops.CreateModel(
            name="Interaction",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("version", fields.IntField(db_default=1)),
                ("customer", fields.ForeignKeyField("crm.Customer", on_delete=fields.RESTRICT)),
                ("kind", fields.CharField(max_length=40)),
                ("channel", fields.CharField(null=True, max_length=40)),
                ("direction", fields.CharField(null=True, max_length=24)),
                ("subject", fields.CharField(null=True, max_length=500)),
                ("body", fields.TextField(null=True)),
                ("outcome", fields.CharField(null=True, max_length=200)),
                ("sentiment", fields.CharField(null=True, max_length=24)),
                ("occurred_at", fields.DatetimeField()),
                ("duration_seconds", fields.IntField(null=True)),
                (
                    "staff",
                    fields.ForeignKeyField("crm.Staff", null=True, db_index=True, on_delete=fields.RESTRICT),
                ),
                ("follow_up_at", fields.DatetimeField(null=True)),
                (
                    "reply_to",
                    fields.ForeignKeyField(
                        "crm.Interaction", null=True, db_index=True, on_delete=fields.RESTRICT
                    ),
                ),
                ("source", fields.CharField(null=True, max_length=100)),
                ("reference", fields.CharField(null=True, max_length=200)),
                ("total_minor", fields.BigIntField(null=True)),
                ("currency", fields.CharField(null=True, max_length=3)),
                (
                    "refund_of",
                    fields.ForeignKeyField(
                        "crm.Interaction", null=True, db_index=True, on_delete=fields.RESTRICT
                    ),
                ),
                ("created_at", fields.DatetimeField()),
            ],
            options={
                "table": "crm_interaction",
                "unique_together": (("source", "reference"),),
                "indexes": (
                    ("customer_id", "occurred_at", "id"),
                    ("occurred_at", "id"),
                    ("created_at", "id"),
                    ("kind", "occurred_at", "id"),
                    ("kind", "id"),
                    ("follow_up_at", "id"),
                ),
            },
        ),
        ops.CreateModel(
            name="PurchaseLine",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("interaction", fields.ForeignKeyField("crm.Interaction", on_delete=fields.RESTRICT)),
                ("position", fields.IntField()),
                ("sku", fields.CharField(max_length=100)),
                ("name", fields.CharField(null=True, max_length=300)),
                ("category", fields.CharField(null=True, max_length=100)),
                ("quantity", fields.IntField()),
                ("unit_price_minor", fields.BigIntField(null=True)),
                ("amount_minor", fields.BigIntField()),
            ],
            options={
                "table": "crm_purchase_line",
                "unique_together": (("interaction_id", "position"),),
                "indexes": (("sku",),),
            },
        ),
        ops.CreateModel(
            name="Role",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("version", fields.IntField(db_default=1)),
                ("name", fields.CharField(unique=True, max_length=100)),
                ("description", fields.CharField(null=True, max_length=500)),
                ("permissions", fields.JSONField()),
                ("scope", fields.CharField(max_length=24)),
                (
                    "segment",
                    fields.ForeignKeyField(
                        "crm.Segment", null=True, db_index=True, on_delete=fields.RESTRICT
                    ),
                ),
                ("created_at", fields.DatetimeField()),
                ("updated_at", fields.DatetimeField()),
            ],
            options={"table": "crm_role"},
        ),
        ops.CreateModel(
            name="StaffRole",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("staff", fields.ForeignKeyField("crm.Staff", on_delete=fields.RESTRICT)),
                ("role", fields.ForeignKeyField("crm.Role", db_index=True, on_delete=fields.RESTRICT)),
            ],
            options={"table": "crm_staff_role", "unique_together": (("staff_id", "role_id"),)},
        ),
        ops.CreateModel(
            name="Token",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("name", fields.CharField(max_length=200)),
                ("digest", fields.CharField(unique=True, max_length=64)),
                ("hint", fields.CharField(max_length=12)),
                ("kind", fields.CharField(max_length=24)),
                ("permissions", fields.JSONField()),
                (
                    "staff",
                    fields.ForeignKeyField("crm.Staff", null=True, db_index=True, on_delete=fields.RESTRICT),
                ),
                (
                    "customer",
                    fields.ForeignKeyField(
                        "crm.Customer", null=True, db_index=True, on_delete=fields.RESTRICT
                    ),
                ),
                (
                    "segment",
                    fields.ForeignKeyField(
                        "crm.Segment", null=True, db_index=True, on_delete=fields.RESTRICT
                    ),
                ),
                ("tag", fields.CharField(null=True, max_length=100)),
                ("created_at", fields.DatetimeField()),
                ("expires_at", fields.DatetimeField(null=True)),
                ("revoked_at", fields.DatetimeField(null=True)),
                ("last_used_at", fields.DatetimeField(null=True)),
            ],
            options={"table": "crm_token"},
        ),
        ops.CreateModel(
            name="StreamReader",
            fields=[
                ("name", fields.CharField(primary_key=True, max_length=100)),
                ("position", fields.CharField(max_length=60)),
                ("updated_at", fields.DatetimeField()),
            ],
            options={"table": "crm_stream_reader"},
        ),
        ops.CreateModel(
            name="Message",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                (
                    "customer",
                    fields.ForeignKeyField(
                        "crm.Customer", null=True, db_index=True, on_delete=fields.RESTRICT
                    ),
                ),
                ("channel", fields.CharField(max_length=40)),
                ("recipient", fields.CharField(max_length=320)),
                ("subject", fields.CharField(null=True, max_length=500)),
                ("text", fields.TextField()),
                ("headers", fields.JSONField()),
                ("reply_to", fields.CharField(null=True, max_length=320)),
                ("message_id", fields.CharField(max_length=320)),
                ("key_text", fields.CharField(null=True, unique=True, max_length=200)),
                ("state", fields.CharField(max_length=24)),
                ("attempts", fields.IntField()),
                ("sent_by", fields.CharField(null=True, max_length=100)),
                ("error", fields.TextField(null=True)),
                ("created_at", fields.DatetimeField()),
                ("tried_at", fields.DatetimeField(null=True)),
                ("finished_at", fields.DatetimeField(null=True)),
            ],
            options={"table": "crm_message", "indexes": (("state", "finished_at"), ("recipient",))},
        ),
        ops.CreateModel(
            name="Webhook",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("version", fields.IntField(db_default=1)),
                ("url", fields.CharField(max_length=2000)),
                ("description", fields.TextField(null=True)),
                ("types", fields.JSONField()),
                ("condition", fields.JSONField(null=True)),
                ("status", fields.CharField(max_length=24)),
                ("pause_reason", fields.CharField(null=True, max_length=500)),
                ("paused_at", fields.DatetimeField(null=True)),
                ("secret", fields.CharField(max_length=300)),
                ("old_secret", fields.CharField(null=True, max_length=300)),
                ("old_secret_until", fields.DatetimeField(null=True)),
                ("begins", fields.CharField(max_length=60)),
                ("failures", fields.IntField(db_default=0)),
                ("failing_since", fields.DatetimeField(null=True)),
                ("created_at", fields.DatetimeField()),
                ("updated_at", fields.DatetimeField()),
            ],
            options={"table": "crm_webhook"},
        ),
        ops.CreateModel(
            name="WebhookDelivery",
            fields=[
                ("position", fields.BigIntField(generated=True, primary_key=True)),
                ("id", fields.UUIDField(unique=True)),
                ("webhook", fields.ForeignKeyField("crm.Webhook", on_delete=fields.RESTRICT)),
                (
                    "event",
                    fields.ForeignKeyField(
                        "crm.OutboxEvent",
                        to_field="id",
                        null=True,
                        db_index=True,
                        on_delete=fields.RESTRICT,
                    ),
                ),
                ("type", fields.CharField(max_length=100)),
                ("customer_id", fields.UUIDField(null=True)),
                ("status", fields.CharField(max_length=24)),
                ("attempts", fields.IntField()),
                ("next_at", fields.DatetimeField()),
                ("tried_at", fields.DatetimeField(null=True)),
                ("finished_at", fields.DatetimeField(null=True)),
                ("response_status", fields.IntField(null=True)),
                ("response_text", fields.TextField(null=True)),
                ("duration_ms", fields.IntField(null=True)),
                ("error", fields.CharField(null=True, max_length=500)),
                ("created_at", fields.DatetimeField()),
            ],
            options={
                "table": "crm_webhook_delivery",
                "unique_together": (("webhook_id", "event_id"),),
                "indexes": (("webhook_id", "status", "next_at"), ("status", "finished_at"), ("customer_id",)),
            },
        ),
        PostgresExtension("pg_trgm"),
        DialectSQL(sqlite=SEARCH_SQLITE, postgres=SEARCH_POSTGRES),
        DialectSQL(sqlite=[ONE_PRIMARY, LOSERS, CONVERTED], postgres=[ONE_PRIMARY, LOSERS, CONVERTED]),
        DialectSQL(sqlite=[WAITING_KEY], postgres=[WAITING_KEY]),
        DialectSQL(
            sqlite=[AUDIT_ERASED, *AUDIT_GUARD_SQLITE], postgres=[AUDIT_ERASED, *AUDIT_GUARD_POSTGRES]
        ),
    ]
