"""The type of a tier, which programmes and accounts lead to."""

from crm_framework import BigInt, Node, column, node


@node(table="loyalty_tier", permission="loyalty.read", shared=True)
class LoyaltyTier(Node):
    """A level that customers reach in a programme."""

    name: str = column("The tier's name.")
    threshold: BigInt = column("From how many points on, or how much spend in minor units.")
    benefits: list[str] = column("What it brings.")
    percent: int = column("Of the points that rules give, those who have it earn: 150 is half as many again.")
