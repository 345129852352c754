from datetime import UTC, datetime
from typing import Any

import pytest

from crm_framework.domain.contacts.points import Point
from crm_framework.domain.customers.record import Record
from crm_framework.domain.models import Consent, CustomerKind, CustomerStage
from crm_framework.domain.privacy.merge_rules import MergeConflict, united, united_points

JAN, FEB, MAR = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 3))


def record(key: str, **fields: Any) -> Record:
    given = {
        "kind": CustomerKind.PERSON,
        "stage": CustomerStage.PROSPECT,
        "name": "Ada",
        "sort_name": "ada",
        "attributes": {},
        "created_at": JAN,
        "updated_at": JAN,
        **fields,
    }
    return Record(id=key, **given)


def test_the_winners_word_counts_and_losers_fill_the_gaps_in_their_order() -> None:
    after, conflicts = united(
        record("w", company="Acme", attributes={"size": 1, "vip": None}),
        [
            record("a", company="ACME Inc", locale="de", attributes={"size": True, "vip": True}),
            record(
                "b", company="Acme", locale="fr", attributes={"size": 1, "colour": "red"}, confidential=True
            ),
        ],
    )
    assert (after.company, after.locale, after.confidential) == ("Acme", "de", True)
    assert after.attributes == {"size": 1, "vip": True, "colour": "red"}
    assert conflicts == [
        MergeConflict("company", "Acme", "a", "ACME Inc"),
        MergeConflict("locale", "de", "b", "fr"),
        MergeConflict("attributes.size", 1, "a", True),
    ]


def test_owner_and_backup_stay_two_persons() -> None:
    after, conflicts = united(record("w", owner_id="x"), [record("a", owner_id="y", backup_id="x")])
    assert (after.owner_id, after.backup_id) == ("x", None)
    assert conflicts == [MergeConflict("owner_id", "x", "a", "y")]
    after, _ = united(record("w"), [record("a", owner_id="y", backup_id="x")])
    assert (after.owner_id, after.backup_id) == ("y", "x")


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        (("PROSPECT", "PROSPECT"), ("PROSPECT", None)),
        (("PROSPECT", "FORMER"), ("FORMER", MAR)),
        (("FORMER", "CUSTOMER"), ("CUSTOMER", None)),
        (("FORMER", "FORMER"), ("FORMER", MAR)),
    ],
)
def test_one_relationship_has_the_furthest_stage(
    stages: tuple[str, str], expected: tuple[str, datetime | None]
) -> None:
    ends = [MAR if stage == "FORMER" else None for stage in stages]
    winner, loser = (
        record(key, stage=CustomerStage(stage), former_at=end)
        for key, stage, end in zip("wa", stages, ends, strict=True)
    )
    after, _ = united(winner, [loser])
    assert (after.stage.value, after.former_at) == expected


def test_dates_are_the_first_conversion_and_the_last_return_and_end() -> None:
    former = CustomerStage.FORMER
    after, _ = united(
        record("w", stage=former, converted_at=FEB, former_at=FEB),
        [record("a", stage=former, converted_at=JAN, returned_at=FEB, former_at=MAR), record("b")],
    )
    assert (after.converted_at, after.returned_at, after.former_at) == (JAN, FEB, MAR)


def test_merging_with_an_active_record_ends_the_archive() -> None:
    assert united(record("w", archived_at=JAN), [record("a")])[0].archived_at is None
    assert united(record("w", archived_at=JAN), [record("a", archived_at=FEB)])[0].archived_at == JAN


def point(key: str, value: str = "a@example.com", **fields: Any) -> Point:
    return Point(id=key, channel="email", value=value, normalized=value, **fields)


def test_points_are_united_and_the_winners_primary_one_stays() -> None:
    after, conflicts = united_points(
        [point("1", primary=True)],
        [
            ("a", [point("2", label="home"), point("3", "b@example.com", primary=True)]),
            ("b", [point("4", "b@example.com")]),
        ],
    )
    assert after == [point("1", primary=True, label="home"), point("3", "b@example.com", position=1)]
    assert conflicts == []
    only, _ = united_points([], [("a", [point("3", primary=True)])])
    assert only == [point("3", primary=True)]


IN, OUT, UNKNOWN = Consent.OPTED_IN, Consent.OPTED_OUT, Consent.UNKNOWN


@pytest.mark.parametrize(
    ("winner", "loser", "holds", "conflict"),
    [
        ((IN, JAN), (OUT, FEB), (OUT, FEB), ("OPTED_OUT", "OPTED_IN")),
        ((OUT, JAN), (IN, FEB), (IN, FEB), ("OPTED_IN", "OPTED_OUT")),
        ((OUT, FEB), (IN, JAN), (OUT, FEB), ("OPTED_OUT", "OPTED_IN")),
        ((IN, JAN), (OUT, JAN), (OUT, JAN), ("OPTED_OUT", "OPTED_IN")),
        ((IN, FEB), (OUT, None), (OUT, None), ("OPTED_OUT", "OPTED_IN")),
        ((UNKNOWN, None), (IN, JAN), (IN, JAN), None),
        ((OUT, JAN), (UNKNOWN, None), (OUT, JAN), None),
        ((IN, JAN), (IN, FEB), (IN, FEB), None),
    ],
)
def test_of_two_consents_the_later_holds_and_in_doubt_the_refusal(
    winner: tuple[Consent, datetime | None],
    loser: tuple[Consent, datetime | None],
    holds: tuple[Consent, datetime | None],
    conflict: tuple[str, str] | None,
) -> None:
    (after,), conflicts = united_points(
        [point("1", consent=winner[0], consent_at=winner[1])],
        [("a", [point("2", consent=loser[0], consent_at=loser[1])])],
    )
    assert (after.id, after.consent, after.consent_at) == ("1", *holds)
    expected = (
        [MergeConflict("consent.email.a@example.com", conflict[0], "a", conflict[1])] if conflict else []
    )
    assert conflicts == expected
