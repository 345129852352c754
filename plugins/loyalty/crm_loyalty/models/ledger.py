"""The ledger: accounts with their books of entries, the lots that these open and what is used of them."""

from typing import Any

from tortoise import fields
from tortoise.models import Model

from .columns import key, to


class Account(Model):
    """What its entries come to, written with each of them. It is the head of the chain of its own book."""

    id = key()
    program: Any = to("loyalty.Program", "accounts")
    customer: Any = to(
        "crm.Customer",
        "loyalty_accounts",
        null=True,
        description="null once the person was erased, or the account was merged into another",
    )
    merged_into: Any = to("loyalty.Account", "merged_accounts", null=True, index=True)
    balance = fields.BigIntField(default=0, db_default=0, description="sum of the entries' points")
    pending = fields.BigIntField(default=0, db_default=0, description="sum of their pending points")
    deficit = fields.BigIntField(default=0, db_default=0, description="what later credits make up first")
    lifetime = fields.BigIntField(default=0, db_default=0, description="sum of what was ever earned")
    entries_number = fields.BigIntField(default=0, db_default=0, description="in its own book")
    digest = fields.CharField(max_length=64, default="", db_default="", description="of the last of these")
    seal = fields.CharField(
        max_length=80, default="", db_default="", description="on whose it is, and on both of these"
    )
    tier: Any = to("loyalty.Tier", "accounts", null=True)
    tier_since = fields.DatetimeField(null=True)
    tier_judged_at = fields.DatetimeField(null=True, description="up to when the rule was applied")
    tier_review_at = fields.DatetimeField(
        null=True, db_index=True, description="when it may go down, or before"
    )
    posted_at = fields.DatetimeField(null=True, description="when the last entry was made")
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    class Meta:
        app = "loyalty"
        table = "loyalty_account"
        unique_together = (("program_id", "customer_id"),)
        # a page of customers looks for the oldest account of each
        indexes = (("customer_id", "created_at", "id"),)


class Entry(Model):
    """Append-only: the database refuses other changes than a move to another account and an erased reason."""

    id = key()
    program: Any = to("loyalty.Program", "entries")
    account: Any = to("loyalty.Account", "entries", description="whose it is now")
    book: Any = to("loyalty.Account", "own_entries", description="in whose chain it stands")
    seq = fields.BigIntField(description="its number in the book")
    kind = fields.CharField(max_length=16)
    points = fields.BigIntField(description="on the balance")
    pending = fields.BigIntField(default=0, db_default=0, description="on the pending points")
    deficit = fields.BigIntField(default=0, db_default=0, description="on the deficit")
    qualifying_points = fields.BigIntField(default=0, db_default=0)
    qualifying_minor = fields.BigIntField(default=0, db_default=0)
    qualifies_at = fields.DatetimeField(description="in which period it counts towards a tier")
    amount_minor = fields.BigIntField(null=True, description="what was bought or refunded, minor units")
    source_key = fields.CharField(max_length=200, description="purchase:<id>, refund:<id> …")
    corrects: Any = to("loyalty.Entry", "corrections", null=True, index=True)
    other: Any = to("loyalty.Account", "counter_entries", null=True, description="of a transfer or a merger")
    reason = fields.CharField(max_length=1000, null=True)
    reason_salt = fields.CharField(max_length=32, null=True)
    reason_digest = fields.CharField(max_length=64, null=True)
    shares_digest = fields.CharField(max_length=64, null=True, description="of the rows of loyalty_share")
    at = fields.DatetimeField(description="when its cause happened")
    created_at = fields.DatetimeField(description="when it was posted")
    digest = fields.CharField(max_length=64)

    class Meta:
        app = "loyalty"
        table = "loyalty_entry"
        # causes are looked up before the programme is known, too
        unique_together = (("source_key", "program_id"), ("book_id", "seq"))
        indexes = (("account_id", "at", "id"),)


class Lot(Model):
    """Points that expire together. All but the account and the last three columns stays as it is."""

    id = key()
    account: Any = to("loyalty.Account", "lots", description="whose it is now")
    entry: Any = to("loyalty.Entry", "lots", index=True, description="that opened it")
    origin: Any = to(
        "loyalty.Entry", "earned_lots", index=True, description="by which the points were earned"
    )
    points = fields.BigIntField()
    expires_at = fields.DatetimeField(description="9999-12-31 for those that do not")
    earned_at = fields.DatetimeField()
    remaining = fields.BigIntField()
    expired = fields.BigIntField(default=0, db_default=0)
    told_at = fields.DatetimeField(null=True, description="when it was said that it expires soon")

    class Meta:
        app = "loyalty"
        table = "loyalty_lot"


class Pending(Model):
    """Points that cannot be spent yet; its key is that of the entry that made them."""

    id = key()
    account: Any = to("loyalty.Account", "pendings", description="whose it is now")
    points = fields.BigIntField()
    unlock_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()
    earned_at = fields.DatetimeField()
    qualifies = fields.BooleanField(default=True, db_default=True)
    remaining = fields.BigIntField()

    class Meta:
        app = "loyalty"
        table = "loyalty_pending"


class Allocation(Model):
    """What an entry took from a lot (negative), or put back into it."""

    id = key()
    entry: Any = to("loyalty.Entry", "allocations")
    lot: Any = to("loyalty.Lot", "allocations", index=True)
    points = fields.BigIntField()

    class Meta:
        app = "loyalty"
        table = "loyalty_allocation"
        unique_together = (("entry_id", "lot_id"),)
