from tortoise import fields, migrations
from tortoise.migrations import operations as ops

from crm_framework import DialectSQL

INDEXES = [
    # open lots in the order of spending, and what is due: what is used up is in none of these
    "CREATE INDEX loyalty_lot_open ON loyalty_lot (account_id, expires_at, earned_at, id)"
    " WHERE remaining > 0",
    "CREATE INDEX loyalty_lot_due ON loyalty_lot (expires_at, account_id) WHERE remaining > 0",
    "CREATE INDEX loyalty_pending_open ON loyalty_pending (account_id, unlock_at) WHERE remaining > 0",
    "CREATE INDEX loyalty_pending_due ON loyalty_pending (unlock_at, account_id) WHERE remaining > 0",
    "CREATE INDEX loyalty_entry_qualifying ON loyalty_entry (account_id, at, id)"
    " WHERE qualifying_points <> 0 OR qualifying_minor <> 0",
]
STAYS = (
    *("id", "program_id", "book_id", "seq", "kind", "points", "pending", "deficit", "qualifying_points"),
    *("qualifying_minor", "qualifies_at", "amount_minor", "source_key", "corrects_id", "other_id"),
    *("reason_digest", "shares_digest", "at", "created_at", "digest"),
)
ERASED = ("reason", "reason_salt")
APPEND_ONLY = "The ledger is append-only: its entries are neither changed nor removed."
CHANGED = [
    *(f"new.{name} {{0}} old.{name}" for name in STAYS),
    *(f"(new.{name} IS NOT NULL AND new.{name} {{0}} old.{name})" for name in ERASED),
]
SHARE_STAYS = ("id", "entry_id", "rule_id", "rule_version_id", "day", "points", "because", "created_at")
SHARE_CHANGED = [f"new.{name} {{0}} old.{name}" for name in SHARE_STAYS]
GUARD_SQLITE = [
    f"CREATE TRIGGER loyalty_entry_guard_delete BEFORE DELETE ON loyalty_entry"
    f" BEGIN SELECT RAISE(ABORT, '{APPEND_ONLY}'); END",
    "CREATE TRIGGER loyalty_entry_guard_update BEFORE UPDATE ON loyalty_entry"
    f" WHEN {' OR '.join(CHANGED).format('IS NOT')} BEGIN SELECT RAISE(ABORT, '{APPEND_ONLY}'); END",
    *(
        f"CREATE TRIGGER loyalty_allocation_guard_{event.lower()} BEFORE {event} ON loyalty_allocation"
        f" BEGIN SELECT RAISE(ABORT, '{APPEND_ONLY}'); END"
        for event in ("DELETE", "UPDATE")
    ),
    "CREATE TRIGGER loyalty_share_guard_delete BEFORE DELETE ON loyalty_share"
    f" BEGIN SELECT RAISE(ABORT, '{APPEND_ONLY}'); END",
    "CREATE TRIGGER loyalty_share_guard_update BEFORE UPDATE ON loyalty_share"
    f" WHEN {' OR '.join(SHARE_CHANGED).format('IS NOT')} BEGIN SELECT RAISE(ABORT, '{APPEND_ONLY}'); END",
]
GUARD_POSTGRES = [
    f"CREATE FUNCTION loyalty_entry_refuse() RETURNS trigger LANGUAGE plpgsql AS $$"
    f" BEGIN RAISE EXCEPTION '{APPEND_ONLY}' USING ERRCODE = 'restrict_violation'; END $$",
    "CREATE TRIGGER loyalty_entry_guard_update BEFORE UPDATE ON loyalty_entry FOR EACH ROW"
    f" WHEN ({' OR '.join(CHANGED).format('IS DISTINCT FROM')}) EXECUTE FUNCTION loyalty_entry_refuse()",
    "CREATE TRIGGER loyalty_entry_guard_delete BEFORE DELETE ON loyalty_entry"
    " FOR EACH STATEMENT EXECUTE FUNCTION loyalty_entry_refuse()",
    "CREATE TRIGGER loyalty_allocation_guard BEFORE UPDATE OR DELETE ON loyalty_allocation"
    " FOR EACH STATEMENT EXECUTE FUNCTION loyalty_entry_refuse()",
    "CREATE TRIGGER loyalty_share_guard_update BEFORE UPDATE ON loyalty_share FOR EACH ROW"
    f" WHEN ({' OR '.join(SHARE_CHANGED).format('IS DISTINCT FROM')})"
    " EXECUTE FUNCTION loyalty_entry_refuse()",
    "CREATE TRIGGER loyalty_share_guard_delete BEFORE DELETE ON loyalty_share"
    " FOR EACH STATEMENT EXECUTE FUNCTION loyalty_entry_refuse()",
]


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
                ("time_zone", fields.CharField(db_default="UTC", max_length=64)),
                ("points_per_unit", fields.IntField()),
                ("expiry_months", fields.IntField(null=True)),
                ("pending_days", fields.IntField(db_default=0)),
                ("selection", fields.CharField(db_default="HIGHEST_PRIORITY", max_length=24)),
                ("rounding", fields.CharField(db_default="FLOOR", max_length=16)),
                ("refund_policy", fields.CharField(db_default="ALLOW_NEGATIVE", max_length=16)),
                ("tier_period", fields.CharField(db_default="CALENDAR_YEAR", max_length=24)),
                ("tier_basis", fields.CharField(db_default="POINTS", max_length=8)),
                ("tier_descent", fields.CharField(db_default="TO_EARNED", max_length=12)),
                ("tier_grace_days", fields.IntField(db_default=0)),
                ("cap_per_purchase", fields.BigIntField(null=True)),
                ("cap_per_day", fields.BigIntField(null=True)),
                ("cap_per_customer", fields.BigIntField(null=True)),
                ("active", fields.BooleanField(db_default=True)),
                ("created_at", fields.DatetimeField()),
            ],
            options={"table": "loyalty_program"},
        ),
        ops.CreateModel(
            name="ProgramVersion",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("program", fields.ForeignKeyField("loyalty.Program", on_delete=fields.RESTRICT)),
                ("number", fields.IntField()),
                ("from_at", fields.DatetimeField(null=True)),
                ("until_at", fields.DatetimeField(null=True)),
                ("points_per_unit", fields.IntField()),
                ("expiry_months", fields.IntField(null=True)),
                ("pending_days", fields.IntField()),
                ("selection", fields.CharField(max_length=24)),
                ("rounding", fields.CharField(max_length=16)),
                ("cap_per_purchase", fields.BigIntField(null=True)),
                ("cap_per_day", fields.BigIntField(null=True)),
                ("cap_per_customer", fields.BigIntField(null=True)),
                ("multipliers", fields.JSONField()),
                ("tier_period", fields.CharField(max_length=24)),
                ("tier_basis", fields.CharField(max_length=8)),
                ("tier_descent", fields.CharField(max_length=12)),
                ("tier_grace_days", fields.IntField()),
                ("active", fields.BooleanField()),
                ("created_at", fields.DatetimeField()),
            ],
            options={
                "table": "loyalty_program_version",
                "unique_together": (("program_id", "number"),),
            },
        ),
        ops.CreateModel(
            name="Tier",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("version", fields.IntField(db_default=1)),
                ("program", fields.ForeignKeyField("loyalty.Program", on_delete=fields.RESTRICT)),
                ("name", fields.CharField(max_length=200)),
                ("threshold", fields.BigIntField()),
                ("benefits", fields.JSONField()),
                ("percent", fields.IntField(db_default=100)),
                ("created_at", fields.DatetimeField()),
            ],
            options={
                "table": "loyalty_tier",
                "unique_together": (("program_id", "name"), ("program_id", "threshold")),
            },
        ),
        ops.CreateModel(
            name="TierVersion",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("tier", fields.ForeignKeyField("loyalty.Tier", on_delete=fields.RESTRICT)),
                ("number", fields.IntField()),
                ("from_at", fields.DatetimeField(null=True)),
                ("until_at", fields.DatetimeField(null=True)),
                ("name", fields.CharField(max_length=200)),
                ("threshold", fields.BigIntField()),
                ("benefits", fields.JSONField()),
                ("percent", fields.IntField()),
                ("created_at", fields.DatetimeField()),
            ],
            options={"table": "loyalty_tier_version", "unique_together": (("tier_id", "number"),)},
        ),
        ops.CreateModel(
            name="Account",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("program", fields.ForeignKeyField("loyalty.Program", on_delete=fields.RESTRICT)),
                ("customer", fields.ForeignKeyField("crm.Customer", null=True, on_delete=fields.RESTRICT)),
                (
                    "merged_into",
                    fields.ForeignKeyField(
                        "loyalty.Account",
                        null=True,
                        db_index=True,
                        on_delete=fields.RESTRICT,
                    ),
                ),
                ("balance", fields.BigIntField(db_default=0)),
                ("pending", fields.BigIntField(db_default=0)),
                ("deficit", fields.BigIntField(db_default=0)),
                ("lifetime", fields.BigIntField(db_default=0)),
                ("entries_number", fields.BigIntField(db_default=0)),
                ("digest", fields.CharField(db_default="", max_length=64)),
                ("seal", fields.CharField(db_default="", max_length=80)),
                (
                    "tier",
                    fields.ForeignKeyField(
                        "loyalty.Tier",
                        null=True,
                        db_index=True,
                        on_delete=fields.RESTRICT,
                    ),
                ),
                ("tier_since", fields.DatetimeField(null=True)),
                ("tier_judged_at", fields.DatetimeField(null=True)),
                ("tier_review_at", fields.DatetimeField(null=True, db_index=True)),
                ("posted_at", fields.DatetimeField(null=True)),
                ("created_at", fields.DatetimeField()),
                ("updated_at", fields.DatetimeField()),
            ],
            options={
                "table": "loyalty_account",
                "unique_together": (("program_id", "customer_id"),),
                "indexes": (("customer_id", "created_at", "id"),),
            },
        ),
        ops.CreateModel(
            name="Entry",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("program", fields.ForeignKeyField("loyalty.Program", on_delete=fields.RESTRICT)),
                ("account", fields.ForeignKeyField("loyalty.Account", on_delete=fields.RESTRICT)),
                ("book", fields.ForeignKeyField("loyalty.Account", on_delete=fields.RESTRICT)),
                ("seq", fields.BigIntField()),
                ("kind", fields.CharField(max_length=16)),
                ("points", fields.BigIntField()),
                ("pending", fields.BigIntField(db_default=0)),
                ("deficit", fields.BigIntField(db_default=0)),
                ("qualifying_points", fields.BigIntField(db_default=0)),
                ("qualifying_minor", fields.BigIntField(db_default=0)),
                ("qualifies_at", fields.DatetimeField()),
                ("amount_minor", fields.BigIntField(null=True)),
                ("source_key", fields.CharField(max_length=200)),
                (
                    "corrects",
                    fields.ForeignKeyField(
                        "loyalty.Entry",
                        null=True,
                        db_index=True,
                        on_delete=fields.RESTRICT,
                    ),
                ),
                (
                    "other",
                    fields.ForeignKeyField(
                        "loyalty.Account",
                        null=True,
                        db_index=True,
                        on_delete=fields.RESTRICT,
                    ),
                ),
                ("reason", fields.CharField(null=True, max_length=1000)),
                ("reason_salt", fields.CharField(null=True, max_length=32)),
                ("reason_digest", fields.CharField(null=True, max_length=64)),
                ("shares_digest", fields.CharField(null=True, max_length=64)),
                ("at", fields.DatetimeField()),
                ("created_at", fields.DatetimeField()),
                ("digest", fields.CharField(max_length=64)),
            ],
            options={
                "table": "loyalty_entry",
                "unique_together": (("source_key", "program_id"), ("book_id", "seq")),
                "indexes": (("account_id", "at", "id"),),
            },
        ),
        ops.CreateModel(
            name="Lot",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                (
                    "account",
                    fields.ForeignKeyField("loyalty.Account", db_index=True, on_delete=fields.RESTRICT),
                ),
                ("entry", fields.ForeignKeyField("loyalty.Entry", db_index=True, on_delete=fields.RESTRICT)),
                ("origin", fields.ForeignKeyField("loyalty.Entry", db_index=True, on_delete=fields.RESTRICT)),
                ("points", fields.BigIntField()),
                ("expires_at", fields.DatetimeField()),
                ("earned_at", fields.DatetimeField()),
                ("remaining", fields.BigIntField()),
                ("expired", fields.BigIntField(db_default=0)),
                ("told_at", fields.DatetimeField(null=True)),
            ],
            options={"table": "loyalty_lot"},
        ),
        ops.CreateModel(
            name="Allocation",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("entry", fields.ForeignKeyField("loyalty.Entry", on_delete=fields.RESTRICT)),
                ("lot", fields.ForeignKeyField("loyalty.Lot", db_index=True, on_delete=fields.RESTRICT)),
                ("points", fields.BigIntField()),
            ],
            options={"table": "loyalty_allocation", "unique_together": (("entry_id", "lot_id"),)},
        ),
        ops.CreateModel(
            name="Pending",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                (
                    "account",
                    fields.ForeignKeyField("loyalty.Account", db_index=True, on_delete=fields.RESTRICT),
                ),
                ("points", fields.BigIntField()),
                ("unlock_at", fields.DatetimeField()),
                ("expires_at", fields.DatetimeField()),
                ("earned_at", fields.DatetimeField()),
                ("qualifies", fields.BooleanField(db_default=True)),
                ("remaining", fields.BigIntField()),
            ],
            options={"table": "loyalty_pending"},
        ),
        ops.CreateModel(
            name="TierChange",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("account", fields.ForeignKeyField("loyalty.Account", on_delete=fields.RESTRICT)),
                (
                    "tier",
                    fields.ForeignKeyField(
                        "loyalty.Tier",
                        null=True,
                        db_index=True,
                        on_delete=fields.RESTRICT,
                    ),
                ),
                (
                    "previous",
                    fields.ForeignKeyField(
                        "loyalty.Tier",
                        null=True,
                        db_index=True,
                        on_delete=fields.RESTRICT,
                    ),
                ),
                ("at", fields.DatetimeField()),
                ("created_at", fields.DatetimeField()),
            ],
            options={"table": "loyalty_tier_change", "indexes": (("account_id", "at", "id"),)},
        ),
        ops.CreateModel(
            name="Campaign",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("version", fields.IntField(db_default=1)),
                ("program", fields.ForeignKeyField("loyalty.Program", on_delete=fields.RESTRICT)),
                ("name", fields.CharField(max_length=200)),
                ("percent", fields.IntField()),
                ("starts_at", fields.DatetimeField(null=True)),
                ("ends_at", fields.DatetimeField(null=True)),
                ("rules", fields.JSONField()),
                ("conditions", fields.JSONField()),
                ("created_at", fields.DatetimeField()),
                ("updated_at", fields.DatetimeField()),
            ],
            options={"table": "loyalty_campaign", "unique_together": (("program_id", "name"),)},
        ),
        ops.CreateModel(
            name="Referral",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("version", fields.IntField(db_default=1)),
                (
                    "program",
                    fields.ForeignKeyField("loyalty.Program", db_index=True, on_delete=fields.RESTRICT),
                ),
                ("customer", fields.ForeignKeyField("crm.Customer", null=True, on_delete=fields.RESTRICT)),
                (
                    "referrer",
                    fields.ForeignKeyField(
                        "crm.Customer",
                        null=True,
                        db_index=True,
                        on_delete=fields.RESTRICT,
                    ),
                ),
                ("status", fields.CharField(max_length=24)),
                ("reason", fields.CharField(null=True, max_length=200)),
                ("credited_at", fields.DatetimeField(null=True)),
                ("purchase_id", fields.UUIDField(null=True, db_index=True)),
                ("created_at", fields.DatetimeField()),
            ],
            options={"table": "loyalty_referral", "indexes": (("customer_id", "program_id"),)},
        ),
        ops.CreateModel(
            name="ReferralCode",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                (
                    "customer",
                    fields.ForeignKeyField(
                        "crm.Customer",
                        null=True,
                        db_index=True,
                        on_delete=fields.RESTRICT,
                    ),
                ),
                ("code", fields.CharField(unique=True, max_length=24)),
                ("created_at", fields.DatetimeField()),
            ],
            options={"table": "loyalty_referral_code"},
        ),
        ops.CreateModel(
            name="Replay",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("version", fields.IntField(db_default=1)),
                (
                    "program",
                    fields.ForeignKeyField("loyalty.Program", db_index=True, on_delete=fields.RESTRICT),
                ),
                ("from_at", fields.DatetimeField()),
                ("until_at", fields.DatetimeField()),
                ("rules_at", fields.DatetimeField()),
                ("status", fields.CharField(max_length=24)),
                ("present", fields.JSONField()),
                ("causes", fields.BigIntField(db_default=0)),
                ("by_segments", fields.BigIntField(db_default=0)),
                ("created_at", fields.DatetimeField()),
                ("updated_at", fields.DatetimeField()),
            ],
            options={"table": "loyalty_replay"},
        ),
        ops.CreateModel(
            name="ReplayDifference",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("replay", fields.ForeignKeyField("loyalty.Replay", on_delete=fields.RESTRICT)),
                (
                    "account",
                    fields.ForeignKeyField("loyalty.Account", db_index=True, on_delete=fields.RESTRICT),
                ),
                ("before", fields.BigIntField()),
                ("after", fields.BigIntField()),
                ("by_segments", fields.BigIntField(db_default=0)),
                ("corrected", fields.BooleanField(db_default=False)),
            ],
            options={"table": "loyalty_replay_difference", "indexes": (("replay_id", "after", "id"),)},
        ),
        ops.CreateModel(
            name="Reward",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("version", fields.IntField(db_default=1)),
                ("program", fields.ForeignKeyField("loyalty.Program", on_delete=fields.RESTRICT)),
                ("name", fields.CharField(max_length=200)),
                ("description", fields.CharField(null=True, max_length=1000)),
                ("kind", fields.CharField(max_length=24)),
                ("cost_points", fields.BigIntField()),
                ("value_minor", fields.BigIntField(null=True)),
                ("percent", fields.IntField(null=True)),
                ("sku", fields.CharField(null=True, max_length=100)),
                ("cost_minor", fields.BigIntField(db_default=0)),
                ("codes", fields.CharField(null=True, max_length=24)),
                ("stock", fields.BigIntField(null=True)),
                ("per_customer", fields.IntField(null=True)),
                ("valid_from", fields.DatetimeField(null=True)),
                ("valid_until", fields.DatetimeField(null=True)),
                ("tiers", fields.JSONField()),
                ("hold_minutes", fields.IntField(db_default=30)),
                ("active", fields.BooleanField(db_default=True)),
                ("created_at", fields.DatetimeField()),
                ("updated_at", fields.DatetimeField()),
            ],
            options={"table": "loyalty_reward", "unique_together": (("program_id", "name"),)},
        ),
        ops.CreateModel(
            name="RewardVersion",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("reward", fields.ForeignKeyField("loyalty.Reward", on_delete=fields.RESTRICT)),
                ("number", fields.IntField()),
                ("from_at", fields.DatetimeField()),
                ("until_at", fields.DatetimeField(null=True)),
                ("name", fields.CharField(max_length=200)),
                ("description", fields.CharField(null=True, max_length=1000)),
                ("cost_points", fields.BigIntField()),
                ("currency", fields.CharField(max_length=3)),
                ("value_minor", fields.BigIntField(null=True)),
                ("percent", fields.IntField(null=True)),
                ("sku", fields.CharField(null=True, max_length=100)),
                ("cost_minor", fields.BigIntField()),
                ("per_customer", fields.IntField(null=True)),
                ("valid_from", fields.DatetimeField(null=True)),
                ("valid_until", fields.DatetimeField(null=True)),
                ("tiers", fields.JSONField()),
                ("hold_minutes", fields.IntField()),
                ("active", fields.BooleanField()),
            ],
            options={"table": "loyalty_reward_version", "unique_together": (("reward_id", "number"),)},
        ),
        ops.CreateModel(
            name="Redemption",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("version", fields.IntField(db_default=1)),
                (
                    "reward",
                    fields.ForeignKeyField("loyalty.Reward", db_index=True, on_delete=fields.RESTRICT),
                ),
                (
                    "reward_version",
                    fields.ForeignKeyField("loyalty.RewardVersion", on_delete=fields.RESTRICT),
                ),
                ("account", fields.ForeignKeyField("loyalty.Account", on_delete=fields.RESTRICT)),
                ("status", fields.CharField(max_length=24)),
                ("points", fields.BigIntField()),
                ("cost_minor", fields.BigIntField()),
                ("reserved_until", fields.DatetimeField(null=True)),
                ("note", fields.CharField(null=True, max_length=500)),
                ("created_at", fields.DatetimeField()),
                ("updated_at", fields.DatetimeField()),
            ],
            options={
                "table": "loyalty_redemption",
                "indexes": (("account_id", "reward_id"), ("created_at", "id")),
            },
        ),
        ops.CreateModel(
            name="Rule",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("version", fields.IntField(db_default=1)),
                ("program", fields.ForeignKeyField("loyalty.Program", on_delete=fields.RESTRICT)),
                ("name", fields.CharField(max_length=200)),
                ("active", fields.BooleanField(db_default=True)),
                ("created_at", fields.DatetimeField()),
                ("updated_at", fields.DatetimeField()),
            ],
            options={"table": "loyalty_rule", "unique_together": (("program_id", "name"),)},
        ),
        ops.CreateModel(
            name="RuleVersion",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("rule", fields.ForeignKeyField("loyalty.Rule", on_delete=fields.RESTRICT)),
                ("number", fields.IntField()),
                ("from_at", fields.DatetimeField(null=True)),
                ("until_at", fields.DatetimeField(null=True)),
                ("trigger", fields.CharField(max_length=24)),
                ("basis", fields.CharField(max_length=24)),
                ("points", fields.BigIntField()),
                ("per_minor", fields.BigIntField(db_default=1)),
                ("whole_steps", fields.BooleanField(db_default=False)),
                ("referee_points", fields.BigIntField(db_default=0)),
                ("kinds", fields.JSONField()),
                ("attribute", fields.CharField(null=True, max_length=100)),
                ("priority", fields.IntField(db_default=0)),
                ("conditions", fields.JSONField()),
                ("cap_per_cause", fields.BigIntField(null=True)),
                ("cap_per_day", fields.BigIntField(null=True)),
                ("cap_per_customer", fields.BigIntField(null=True)),
                ("pending_days", fields.IntField(null=True)),
                ("expires_months", fields.IntField(null=True)),
                ("expires_days", fields.IntField(null=True)),
                ("never_expires", fields.BooleanField(db_default=False)),
                ("created_at", fields.DatetimeField()),
            ],
            options={"table": "loyalty_rule_version", "unique_together": (("rule_id", "number"),)},
        ),
        ops.CreateModel(
            name="Share",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("account", fields.ForeignKeyField("loyalty.Account", on_delete=fields.RESTRICT)),
                ("entry", fields.ForeignKeyField("loyalty.Entry", db_index=True, on_delete=fields.RESTRICT)),
                (
                    "rule",
                    fields.ForeignKeyField(
                        "loyalty.Rule",
                        null=True,
                        db_index=True,
                        on_delete=fields.RESTRICT,
                    ),
                ),
                (
                    "rule_version",
                    fields.ForeignKeyField(
                        "loyalty.RuleVersion",
                        null=True,
                        db_index=True,
                        on_delete=fields.RESTRICT,
                    ),
                ),
                ("day", fields.DateField()),
                ("points", fields.BigIntField()),
                ("because", fields.CharField(max_length=500)),
                ("created_at", fields.DatetimeField()),
            ],
            options={
                "table": "loyalty_share",
                "indexes": (("account_id", "rule_id", "day"), ("account_id", "day")),
            },
        ),
        ops.CreateModel(
            name="VoucherCode",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("reward", fields.ForeignKeyField("loyalty.Reward", on_delete=fields.RESTRICT)),
                ("code", fields.CharField(unique=True, max_length=64)),
                (
                    "redemption",
                    fields.OneToOneField("loyalty.Redemption", null=True, on_delete=fields.RESTRICT),
                ),
                ("spent", fields.BooleanField(db_default=False)),
                ("created_at", fields.DatetimeField()),
            ],
            options={"table": "loyalty_voucher_code", "indexes": (("reward_id", "spent", "id"),)},
        ),
        DialectSQL(sqlite=[*INDEXES, *GUARD_SQLITE], postgres=[*INDEXES, *GUARD_POSTGRES]),
    ]
