"""What was sold of each product, by hand: of whole months from what is kept, of other days and by groups from
the lines."""

from typing import Any

from crm_analytics.metrics.products import labels

from crm_framework import NewLine, encode_id

from .shop import Shop

ROW = "sku quantity revenue { amount currency } purchases buyers repeatBuyers"
GROUPS = "sku groups { label quantity revenue { amount } purchases buyers }"


async def sales(shop: Shop) -> None:
    ada, ben = await shop.customer("Ada", tags=["vip"]), await shop.customer("Ben")
    for who, day, channel, *lines in (
        (ada, "2024-01-01T00:30", "web", ("tea", 2, 400)),
        (ada, "2024-01-31T23:30", "web", ("tea", 1, 200), ("tea", 1, 150), ("mug", 1, 900)),
        (ben, "2024-02-01T00:30", "shop", ("tea", 3, 600)),
        (ada, "2024-02-10T12:00", None, ("mug", 1, 900)),
        (ben, "2024-02-29T12:00", "web", ("tea", 1, 200)),
        (ben, "2024-03-01T00:30", "web", ("tea", 5, 1000)),
    ):
        given: Any = {} if channel is None else {"channel": channel}
        await shop.buy(
            who,
            day,
            lines=[NewLine(sku=sku, quantity=n, amount_minor=minor) for sku, n, minor in lines],
            **given,
        )


async def test_days_of_a_window_and_no_others(shop: Shop) -> None:
    await sales(shop)
    whole = await shop.ask(f"products {{ rows {{ {ROW} }} }}", last="2024-02-29")
    tea = {"sku": "tea", "quantity": 8, "revenue": {"amount": "15.50", "currency": "EUR"}, "purchases": 4,
           "buyers": 2, "repeatBuyers": 1}  # fmt: skip
    mug = {"sku": "mug", "quantity": 2, "revenue": {"amount": "18.00", "currency": "EUR"}, "purchases": 2,
           "buyers": 1, "repeatBuyers": 1}  # fmt: skip
    assert whole["products"]["rows"] == [mug, {**tea, "repeatBuyers": 0}]
    for first, last, more, expected in (
        ("2024-01-31", "2024-02-01", "", [("mug", 1, "9.00", 1, 1, 0), ("tea", 5, "9.50", 2, 2, 0)]),
        ("2024-01-02", "2024-02-28", "", [("mug", 2, "18.00", 2, 1, 1), ("tea", 5, "9.50", 2, 2, 0)]),
        ("2024-01-31", "2024-03-01", ', filter: {name: {eq: "Ben"}}', [("tea", 9, "18.00", 3, 1, 1)]),
        ("2024-02-02", "2024-02-03", "", []),
    ):
        found = (await shop.ask(f"products {{ reason rows {{ {ROW} }} }}", first, last, more))["products"]
        rows = [
            (one["sku"], one["quantity"], one["revenue"]["amount"], *(one[n] for n in ROW.split()[-3:]))
            for one in found["rows"]
        ]
        assert rows == sorted(expected, key=lambda row: (-float(row[2]), row[0])), (first, last)
        assert (found["reason"] is None) == bool(expected)


async def test_by_groups(shop: Shop) -> None:
    await sales(shop)
    found = await shop.ask(
        f"""months: products(groupBy: {{by: PERIOD}}) {{ rows {{ {GROUPS} }} csv chart }}
        weeks: products(groupBy: {{by: PERIOD, period: WEEK}}) {{ rows {{ groups {{ label }} }} }}
        channels: products(groupBy: {{by: CHANNEL}}) {{ rows {{ {GROUPS} }} chart }}
        tags: products(groupBy: {{by: TAG}}) {{ rows {{ sku groups {{ label quantity }} }} }}
        some: products(groupBy: {{
          by: FILTER, filters: [{{name: "Ben", filter: {{name: {{eq: "Ben"}}}}}}]
        }}) {{ rows {{ sku groups {{ label quantity buyers }} }} }}""",
        last="2024-02-15",
    )
    mug, tea = found["months"]["rows"]
    assert tea["groups"] == [
        {"label": "2024-01-01", "quantity": 4, "revenue": {"amount": "7.50"}, "purchases": 2, "buyers": 1},
        {"label": "2024-02-01", "quantity": 3, "revenue": {"amount": "6.00"}, "purchases": 1, "buyers": 1},
    ]
    assert [one["quantity"] for one in mug["groups"]] == [1, 1]
    assert found["months"]["csv"].splitlines()[:2] == [
        "sku,name,group,quantity,revenue,currency,purchases,buyers",
        "mug,,2024-01-01,1,9.00,EUR,1,1",
    ]
    assert found["months"]["chart"]["data"]["values"][-1] == {
        "product": "tea (EUR)", "currency": "EUR", "day": "2024-02-01", "value": 6.0,
    }  # fmt: skip
    assert len(found["weeks"]["rows"][0]["groups"]) == 7
    channels = {
        one["sku"]: [(g["label"], g["quantity"]) for g in one["groups"]] for one in found["channels"]["rows"]
    }
    assert channels == {"mug": [("web", 1), (None, 1)], "tea": [("shop", 3), ("web", 4)]}
    assert found["channels"]["chart"]["mark"]["type"] == "bar"
    assert found["tags"]["rows"] == [
        {"sku": "mug", "groups": [{"label": "vip", "quantity": 2}]},
        {"sku": "tea", "groups": [{"label": "vip", "quantity": 4}]},
    ]
    assert found["some"]["rows"] == [
        {"sku": "mug", "groups": [{"label": "Ben", "quantity": 0, "buyers": 0}]},
        {"sku": "tea", "groups": [{"label": "Ben", "quantity": 3, "buyers": 1}]},
    ]
    for args in ("first: 51, groupBy: {by: TAG}", "groupBy: {by: PERIOD, period: DAY}"):
        [error] = await shop.client.errors(
            '{ analytics(window: {first: "2024-01-01", last: "2024-03-31"}) {'
            f" products({args}) {{ reason }} }} }}"
        )
        assert error["extensions"]["code"] == "BAD_INPUT"


async def test_who_was_erased_is_no_buyer_of_whichever_days(shop: Shop) -> None:
    """What was sold to them stays in the sums: of whole months and of other days alike, and in the groups."""
    await sales(shop)
    [[ben]] = await shop.client.service.database.rows("SELECT id FROM crm_customer WHERE name = 'Ben'", ())
    erase = "mutation ($id: ID!) { eraseCustomer(input: {id: $id}) { errors { code } } }"
    await shop.client.data(erase, id=encode_id("Customer", str(ben)))
    numbers = "sku quantity purchases buyers repeatBuyers"
    for first, last in (
        ("2024-01-01", "2024-02-29"),
        ("2024-01-01", "2024-02-28"),
        ("2024-01-01", "2024-03-31"),
    ):
        found = await shop.ask(
            f"products {{ rows {{ {numbers} }} }}"
            f" months: products(groupBy: {{by: PERIOD}}) {{ rows {{ {GROUPS} }} }}",
            first,
            last,
        )
        quantity, purchases = {"2024-02-29": (8, 4), "2024-02-28": (7, 3), "2024-03-31": (13, 5)}[last]
        tea = next(one for one in found["products"]["rows"] if one["sku"] == "tea")
        assert tea == {
            "sku": "tea", "quantity": quantity, "purchases": purchases, "buyers": 1, "repeatBuyers": 0,
        }, last  # fmt: skip
        months = next(one for one in found["months"]["rows"] if one["sku"] == "tea")["groups"]
        assert sum(one["quantity"] for one in months) == quantity
        assert [one["buyers"] for one in months] == [1, 0, 0][: len(months)]


async def test_the_best_of_each_currency_come_first(shop: Shop) -> None:
    """JPY 9,000 and EUR 90 are as many minor units: that does not say which is more."""
    ada = await shop.customer("Ada")
    for currency, *sold in (
        ("EUR", ("tea", 300), ("mug", 200), ("pot", 100)),
        ("JPY", ("tea", 9000), ("mug", 8000), ("pot", 7000)),
        ("KWD", ("mug", 50)),
    ):
        lines = [NewLine(sku=sku, amount_minor=minor) for sku, minor in sold]
        await shop.buy(ada, "2024-01-10", currency=currency, lines=lines)
    best = [("tea", "EUR"), ("tea", "JPY"), ("mug", "KWD"), ("mug", "EUR"), ("mug", "JPY"), ("pot", "EUR")]
    one = "rows { sku revenue { currency } }"
    for last, more in (
        ("2024-01-31", ""),
        ("2024-01-30", ""),
        ("2024-01-31", ', filter: {name: {eq: "Ada"}}'),
    ):
        found = await shop.ask(
            f"some: products(first: 4) {{ {one} }} all: products {{ {one} }}", last=last, more=more
        )
        for name, expected in (("some", best[:4]), ("all", [*best, ("pot", "JPY")])):
            assert [(row["sku"], row["revenue"]["currency"]) for row in found[name]["rows"]] == expected, last
    found = await shop.ask("bars: products { chart } lines: products(groupBy: {by: PERIOD}) { chart }")
    for name, apart in (("bars", ("x", "y")), ("lines", ("y",))):
        chart = found[name]["chart"]
        assert chart["encoding"]["row"]["field"] == "currency"
        assert chart["resolve"] == {"scale": dict.fromkeys(apart, "independent")}
        assert [one["currency"] for one in chart["data"]["values"]] == [
            "EUR",
            "JPY",
            "KWD",
            "EUR",
            "JPY",
            "EUR",
            "JPY",
        ]


async def test_who_buys_again_in_another_month_is_unknown_of_one(shop: Shop) -> None:
    await sales(shop)
    ask = "products { rows { sku buyers repeatBuyers repeatRate repeatRateReason } csv definitionVersion }"
    for first, last in (
        ("2024-02-01", "2024-02-29"),
        ("2024-02-02", "2024-02-29"),
        ("2024-02-10", "2024-02-10"),
    ):
        found = (await shop.ask(ask, first, last))["products"]
        assert found["definitionVersion"] == 3
        assert found["rows"][0] == {
            "sku": "mug", "buyers": 1, "repeatBuyers": 0, "repeatRate": None,
            "repeatRateReason": "the window lies within one month: who buys again does so in another",
        }  # fmt: skip
        assert found["csv"].splitlines()[1].endswith(",0,")
    rows = (await shop.ask(ask, "2024-01-31", "2024-02-29"))["products"]["rows"]
    assert [(row["sku"], row["repeatRate"], row["repeatRateReason"]) for row in rows] == [
        ("mug", 100.0, None),
        ("tea", 0.0, None),
    ]


def test_products_of_one_name_are_told_apart() -> None:
    found = labels([("A", "Tea"), ("B", "Tea"), ("C", "Mug"), ("D", None), ("E", "D"), ("A", "Tea")])
    assert found == {"A": "Tea [A]", "B": "Tea [B]", "C": "Mug", "D": "D", "E": "D [E]"}
