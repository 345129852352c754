"""Rules and conditions that are refused: what makes no sense, and what names something that is not there."""

from typing import Any

import pytest

from crm_framework.testing import CrmClient

from .shop import Shop


@pytest.fixture
def shop(client: CrmClient) -> Shop:
    return Shop(client)


def eur(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


MAKES_NO_SENSE: list[tuple[dict[str, Any], list[str], str | None]] = [
    ({"name": " "}, ["name"], "A name has 1 to 200 printable characters."),
    ({"points": 0}, ["points"], "The rule gives nothing."),
    ({"points": -1}, ["points"], "-1 is out of range."),
    ({"trigger": "BIRTHDAY"}, ["attribute"], "The rule does not say which date is the birthday."),
    ({"attribute": "born"}, ["attribute"], "Only a birthday is the date of an attribute."),
    ({"trigger": "EVENT"}, ["kinds"], "The rule is for no event."),
    ({"trigger": "EVENT", "kinds": ["loyalty.x"]}, ["kinds", "0"], "Points for points would have no end."),
    ({"kinds": ["visit"]}, ["kinds"], "Only interactions and events have kinds."),
    (
        {"trigger": "INTERACTION", "kinds": ["visit", "purchase"]},
        ["kinds", "1"],
        "A purchase has a trigger of its own.",
    ),
    ({"trigger": "INTERACTION", "kinds": ["note"]}, ["kinds", "0"], None),
    ({"trigger": "SIGN_UP", "basis": "PER_AMOUNT"}, ["basis"], "A sign_up has no amount and no goods."),
    ({"refereePoints": 5}, ["refereePoints"], "Only a referral has two sides."),
    ({"per": {"amount": "1", "currency": "USD"}}, ["per", "currency"], "The programme counts EUR, not USD."),
    ({"per": {"amount": "1.234", "currency": "EUR"}}, ["per", "amount"], None),
    ({"per": {"amount": "0", "currency": "EUR"}}, ["per"], "0 is out of range."),
    ({"capPerDay": 0}, ["capPerDay"], "0 is out of range."),
    ({"expiresDays": 1, "neverExpires": True}, ["expiresDays"], "Points expire in one way only."),
    ({"conditions": {"segments": ["x"]}}, ["conditions", "segments", "0"], None),
    (
        {"conditions": {"skus": ["tea", "a" + "\u0301" * 400]}},
        ["conditions", "skus", "1"],
        "This text has 401 characters; 400 are allowed.",
    ),
    ({"conditions": {"tagsNone": ["a" * 401]}}, ["conditions", "tagsNone", "0"], None),
    (
        {"conditions": {"attributes": [{"name": "age"}]}},
        ["conditions", "attributes", "0"],
        "Nothing is said about the attribute age.",
    ),
    (
        {"conditions": {"attributes": [{"name": "age", "in": [1], "gte": 2}]}},
        ["conditions", "attributes", "0"],
        "The attribute age is one of a list or between two values, not both.",
    ),
    (
        {"trigger": "SIGN_UP", "conditions": {"leastTotal": eur("2")}},
        ["conditions", "leastTotal"],
        "A sign_up has no amount and no goods.",
    ),
    (
        {"trigger": "SIGN_UP", "conditions": {"channels": ["shop"]}},
        ["conditions", "channels"],
        "A sign_up comes over no channel.",
    ),
    (
        {"conditions": {"firstDay": "2026-05-02", "lastDay": "2026-05-01"}},
        ["conditions", "lastDay"],
        "It ends before it begins.",
    ),
    (
        {"conditions": {"leastTotal": eur("2"), "mostTotal": eur("1")}},
        ["conditions", "mostTotal"],
        "The least total is above the most.",
    ),
]


async def test_a_rule_that_makes_no_sense_is_refused(shop: Shop) -> None:
    program = await shop.program()
    for input, path, message in MAKES_NO_SENSE:
        given = {"program": program, "name": "Rule", "trigger": "PURCHASE", "points": 1} | input
        code, at, said = await shop.refused("createEarningRule", "rule { id }", **given)
        assert (code, at) == ("BAD_INPUT", path), input
        assert message in (None, said), input
    assert await shop.client.service.database.fetch("SELECT id FROM loyalty_rule") == []


def of(**attribute: Any) -> dict[str, Any]:
    return {"conditions": {"attributes": [attribute]}}


NOT_KNOWN: list[tuple[dict[str, Any], list[str], str, str]] = [
    (
        {"trigger": "INTERACTION", "kinds": ["visit", "vist"]},
        ["kinds", "1"],
        "'vist' is no kind of interaction.",
        "Did you mean 'visit'?",
    ),
    (
        {"trigger": "EVENT", "kinds": ["customer.taged"]},
        ["kinds", "0"],
        "There is no type of events 'customer.taged'.",
        "Did you mean customer.tagged?",
    ),
    # of a plugin that is not on; they are listed
    (
        {"trigger": "EVENT", "kinds": ["Zzz"]},
        ["kinds", "0"],
        "There is no type of events 'Zzz'.",
        "customer.tagged, ",
    ),
    (
        {"trigger": "BIRTHDAY", "attribute": "birthday"},
        ["attribute"],
        "There is no customer attribute of the type DATE 'birthday'.",
        "There are: born.",
    ),
    (
        {"trigger": "BIRTHDAY", "attribute": "age"},
        ["attribute"],
        "There is no customer attribute of the type DATE 'age'.",
        "There are: born.",
    ),
    (
        {"conditions": {"channels": ["shop", "fax machine"]}},
        ["conditions", "channels", "1"],
        "'fax machine' is no channel.",
        "Known are: ",
    ),
    (
        of(name="aeg", gte=1),
        ["conditions", "attributes", "0", "name"],
        "There is no customer attribute 'aeg'.",
        "There are: age, born, size.",
    ),
    (
        of(name="age", gte="18"),
        ["conditions", "attributes", "0", "gte"],
        "'18' is no value of the attribute age.",
        "Give a number.",
    ),
    (
        of(name="born", lte="1.5.2000"),
        ["conditions", "attributes", "0", "lte"],
        "'1.5.2000' is no value of the attribute born.",
        "Give a day such as 2026-01-31.",
    ),
    (
        of(**{"name": "size", "in": ["S", "XL"]}),
        ["conditions", "attributes", "0", "in", "1"],
        "'XL' is no value of the attribute size.",
        "Give a choice: S, M.",
    ),
    (
        of(name="size", gte="S"),
        ["conditions", "attributes", "0", "gte"],
        "The attribute size is a CHOICE, which is neither more nor less.",
        "Give in.",
    ),
    (
        of(name="age", gte=2, lte=1),
        ["conditions", "attributes", "0", "lte"],
        "The least is above the most.",
        "Change one of them.",
    ),
]


ATTRIBUTES: tuple[dict[str, Any], ...] = (
    {"name": "age", "type": "NUMBER"},
    {"name": "born", "type": "DATE"},
    {"name": "size", "type": "CHOICE", "choices": ["S", "M"]},
)


async def test_what_a_rule_names_is_there(shop: Shop) -> None:
    program = await shop.program()
    for attribute in ATTRIBUTES:
        await shop.change("defineAttribute", "attributeDefinition { id }", **attribute)
    rule = await shop.rule(program, "Fits", conditions={"attributes": [{"name": "size", "in": ["S"]}]})
    for input, path, message, hint in NOT_KNOWN:
        given = {"program": program, "name": "Rule", "trigger": "PURCHASE", "points": 1} | input
        [error] = (await shop.answer("createEarningRule", "rule { id }", **given))["errors"]
        assert (error["code"], error["path"], error["message"]) == ("BAD_INPUT", path, message)
        assert hint in error["hint"]
        if "conditions" in input:
            more: dict[str, Any] = {"conditions": input["conditions"]}
            refused = await shop.refused("updateEarningRule", "rule { id }", rule=rule, **more)
            assert refused == ("BAD_INPUT", path, message)
            more |= {"program": program, "name": "C", "percent": 200}
            refused = await shop.refused("createLoyaltyCampaign", "campaign { id }", **more)
            assert refused == ("BAD_INPUT", path, message)
    gone = (await shop.change("createSegment", "segment { id }", name="All", filter={}))["segment"]["id"]
    await shop.change("deleteSegment", "", id=gone)
    refused = await shop.refused(
        "updateEarningRule", "rule { id }", rule=rule, conditions={"segments": [gone]}
    )
    assert refused == ("NOT_FOUND", ["conditions", "segments", "0"], "There is no such segment.")
