"""Earning rules over the API."""

from datetime import date, datetime
from typing import Any

import strawberry
from strawberry import ID, Info

from crm_framework import (
    INTERNAL,
    Batch,
    BigInt,
    Connection,
    MoneyInput,
    Node,
    OrderField,
    Orders,
    Through,
    UnitOfWork,
    among,
    batch,
    children,
    chosen,
    column,
    connection,
    describe,
    expected,
    format_minor,
    given,
    key_of,
    mutation,
    node,
    optional,
    payload,
    reference,
    renamed,
    required,
    retry_key,
)
from crm_loyalty.programs.graphql import READ, WRITE, LoyaltyProgram

from .changes import create_rule, end_rule, update_rule
from .inputs import JSON, EarningConditionsInput, conditions_of, in_currency, shown
from .rules import Basis, Trigger
from .says import Says
from .store import currency_of, currency_of_rule, unit_minor

describe(
    Trigger,
    "What a rule gives points for.",
    name="LoyaltyTrigger",
    PURCHASE="A purchase.",
    INTERACTION="Another touch, such as a visit.",
    SIGN_UP="A new customer.",
    BIRTHDAY="A day of the year that an attribute holds.",
    REFERRAL="The first purchase of a customer who came by another one.",
    EVENT="Any other event, by its type.",
)
describe(
    Basis,
    "What a rule's points are for.",
    name="LoyaltyBasis",
    FIXED="Each cause.",
    PER_AMOUNT="An amount of money.",
    PER_ITEM="Each piece of goods.",
)


@node(
    table="loyalty_rule_version",
    permission=READ,
    hidden={"rule_id": str, "conditions": JSON, "per_minor": int},
    shared=True,
)
class LoyaltyEarningRuleVersion(Node):
    """What a rule says, or said, for a time. Never changed: a change is another version."""

    number: int = column("1 for the first, and so on.")
    from_at: datetime | None = column("For what happened from then on; null: also before it was made.")
    until_at: datetime | None = column("For what happened before then; null: it holds.")
    trigger: Trigger = column("What it gives points for.")
    basis: Basis = column("What its points are for.")
    points: BigInt = column("How many: for each amount, piece or cause.")
    referee_points: BigInt = column("Of a referral: for the one who came; `points` are for the other.")
    whole_steps: bool = column("Whether only full amounts count.")
    kinds: list[str] = column("Of which interactions, or which types of events; empty: of all.")
    attribute: str | None = column("Of a birthday: the attribute with the date.")
    priority: int = column("The highest comes first.")
    cap_per_cause: BigInt | None = column("Points at most for one cause.")
    cap_per_day: BigInt | None = column("Points at most for a customer on a day, where the programme is.")
    cap_per_customer: BigInt | None = column("Points at most for a customer in all.")
    pending_days: int | None = column("Days until its points can be spent; null: as the programme says.")
    expires_months: int | None = column("Months after which its points expire.")
    expires_days: int | None = column("Days after which its points expire.")
    never_expires: bool = column(
        "Whether its points never expire; if nothing is said, the programme decides."
    )
    created_at: datetime = column("When it was made.")

    @batch(needs=("rule_id", "per_minor"), restricted=True)
    @staticmethod
    async def per(each: Batch["LoyaltyEarningRuleVersion"], info: Info) -> list[str]:
        """The amount for which the points are given, such as `1.00 EUR`."""
        currencies = await _currencies(each, info)
        return [
            f"{format_minor(minor, currency)} {currency}"
            for minor, currency in zip(each.column("per_minor"), currencies, strict=True)
        ]

    @batch(needs=("rule_id", "conditions"), permission=INTERNAL, restricted=True)
    @staticmethod
    async def conditions(each: Batch["LoyaltyEarningRuleVersion"], info: Info) -> list[JSON]:
        """On what it depends besides, as `EarningConditionsInput` says it; only what was given."""
        currencies = await _currencies(each, info)
        return [
            shown(value, currency)
            for value, currency in zip(each.column("conditions"), currencies, strict=True)
        ]


async def _currencies(each: Batch[LoyaltyEarningRuleVersion], info: Info) -> list[str]:
    reader = info.context.reader
    keys = each.column("rule_id")
    where = among("r.id", sorted(set(keys)), reader.dialect)
    rows = await reader.rows(
        "SELECT CAST(r.id AS TEXT), p.currency FROM loyalty_rule r"
        " JOIN loyalty_program p ON p.id = r.program_id"
        f" WHERE {where.sql}",
        where.args,
        bounded=True,
    )
    found = {str(key): currency for key, currency in rows}
    return [found[key] for key in keys]


VERSION_ORDERS = Orders(
    "LoyaltyEarningRuleVersionOrder", [OrderField("NUMBER", "int", "By number.", column="number")]
)


@node(table="loyalty_rule", permission=READ, hidden={"program_id": str}, shared=True)
class LoyaltyEarningRule(Node):
    """What earns points, and how many."""

    version: int = column("Grows by one with each change.")
    name: str = column("Its name; no two rules of a programme share one.")
    active: bool = column("Whether it earns something for what happens now.")
    created_at: datetime = column("When it was made.")
    updated_at: datetime = column("When it last changed.")
    program: LoyaltyProgram = reference("program_id", "The programme.")
    versions: Connection[LoyaltyEarningRuleVersion] = connection(
        key="rule_id",
        orders=VERSION_ORDERS,
        default_order=("-NUMBER",),
        description="What it says and said, the latest first.",
    )


RULE_ORDERS = Orders(
    "LoyaltyEarningRuleOrder",
    [
        OrderField("NAME", "string", "By name.", column="name"),
        OrderField("CREATED_AT", "datetime", "By the moment it was made.", column="created_at"),
    ],
)


class OfProgram:
    """Fields of LoyaltyProgram."""

    rules: Connection[LoyaltyEarningRule] = connection(
        key="program_id",
        orders=RULE_ORDERS,
        default_order=("CREATED_AT",),
        permission=READ,
        description="Its earning rules, in the order in which they were made.",
    )


@node(
    table="loyalty_share",
    permission=READ,
    hidden={"rule_id": str | None, "rule_version_id": str | None},
    owner=Through("account_id", "loyalty_account"),
)
class LoyaltyShare(Node):
    """What one rule gave for a cause, or what a replay gave or took."""

    points: BigInt = column("Points; negative where a replay took them.")
    because: str = column("How they came about.")
    day: date = column("The day of the cause, where the programme is.")
    rule: LoyaltyEarningRule | None = reference("rule_id", "The rule; null for the programme's own rate.")
    rule_version: LoyaltyEarningRuleVersion | None = reference("rule_version_id", "What the rule said then.")


class OfEntry:
    """Fields of LoyaltyEntry."""

    shares: list[LoyaltyShare] = children(
        key="entry_id",
        order=("id",),
        permission=READ,
        description="Which rules gave how much of it, and why; empty for what no rule gave.",
    )


@strawberry.input(description="What a rule gives, and for what.")
class CreateEarningRuleInput:
    program: ID = required("In which programme.")
    name: str = required("Its name; no two rules of a programme share one.")
    trigger: Trigger = required("What it gives points for.")
    basis: Basis = optional("What its points are for.", default=Basis.FIXED)
    points: BigInt = required("How many: for each amount, piece or cause.")
    per: MoneyInput | None = optional(
        "The amount for which they are given; a unit of the currency if left out."
    )
    whole_steps: bool = optional("Whether only full amounts count.", default=False)
    referee_points: BigInt = optional("Of a referral: for the one who came.", default=0)
    kinds: list[str] | None = optional("Of which interactions, or which types of events.")
    attribute: str | None = optional("Of a birthday: the attribute with the date.")
    priority: int = optional("The highest comes first.", default=0)
    conditions: EarningConditionsInput | None = optional("On what it depends besides.")
    cap_per_cause: BigInt | None = optional("Points at most for one cause.")
    cap_per_day: BigInt | None = optional("Points at most for a customer on a day, where the programme is.")
    cap_per_customer: BigInt | None = optional("Points at most for a customer in all.")
    pending_days: int | None = optional(
        "Days until its points can be spent; as the programme says if left out."
    )
    expires_months: int | None = optional("Months after which its points expire.")
    expires_days: int | None = optional("Days after which its points expire.")
    never_expires: bool = optional("Whether its points never expire.", default=False)
    from_at: datetime | None = optional(
        "It counts for what happened from then on; for all that is told from now on if left out."
    )
    idempotency_key: str | None = retry_key()


@strawberry.input(description="What a rule says from now on. What is left out stays.")
class UpdateEarningRuleInput:
    rule: ID = required("Which rule; one that has ended begins again.")
    name: str | None = optional("Its name.")
    points: BigInt | None = optional("How many.")
    per: MoneyInput | None = optional("The amount for which they are given.")
    whole_steps: bool | None = optional("Whether only full amounts count.")
    referee_points: BigInt | None = optional("Of a referral: for the one who came.")
    kinds: list[str] | None = optional("Of which interactions, or which types of events.")
    attribute: str | None = optional("Of a birthday: the attribute with the date.")
    priority: int | None = optional("The highest comes first.")
    conditions: EarningConditionsInput | None = optional(
        "On what it depends besides, all of it; null: on nothing."
    )
    cap_per_cause: BigInt | None = optional("Points at most for one cause; null: any.")
    cap_per_day: BigInt | None = optional("Points at most for a customer on a day; null: any.")
    cap_per_customer: BigInt | None = optional("Points at most for a customer in all; null: any.")
    pending_days: int | None = optional("Days until its points can be spent; null: as the programme says.")
    expires_months: int | None = optional("Months after which its points expire; null: not so.")
    expires_days: int | None = optional("Days after which its points expire; null: not so.")
    never_expires: bool | None = optional("Whether its points never expire.")
    expected_version: int | None = expected()


@strawberry.input(description="A rule that ends.")
class EndEarningRuleInput:
    rule: ID = required("Which rule.")
    expected_version: int | None = expected()


@payload
class EarningRulePayload:
    """The rule after the change."""

    rule_id: strawberry.Private[str | None] = None
    rule: LoyaltyEarningRule | None = reference("rule_id", "The rule; null on failure.")


@mutation(permission=WRITE, everyone=True)
async def create_earning_rule(tx: UnitOfWork, input: CreateEarningRuleInput) -> EarningRulePayload:
    """Makes a rule: what it is about earns points from now on, or from the moment that is given."""
    program = key_of(input.program, LoyaltyProgram, path=("program",))
    currency = await currency_of(tx, program)
    per = in_currency(input.per, currency, "per")
    with _named():
        says = Says(
            trigger=input.trigger,
            basis=input.basis,
            points=input.points,
            per_minor=unit_minor(currency) if per is None else per,
            whole_steps=input.whole_steps,
            referee_points=input.referee_points,
            kinds=tuple(chosen(input.kinds) or ()),
            attribute=chosen(input.attribute),
            priority=input.priority,
            conditions=conditions_of(chosen(input.conditions), currency),
            cap_per_cause=chosen(input.cap_per_cause),
            cap_per_day=chosen(input.cap_per_day),
            cap_per_customer=chosen(input.cap_per_customer),
            pending_days=chosen(input.pending_days),
            expires_months=chosen(input.expires_months),
            expires_days=chosen(input.expires_days),
            never_expires=input.never_expires,
        )
        key = await create_rule(tx, program, input.name, says, from_at=chosen(input.from_at))
    return EarningRulePayload(rule_id=key)


NEVER_NULL = ("name", "points", "per", "whole_steps", "referee_points", "kinds", "priority", "never_expires")


@mutation(permission=WRITE, everyone=True)
async def update_earning_rule(tx: UnitOfWork, input: UpdateEarningRuleInput) -> EarningRulePayload:
    """Lets a rule say something else from now on. What it said before holds for what happened before."""
    key = key_of(input.rule, LoyaltyEarningRule, path=("rule",))
    values: dict[str, Any] = {
        name: value
        for name, value in given(
            input, leave_out=("rule", "name", "per", "conditions", "expected_version")
        ).items()
        if value is not None or name not in NEVER_NULL
    }
    if "kinds" in values:
        values["kinds"] = tuple(values["kinds"])
    said = given(input)
    if "per" in said or "conditions" in said:
        currency = await currency_of_rule(tx, key)
        if chosen(input.per) is not None:
            values["per_minor"] = in_currency(input.per, currency, "per")
        if "conditions" in said:
            values["conditions"] = conditions_of(input.conditions, currency)
    with _named():
        await update_rule(
            tx, key, values, name=chosen(input.name), expected_version=chosen(input.expected_version)
        )
    return EarningRulePayload(rule_id=key)


@mutation(permission=WRITE, everyone=True)
async def end_earning_rule(tx: UnitOfWork, input: EndEarningRuleInput) -> EarningRulePayload:
    """Lets a rule earn nothing from now on. What it earned stays; `updateEarningRule` begins it again."""
    key = key_of(input.rule, LoyaltyEarningRule, path=("rule",))
    await end_rule(tx, key, expected_version=chosen(input.expected_version))
    return EarningRulePayload(rule_id=key)


def _named() -> Any:
    return renamed(per_minor="per")


MUTATIONS = (create_earning_rule, end_earning_rule, update_earning_rule)
