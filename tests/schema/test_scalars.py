"""The spellings that each scalar takes and refuses."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
import strawberry
from graphql import GraphQLError
from strawberry.scalars import JSON
from strawberry.schema.config import StrawberryConfig

from crm_framework import BigInt
from crm_framework.engine import EngineSchema
from crm_framework.schema import scalars
from tests.engine.spec.harness import ASKS, answering


def read(kind: object, value: object) -> object:
    parse = scalars.SCALARS[kind].parse_value
    assert parse is not None
    return parse(value)


def show(kind: object, value: object) -> object:
    serialize = scalars.SCALARS[kind].serialize
    assert serialize is not None
    return serialize(value)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-01T09:30:00Z", datetime(2026, 3, 1, 9, 30, tzinfo=UTC)),
        ("2026-03-01T09:30:00+02:00", datetime(2026, 3, 1, 7, 30, tzinfo=UTC)),
        ("2026-03-01t09:30:00.25z", datetime(2026, 3, 1, 9, 30, 0, 250000, tzinfo=UTC)),
        ("2026-03-01T09:30:00.123456789Z", datetime(2026, 3, 1, 9, 30, 0, 123456, tzinfo=UTC)),
    ],
)
def test_moment_is_read_in_utc(text: str, moment: datetime) -> None:
    assert read(datetime, text) == moment
    assert read(datetime, text).utcoffset() == timedelta(0)  # type: ignore[attr-defined]  # a datetime by the line above


@pytest.mark.parametrize(
    "value",
    [
        "2026-03-01T09:30:00",
        "2026-03-01",
        "2026-02-30T00:00:00Z",
        "now",
        "",
        5,
        None,
        "0001-01-01T00:00:00+10:00",
    ],
)
def test_moment_without_offset_or_sense_is_refused(value: object) -> None:
    with pytest.raises(GraphQLError, match="is not a DateTime: write RFC 3339 with an offset"):
        read(datetime, value)


def test_moment_is_shown_in_utc() -> None:
    assert (
        show(datetime, scalars.parse_date_time("2026-03-01T09:30:00.5+05:30"))
        == "2026-03-01T04:00:00.500000Z"
    )
    with pytest.raises(ValueError, match="without a time zone"):
        show(datetime, datetime(2026, 3, 1))


def test_date() -> None:
    assert read(date, "2026-02-28") == date(2026, 2, 28)
    assert show(date, date(2026, 2, 28)) == "2026-02-28"
    for wrong in ("2026-2-28", "20260228", "2026-02-29", 20260228):
        with pytest.raises(GraphQLError, match="is not a Date: write YYYY-MM-DD"):
            read(date, wrong)


@pytest.mark.parametrize(
    ("text", "length", "shown"),
    [
        ("PT1H30M", timedelta(minutes=90), "PT1H30M"),
        ("P1DT2H", timedelta(hours=26), "PT26H"),
        ("P2W", timedelta(weeks=2), "PT336H"),
        ("PT0S", timedelta(0), "PT0S"),
        ("PT45S", timedelta(seconds=45), "PT45S"),
    ],
)
def test_duration(text: str, length: timedelta, shown: str) -> None:
    assert read(timedelta, text) == length
    assert show(timedelta, length) == shown


@pytest.mark.parametrize(
    "value", ["P", "PT", "P1Y", "P1M", "1h", "PT1.5H", "P1DT", "P1WT1H", 90, "P9999999999W"]
)
def test_duration_of_no_fixed_length_is_refused(value: object) -> None:
    with pytest.raises(GraphQLError, match="is not a Duration: write ISO 8601"):
        read(timedelta, value)


def test_duration_beyond_what_can_be_held_is_refused() -> None:
    with pytest.raises(GraphQLError, match="is not a Duration"):
        read(timedelta, "P999999999W")
    assert read(timedelta, "P9999999W") == timedelta(weeks=9_999_999)


@pytest.mark.parametrize(
    ("value", "number"),
    [("12.50", Decimal("12.50")), (3, Decimal(3)), (0.1, Decimal("0.1")), ("-1e3", Decimal(-1000))],
)
def test_decimal(value: object, number: Decimal) -> None:
    assert read(Decimal, value) == number


@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "1e999999999", "1e-999999999", "", "1,5", True, None, [1]]
)
def test_decimal_that_is_none_is_refused(value: object) -> None:
    with pytest.raises(GraphQLError, match="is not a Decimal: write a number"):
        read(Decimal, value)


@pytest.mark.parametrize("size", [101, 100_000])
def test_a_long_text_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    class Unread(Decimal):
        def __new__(cls, *args: object) -> "Unread":
            raise AssertionError("it was read")

    class Unmatched:
        def fullmatch(self, text: str) -> None:
            raise AssertionError("it was read")

    monkeypatch.setattr(scalars, "Decimal", Unread)
    for name in ("_DATE_TIME", "_DATE", "_DURATION", "_BIG_INT"):
        monkeypatch.setattr(scalars, name, Unmatched())
    kinds = {datetime: "DateTime", date: "Date", timedelta: "Duration", Decimal: "Decimal", BigInt: "BigInt"}
    for kind, name in kinds.items():
        with pytest.raises(GraphQLError, match=rf"^'{'1' * 59}…' is not a {name}: write "):
            read(kind, "1" * size)


def test_of_a_wrong_value_no_more_is_written_than_is_shown() -> None:
    class Told:
        times = 0

        def __repr__(self) -> str:
            Told.times += 1
            return "told"

    with pytest.raises(
        GraphQLError, match=r"^\[told, told, told, told, told, told, \.\.\.\] is not a Date: "
    ):
        read(date, [Told()] * 1_000)
    assert Told.times == 6


def test_decimal_is_shown_without_an_exponent() -> None:
    assert show(Decimal, Decimal("1E+3")) == "1000"
    assert show(Decimal, Decimal("12.50")) == "12.50"


UNWRITABLE = [
    (Decimal(1), "Type is not JSON serializable: decimal.Decimal"),
    ({"a": {1}}, "Type is not JSON serializable: set"),
    ([2**64], "Integer exceeds 64-bit range"),
    ({1: 2}, "Dict key must be str"),
    ("\ud800", "str is not valid UTF-8: surrogates not allowed"),
]


@pytest.mark.parametrize("asked", list(ASKS))
@pytest.mark.parametrize(("value", "problem"), UNWRITABLE, ids=[problem for _, problem in UNWRITABLE])
async def test_what_cannot_be_written_as_json_fails_its_own_field(
    value: object, problem: str, asked: str
) -> None:
    """From a resolver of the engine's, from Strawberry's own, and from one that graphql-core is left."""
    fine = {"a": [1, None, "x", 1.5]}

    @strawberry.type
    class Facts:
        given: JSON | None

        @strawberry.field
        def plain(self) -> JSON | None:
            "By Strawberry."
            return self.given

        @strawberry.field
        def informed(self, info: strawberry.Info) -> JSON | None:
            "By graphql-core."
            return self.given

        @strawberry.field
        def surely(self) -> JSON:
            "Never null."
            return JSON(value)

        @strawberry.field
        def several(self) -> list[JSON | None]:
            "Of which one can be written."
            return [JSON(fine), self.given]

    fields = [
        answering("bad", Facts | None, lambda: Facts(given=JSON(value))),
        answering("fine", JSON, lambda: fine),
    ]
    query = strawberry.type(type("Query", (), {field.python_name: field for field in fields}))
    schema = EngineSchema(
        query, config=StrawberryConfig(scalar_map=scalars.SCALARS), plain_scalars=scalars.PLAIN_SCALARS
    )
    for key in ("given", "plain", "informed"):
        result = await ASKS[asked].result(schema, f"{{ fine bad {{ {key} several }} }}")
        assert result.data == {"fine": fine, "bad": {key: None, "several": [fine, None]}}
        assert {(*error["path"], error["message"].partition(": ")[2]) for error in result.errors} == {
            ("bad", key, problem),
            ("bad", "several", 1, problem),
        }
    result = await ASKS[asked].result(schema, "{ fine bad { given surely } }")
    assert result.data == {"fine": fine, "bad": None}
    assert [error["path"] for error in result.errors] == [["bad", "surely"]]


@pytest.mark.parametrize(
    ("given", "number", "shown"),
    [
        (0, 0, 0),
        (2**31, 2**31, 2**31),
        (2**53 - 1, 2**53 - 1, 2**53 - 1),
        (2**53, 2**53, "9007199254740992"),
        ("9007199254740993", 2**53 + 1, "9007199254740993"),
        ("-9223372036854775808", -(2**63), "-9223372036854775808"),
        (2**63 - 1, 2**63 - 1, "9223372036854775807"),
        (3.0, 3, 3),
        ("-5", -5, -5),
    ],
)
def test_whole_number_beyond_32_bits_is_exact(given: object, number: int, shown: object) -> None:
    found = read(BigInt, given)
    assert (type(found), found) == (int, number)
    written = show(BigInt, found)
    assert (type(written), written) == (type(shown), shown)
    assert read(BigInt, written) == number


@pytest.mark.parametrize(
    "value",
    [2**63, -(2**63) - 1, "9223372036854775808", 2.0**53, 2.5, True, None, "", "1.0", "1e3", "+1", "01", "-",
     "٣", " 1", "1" * 5000, [1], float("inf"), float("nan")],
)  # fmt: skip
def test_what_is_no_whole_number_of_64_bits_is_refused(value: object) -> None:
    with pytest.raises(GraphQLError, match="is not a BigInt: write a whole number from -2\\^63 to"):
        read(BigInt, value)


def test_what_no_whole_number_is_is_not_shown_as_one() -> None:
    for wrong in (1.0, True, "1", None):
        with pytest.raises(ValueError, match="is no whole number"):
            show(BigInt, wrong)
