"""Revenue by hand: refunds on their day, a series for each currency, and rates that the company enters."""

import pytest

from .shop import Shop

SET_RATE = """mutation ($rate: String!) { setExchangeRates(input: {rates: [
  {currency: "JPY", base: "EUR", validFrom: "2024-01-01", rate: $rate}]}) {
  count errors { path message } } }"""


async def test_revenue_counts_refunds_on_their_day_and_never_mixes_currencies(shop: Shop) -> None:
    ada = await shop.customer()
    bought = await shop.buy(ada, "2024-01-03", 1000, channel="web")
    await shop.buy(ada, "2024-01-05", 500, "JPY")
    await shop.buy(ada, "2024-02-05", 250)
    await shop.refund(bought, "2024-02-06", 100)
    group = "groups { label value n }"
    found = await shop.ask(
        f"revenue(groupBy: {{by: PERIOD, period: MONTH}}) {{ unit value n {group} previous {{ value"
        f" change }} }}"
        f" byChannel: revenue(groupBy: {{by: CHANNEL}}) {{ unit {group} }}",
        last="2024-02-29",
    )
    assert found["revenue"] == [
        {
            "unit": "EUR", "value": 11.5, "n": 2, "previous": {"value": 0.0, "change": 11.5},
            "groups": [
                {"label": "2024-01-01", "value": 10.0, "n": 1},
                {"label": "2024-02-01", "value": 1.5, "n": 1},
            ],
        },
        {
            "unit": "JPY", "value": 500.0, "n": 1, "previous": {"value": 0.0, "change": 500.0},
            "groups": [
                {"label": "2024-01-01", "value": 500.0, "n": 1},
                {"label": "2024-02-01", "value": 0.0, "n": 0},
            ],
        },
    ]  # fmt: skip
    # the refund goes the way of its purchase
    assert found["byChannel"][0]["groups"] == [
        {"label": "web", "value": 9.0, "n": 1},
        {"label": None, "value": 2.5, "n": 1},
    ]


async def test_revenue_is_converted_by_the_rates_that_were_entered(shop: Shop) -> None:
    ada = await shop.customer()
    await shop.buy(ada, "2024-01-03", 1000)
    await shop.buy(ada, "2024-01-05", 500, "JPY")
    more = ', convertTo: "EUR"'
    [found] = (await shop.ask("revenue { unit value reason }", more=more))["revenue"]
    assert found == {
        "unit": "EUR", "value": None, "reason": "no rate from JPY to EUR was entered for 2024-01-05",
    }  # fmt: skip
    entered = await shop.client.data(
        """mutation { setExchangeRates(input: {rates: [
          {currency: "JPY", base: "EUR", validFrom: "2024-01-01", rate: "0.01"}]}) {
          count errors { message } } }"""
    )
    assert entered["setExchangeRates"] == {"count": 1, "errors": []}
    [found] = (await shop.ask("revenue { unit value n }", more=more))["revenue"]
    assert found == {"unit": "EUR", "value": 15.0, "n": 2}
    assert (await shop.client.data("{ exchangeRates { currency base validFrom rate } }"))[
        "exchangeRates"
    ] == [{"currency": "JPY", "base": "EUR", "validFrom": "2024-01-01", "rate": "0.01"}]
    refused = await shop.client.data(
        """mutation { setExchangeRates(input: {rates: [
          {currency: "JPY", base: "EUR", validFrom: "2024-01-01", rate: "-1"}]}) {
          count errors { path } } }"""
    )
    assert refused["setExchangeRates"] == {"count": None, "errors": [{"path": ["rates", "0", "rate"]}]}


@pytest.mark.parametrize(
    "selected",
    [
        "clvHistoric { value }",
        "products { rows { sku } }",
        "serviceRecovery { groups { label } }",
        'forecast(currency: "EUR") { reason }',
        "otherFigures { value }",
    ],
)
async def test_what_has_amounts_and_does_not_convert_is_refused_where_they_are_to_be_converted(
    shop: Shop, selected: str
) -> None:
    await shop.buy(await shop.customer(), "2024-01-05", 500, "JPY")
    name = selected.split("(")[0].split(" ")[0]
    window = 'window: {first: "2024-01-01", last: "2024-01-31"}'
    [error] = await shop.client.errors(f'{{ analytics({window}, convertTo: "eur") {{ {selected} }} }}')
    assert error["message"] == (
        f"`{name}` has amounts in each currency, and is not converted to EUR (at convertTo)."
        f" Ask for `{name}` in another `analytics`, without `convertTo`: it converts `revenue`."
    )
    assert error["extensions"]["code"] == "BAD_INPUT"
    found = await shop.client.data(
        f'{{ analytics({window}, convertTo: "EUR") {{ revenue {{ unit }} rfm {{ currency }} }}'
        f" beside: analytics({window}) {{ {selected} }} }}"
    )
    assert found["analytics"] == {"revenue": [{"unit": "EUR"}], "rfm": [{"currency": "JPY"}]}


async def test_a_currency_to_convert_to_must_be_one(shop: Shop) -> None:
    text = '{ analytics(window: {first: "2024-01-01", last: "2024-01-31"}, convertTo: "EURO") { complete } }'
    [error] = await shop.client.errors(text)
    assert error["message"].startswith("'EURO' is no currency (at convertTo).")


@pytest.mark.parametrize("rate", ["1e999", "1E-999", "1000000000001", "0", "-1", "NaN", "Infinity", "1" * 41])
async def test_a_rate_by_which_nothing_can_be_converted_is_refused(shop: Shop, rate: str) -> None:
    answer = (await shop.client.data(SET_RATE, rate=rate))["setExchangeRates"]
    assert answer["count"] is None
    [error] = answer["errors"]
    assert error["path"] == ["rates", "0", "rate"]
    assert error["message"].startswith(f"{rate[:40]!r} is no decimal number from")
    assert await shop.client.service.database.fetch("SELECT id FROM analytics_rate") == []


@pytest.mark.parametrize(("rate", "value"), [("1e12", 1e27), ("1E-12", 1e3)])
async def test_much_is_converted_by_the_most_extreme_rates(shop: Shop, rate: str, value: float) -> None:
    await shop.buy(await shop.customer(), "2024-01-03", 10**15, "JPY")
    assert (await shop.client.data(SET_RATE, rate=rate))["setExchangeRates"]["count"] == 1
    [found] = (await shop.ask("revenue { value n reason }", more=', convertTo: "EUR"'))["revenue"]
    assert found == {"value": value, "n": 1, "reason": None}


async def test_revenue_by_the_values_of_attributes(shop: Shop) -> None:
    for name, kind, more in (
        ("vip", "BOOLEAN", ""),
        ("likes", "CHOICES", ', choices: ["tea", "milk"]'),
        ("size", "NUMBER", ""),
    ):
        await shop.client.data(
            "mutation { defineAttribute(input:"
            f' {{name: "{name}", type: {kind}{more}}}) {{ errors {{ code }} }} }}'
        )
    ada = await shop.customer(attributes={"vip": True, "likes": ["tea", "milk"], "size": 1.5})
    ben = await shop.customer("Ben", attributes={"vip": False, "likes": ["tea"]})
    for customer, minor in ((ada, 100), (ben, 1000), (await shop.customer("Cy"), 10000)):
        await shop.buy(customer, "2024-01-03", minor)
    for name, wanted in (
        ("vip", {"true": 1, "false": 10, None: 100}),
        ("likes", {"tea": 11, "milk": 1, None: 100}),
        ("size", {"1.5": 1, None: 110}),
    ):
        group = f'groupBy: {{by: ATTRIBUTE, attribute: "{name}"}}'
        [found] = (await shop.ask(f"revenue({group}) {{ value groups {{ label value }} }}"))["revenue"]
        assert {one["label"]: one["value"] for one in found["groups"]} == wanted
        assert found["value"] == 111
    for name, told in (("colour", "There is no attribute 'colour'"), ("", "An attribute must be named")):
        [error] = await shop.client.errors(
            '{ analytics(window: {first: "2024-01-01", last: "2024-01-31"}) {'
            f' revenue(groupBy: {{by: ATTRIBUTE, attribute: "{name}"}}) {{ value }} }} }}'
        )
        assert told in error["message"]
        assert error["extensions"]["code"] == "BAD_INPUT"
        assert "likes, size, vip" in str(error)


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_groups_have_names_of_their_own(shop: Shop) -> None:
    twice = '{name: "a", filter: {stage: {eq: CUSTOMER}}}'
    text = (
        'query { analytics(window: {first: "2024-01-01", last: "2024-01-31"}) {'
        f" revenue(groupBy: {{by: FILTER, filters: [{twice}, {twice}]}}) {{ value }} }} }}"
    )
    [error] = await shop.client.errors(text)
    assert "'a' is there twice" in error["message"]
