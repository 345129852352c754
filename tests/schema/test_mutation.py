"""The contract of mutations: one transaction each, expected failures in the answer, nothing half done."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import strawberry

from crm_framework.engine.errors import DeclarationError
from crm_framework.engine.parts import SchemaParts
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.events import CORE_EVENTS, Event
from crm_framework.hooks.dispatch import PluginHost
from crm_framework.schema.compose import compose
from crm_framework.schema.core import CORE_PARTS
from crm_framework.schema.inputs import optional, required, retry_key
from crm_framework.schema.mutation import mutation, payload
from crm_framework.storage.database import Database
from crm_framework.storage.events import EventTypes
from crm_framework.storage.ids import new_id
from crm_framework.storage.unit_of_work import UnitOfWork

from .conftest import Api, names


@payload
class TrialPayload:
    """What a trial did."""

    made: strawberry.Private[int | None] = None
    calls: int | None = strawberry.field(description="How often a trial has run.", default=None)


@strawberry.input(description="A trial.")
class TrialInput:
    error: str | None = optional("What goes wrong.")
    nested_members: list[str] = optional("Nothing.", default_factory=list)
    idempotency_key: str | None = retry_key()


@strawberry.input(description="A trial that must say something.")
class StrictInput:
    word: str = required("Something.")


@dataclass
class Calls:
    count: int = 0


CALLS = Calls()


@mutation(permission="customers.write")
async def trial(tx: UnitOfWork, input: TrialInput) -> TrialPayload:
    """Writes a member of staff, then fails as it is told to."""
    CALLS.count += 1
    await tx.execute(
        "INSERT INTO crm_staff (id, name, active, version, created_at, updated_at) VALUES (?, ?, ?, 1, ?, ?)",
        (f"00000000-0000-7000-8000-{CALLS.count:012d}", "Trial", True, tx.now, tx.now),
    )
    if input.error:
        raise _FAILURES[input.error]()
    return TrialPayload(made=CALLS.count, calls=CALLS.count)


@mutation(permission="customers.write", repeatable=True)
async def hasty_trial(tx: UnitOfWork, input: TrialInput) -> TrialPayload:
    """Assumes what is so after the first time only."""
    CALLS.count += 1
    assumed = tx.assume("SELECT 1 FROM crm_staff")
    tx.insert(
        "crm_staff",
        {"id": new_id(), "name": f"assumed: {assumed}", "created_at": tx.now, "updated_at": tx.now},
    )
    return TrialPayload(made=CALLS.count, calls=CALLS.count)


_FAILURES: dict[str, Callable[[], Exception]] = {
    "refused": lambda: CrmError(ErrorCode.REFUSED, "No.", path=("nested_members", 0), hint="Do."),
    "unavailable": lambda: CrmError(ErrorCode.UNAVAILABLE, "The disk is full."),
    "forbidden": lambda: CrmError(ErrorCode.FORBIDDEN, "Not yours."),
    "internal": lambda: CrmError(ErrorCode.INTERNAL, "The secret cause."),
    "crash": lambda: ZeroDivisionError("The secret cause."),
}


@pytest.fixture
def trials(database: Database) -> Api:
    database.event_types = EventTypes(CORE_EVENTS)
    CALLS.count = 0
    schema = compose([*CORE_PARTS, SchemaParts(mutation=[trial, hasty_trial])], PluginHost())
    return Api(schema, database, PluginHost())


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        ("refused", {"code": "REFUSED", "message": "No.", "path": ["nestedMembers", "0"], "hint": "Do."}),
        ("unavailable", {"code": "UNAVAILABLE", "message": "The disk is full.", "path": None, "hint": None}),
    ],
)
async def test_an_expected_failure_is_in_the_answer_and_nothing_is_changed(
    trials: Api, error: str, shown: dict[str, Any]
) -> None:
    assert await trials.errors("trial", {"error": error}) == [shown]
    assert await trials.count("crm_staff") == 0


async def test_no_address_of_a_database_reaches_a_client(
    trials: Api, caplog: pytest.LogCaptureFixture
) -> None:
    _FAILURES["away"] = lambda: CrmError(
        ErrorCode.UNAVAILABLE, f"{name} is read-only.", hint=f"Make {name} writable."
    )
    name = trials.database.name
    (error,) = await trials.errors("trial", {"error": "away"})
    assert (error["message"], error["hint"]) == ("The database is read-only.", "Make the database writable.")
    shown = trials.context().translate(_FAILURES["away"]())
    assert shown is not None
    assert shown.message == "The database is read-only. Make the database writable."
    assert caplog.messages == [f"database unavailable: {name} is read-only. Make {name} writable."] * 2


@pytest.mark.parametrize(
    ("error", "code"), [("forbidden", "FORBIDDEN"), ("internal", "INTERNAL"), ("crash", "INTERNAL")]
)
async def test_what_is_no_answer_stands_beside_the_data(trials: Api, error: str, code: str) -> None:
    found, message = await trials.refused(f'mutation {{ trial(input: {{error: "{error}"}}) {{ calls }} }}')
    assert found == code
    assert "secret" not in message
    assert await trials.count("crm_staff") == 0


async def test_root_fields_run_one_after_another_each_in_its_own_transaction(trials: Api) -> None:
    result = await trials.ask(
        """mutation { a: trial(input: {}) { calls errors { code } }
          b: trial(input: {error: "refused"}) { calls errors { code } }
          c: trial(input: {}) { calls errors { code } } }"""
    )
    assert result.errors == []
    assert result.data == {
        "a": {"calls": 1, "errors": []},
        "b": {"calls": None, "errors": [{"code": "REFUSED"}]},
        "c": {"calls": 3, "errors": []},
    }
    assert await trials.count("crm_staff") == 2


@pytest.mark.parametrize("input", ["{}", '{idempotencyKey: "k"}'])
async def test_a_repeatable_one_runs_again_where_it_assumed_too_much(trials: Api, input: str) -> None:
    ask = f"mutation {{ hastyTrial(input: {input}) {{ calls errors {{ code }} }} }}"
    assert await trials.data(ask) == {"hastyTrial": {"calls": 2, "errors": []}}
    rows = await trials.database.fetch("SELECT name FROM crm_staff")
    assert rows == [{"name": "assumed: False"}]
    other = ask.replace('"k"', '"l"')
    assert await trials.data(other) == {"hastyTrial": {"calls": 3, "errors": []}}
    rows = await trials.database.fetch("SELECT name FROM crm_staff ORDER BY name")
    assert rows == [{"name": "assumed: False"}, {"name": "assumed: True"}]


CUSTOMER = """{
    id version name kind stage company email phone city country locale timeZone confidential attributes
    createdAt updatedAt convertedAt formerAt archivedAt contactPoints { channel value } owner { name } }"""


async def test_what_was_written_alone_is_not_read_back(api: Api) -> None:
    minimal = {"name": "Ann"}
    full = {
        "name": "Zoë & Søn",
        "kind": "ORGANISATION",
        "stage": "CUSTOMER",
        "company": "Zoë",
        "phone": "+49 30 123456",
        "city": "Köln",
        "country": "DE",
        "locale": "de-DE",
        "timeZone": "Europe/Berlin",
        "confidential": True,
        "convertedAt": "2024-01-01T02:00:00.123456+02:00",
    }
    sized = {"name": "Ben", "attributes": {"size": 1.50}}
    await api.change("defineAttribute", {"name": "size", "type": "NUMBER"}, "attributeDefinition { id }")
    ask = f"query($id: ID!) {{ customer(id: $id) {CUSTOMER} }}"
    for input in (minimal, full, sized):
        made = (await api.change("createCustomer", input, f"customer {CUSTOMER}"))["customer"]
        id = made["id"]
        assert await api.data(ask, id=id) == {"customer": made}
    for kind, input in (
        ("Customer", {"name": "Ann"}),
        ("Interaction", {"customer": id, "kind": "call", "occurredAt": "2024-01-01T02:00:00.5+02:00"}),
    ):
        verb, select = {
            "Customer": ("create", "customer { id name createdAt stage confidential }"),
            "Interaction": ("log", "interaction { id kind occurredAt direction subject channel }"),
        }[kind]
        made = (await api.change(f"{verb}{kind}", input, select))[kind.lower()]
        assert [sql for sql in api.statements if sql.startswith("SELECT")] == []
        field = select.partition(" ")
        asked = await api.data(f"query($id: ID!) {{ {field[0]}(id: $id) {field[2]} }}", id=made["id"])
        assert asked == {field[0]: made}


async def test_what_a_handler_may_have_changed_is_read_back(api: Api) -> None:
    class Renaming:
        name = "renaming"

        async def __call__(self, events: Sequence[Event], tx: UnitOfWork) -> None:
            await tx.execute("UPDATE crm_customer SET name = 'Renamed'")

    api.database.handlers = [Renaming()]
    made = await api.change("createCustomer", {"name": "Ann"}, "customer { name }")
    assert made["customer"] == {"name": "Renamed"}


async def test_who_cannot_be_told_what_is_stored_is_told_that_it_is(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a client asks for it once more, and has it twice."""
    fetch = api.database.fetch

    async def away(sql: str, args: Sequence[object] = (), *, bounded: bool = False) -> Any:
        if "crm_customer_tag" in sql:
            raise CrmError(ErrorCode.UNAVAILABLE, "The server is away.", hint="Try again.")
        return await fetch(sql, args, bounded=bounded)

    monkeypatch.setattr(api.database, "fetch", away)
    asked = """mutation {
        made: createCustomer(input: {name: "Ann"}) { customer { name tags } errors { code } }
        refused: createCustomer(input: {name: ""}) { customer { tags } errors { code } } }"""
    answer = await api.ask(asked)
    assert answer.output is not None
    assert answer.output["refused"] == {"customer": None, "errors": [{"code": "BAD_INPUT"}]}
    [error] = answer.errors
    assert error["path"][:2] == ["made", "customer"]
    assert error["message"] == (
        "The change is stored, but this could not be read back: The server is away."
        " Read it; do not repeat the change."
    )
    assert error["extensions"] == {"code": "TIMEOUT", "stored": True}
    assert len(await fetch("SELECT id FROM crm_customer")) == 1
    answer = await api.ask("{ customers { nodes { tags } } }")
    assert answer.errors[0]["message"] == "The server is away. Try again."
    assert answer.errors[0]["extensions"] == {"code": "TIMEOUT"}


async def test_the_same_key_again_runs_nothing(trials: Api) -> None:
    for _ in range(2):
        await trials.change("trial", {"idempotencyKey": "k"}, "calls")
    assert (CALLS.count, await trials.count("crm_staff")) == (1, 1)
    (error,) = await trials.errors("trial", {"idempotencyKey": "k", "nestedMembers": ["x"]})
    assert (error["code"], error["path"]) == ("CONFLICT", ["idempotencyKey"])
    assert CALLS.count == 1


async def test_the_same_key_at_the_same_moment_runs_once(trials: Api) -> None:
    text = 'mutation { trial(input: {idempotencyKey: "k"}) { errors { code } } }'
    results = await asyncio.gather(*(trials.ask(text) for _ in range(8)))
    assert [result.errors for result in results] == [[]] * 8
    assert await trials.count("crm_staff") == 1


async def test_the_answer_is_read_after_the_commit(api: Api) -> None:
    seen: list[int] = []

    class Watch:
        name = "watch"

        async def __call__(self, events: Any, tx: UnitOfWork) -> None:
            rows = await api.database.fetch("SELECT COUNT(*) AS n FROM crm_customer")
            seen.append(rows[0]["n"])

    api.database.handlers = [Watch()]
    made = await api.change("createCustomer", {"name": "Ann"}, "customer { name version }")
    assert seen == [0]  # others do not see it before the commit
    assert made["customer"] == {"name": "Ann", "version": 1}


async def test_a_plugin_that_refuses_the_change_is_an_expected_failure(api: Api) -> None:
    class Guard:
        name = "guard"

        async def __call__(self, events: Sequence[Event], tx: UnitOfWork) -> None:
            raise CrmError(ErrorCode.REFUSED, "Not on Sundays.", hint="Come back tomorrow.")

    api.database.guards = [Guard()]
    assert await api.errors("createCustomer", {"name": "Ann"}) == [
        {"code": "REFUSED", "message": "Not on Sundays.", "path": None, "hint": "Come back tomorrow."}
    ]
    api.database.guards = ()
    assert await names(api) == []


async def test_a_value_of_the_wrong_type_is_refused_before_anything_runs(api: Api) -> None:
    for input in ("{}", "{name: 5}", '{name: "x", stage: GONE}', '{name: "x", nothing: 1}'):
        code, _ = await api.refused(f"mutation {{ createCustomer(input: {input}) {{ errors {{ code }} }} }}")
        assert code == "BAD_INPUT"
    assert await api.count("crm_customer") == 0


def test_what_is_no_mutation_is_refused_when_it_is_declared() -> None:
    async def without_transaction(input: StrictInput) -> TrialPayload:
        """Cannot change anything."""
        return TrialPayload()

    with pytest.raises(DeclarationError, match="Write async def …\\(tx, input\\)"):
        mutation(permission="customers.write")(without_transaction)
    with pytest.raises(DeclarationError, match="the payload has no description"):
        payload(type("Bare", (), {}))
