"""What loyalty tells other plugins in numbers."""

from datetime import UTC, datetime
from typing import Any

from crm_loyalty.figures import told

from crm_framework import Window
from crm_framework.testing import CrmClient, frozen

from .shop import Shop

MAY = datetime(2026, 5, 13, 12, tzinfo=UTC)
WINDOW = Window(datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC))


async def figures(client: CrmClient, group_by: str | None = None) -> dict[tuple[str, str | None], Any]:
    found = await told(WINDOW, group_by, client.service.database)
    return {(one.name, one.group): (one.value, one.numerator, one.denominator, one.unit) for one in found}


async def test_nothing_is_told_of_nothing(client: CrmClient) -> None:
    assert await figures(client) == {
        ("participation_rate", None): (None, 0, 0, "share"),
        ("redemption_rate", None): (None, 0, 0, "share"),
        ("points_owed", None): (0, None, None, "count"),
    }


async def test_figures_of_a_month(client: CrmClient) -> None:
    shop = Shop(client)
    with frozen(MAY):
        stars = await shop.program(pointsPerUnit=1)
        ada, bea = await shop.customer("Ada"), await shop.customer("Bea")
        await shop.buy(ada, "100.00")
        await shop.buy(bea, "10.00", currency="USD")
        await shop.buy(bea, "99.00", occurredAt="2026-04-30T12:00:00Z")
        given = {"program": stars, "kind": "PRODUCT", "sku": "cup", "costPoints": 20}
        cost = {"amount": "2.50", "currency": "EUR"}
        cup = (await shop.change("createReward", "reward { id }", name="Cup", cost=cost, **given))["reward"][
            "id"
        ]
        for _ in range(3):
            taken = await shop.change("redeemReward", "redemption { id }", customer=ada, reward=cup)
        await shop.change("reverseRedemption", "redemption { id }", redemption=taken["redemption"]["id"])
        assert await figures(client, "program") == {
            ("participation_rate", None): (0.5, 1, 2, "share"),
            ("redemption_rate", None): (0.4, 40, 100, "share"),
            ("redemption_rate", "Stars"): (0.4, 40, 100, "share"),
            ("points_owed", None): (159, None, None, "count"),
            ("points_owed", "Stars"): (159, None, None, "count"),
            ("reward_cost", None): (500, None, None, "EUR"),
            ("reward_cost", "Stars"): (500, None, None, "EUR"),
        }
