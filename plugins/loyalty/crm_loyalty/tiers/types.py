"""The type of a tier, which programmes and accounts lead to."""

from datetime import datetime

from crm_framework import BigInt, Connection, Node, OrderField, Orders, column, connection, node

VERSION_ORDERS = Orders(
    "LoyaltyTierVersionOrder", [OrderField("NUMBER", "int", "By number.", column="number")]
)


@node(table="loyalty_tier_version", permission="loyalty.read", hidden={"tier_id": str}, shared=True)
class LoyaltyTierVersion(Node):
    """What a tier says, or said. Never changed: a change is another version."""

    number: int = column("1 for the first, and so on.")
    from_at: datetime | None = column("From then on; null: also before it was made.")
    until_at: datetime | None = column("Until then; null: it holds.")
    name: str = column("The tier's name.")
    threshold: BigInt = column("From how many points on, or how much spend in minor units.")
    benefits: list[str] = column("What it brings.")
    percent: int = column("Of the points that rules give, those who have it earn.")
    created_at: datetime = column("When it was made.")


@node(table="loyalty_tier", permission="loyalty.read", shared=True)
class LoyaltyTier(Node):
    """A level that customers reach in a programme."""

    version: int = column("Grows by one with each change.")
    name: str = column("The tier's name.")
    threshold: BigInt = column("From how many points on, or how much spend in minor units.")
    benefits: list[str] = column("What it brings.")
    percent: int = column("Of the points that rules give, those who have it earn: 150 is half as many again.")
    versions: Connection[LoyaltyTierVersion] = connection(
        key="tier_id",
        orders=VERSION_ORDERS,
        default_order=("-NUMBER",),
        description="What it says and said, the latest first.",
    )
