"""The short forms as functions of lists, and the one primary per channel."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_framework.domain.contacts.points import NewContactPoint, Point, arrange, check_point, primary_columns
from crm_framework.domain.contacts.shorts import add_short, set_short, set_town
from crm_framework.domain.models import Consent
from crm_framework.errors import CrmError

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def points(*values: str, consent: str = "UNKNOWN") -> list[Point]:
    return arrange(
        check_point(NewContactPoint(channel="email", value=value, consent=consent), region=None, now=NOW)
        for value in values
    )


def email(listed: list[Point]) -> list[tuple[str, bool]]:
    return [(point.normalized, point.primary) for point in listed]


def test_adding_keeps_the_others() -> None:
    before = points("a@example.com", "b@example.com")
    added = add_short(before, "email", "C@example.com", region=None, path=("email",))
    assert email(added) == [("a@example.com", False), ("b@example.com", False), ("c@example.com", True)]
    known = add_short(before, "email", "B@example.com", region=None, path=("email",))
    assert email(known) == [("a@example.com", False), ("b@example.com", True)]


def test_setting_replaces_the_primary() -> None:
    before = points("a@example.com", "b@example.com")
    after = set_short(before, "email", "c@example.com", region=None, path=("email",))
    assert email(after) == [("c@example.com", True), ("b@example.com", False)]
    assert after[0].id == before[0].id
    other = set_short(before, "email", "b@example.com", region=None, path=("email",))
    assert email(other) == [("a@example.com", False), ("b@example.com", True)]
    assert email(set_short(before, "email", None, region=None, path=())) == [("b@example.com", True)]
    assert set_short([], "email", " ", region=None, path=()) == []


@pytest.mark.parametrize(
    ("given_consent", "text", "after"),
    [
        ("OPTED_IN", "b@example.com", Consent.UNKNOWN),
        ("OPTED_IN", "A@Example.com", Consent.OPTED_IN),
        ("OPTED_OUT", "b@example.com", Consent.OPTED_OUT),
    ],
)
def test_an_opt_in_belongs_to_its_address_and_a_refusal_to_the_person(
    given_consent: str, text: str, after: Consent
) -> None:
    (point,) = set_short(
        points("a@example.com", consent=given_consent), "email", text, region=None, path=("email",)
    )
    assert (point.consent, point.consent_at) == (after, None if after is Consent.UNKNOWN else NOW)


def test_towns() -> None:
    bonn = set_town([], {"city": "Bonn", "country": None})
    assert [point.value for point in bonn] == ["Bonn"]
    german = set_town(bonn, {"country": "DE"})
    assert (german[0].id, german[0].value, german[0].address) == (
        bonn[0].id,
        "Bonn, DE",
        {"city": "Bonn", "country": "DE"},
    )
    assert set_town(german, {"city": None, "country": None}) == []
    assert set_town([], {"city": " "}) == []


def test_an_address_that_was_typed_stays_as_typed() -> None:
    typed = arrange(
        [check_point(NewContactPoint(channel="address", value="Markt 1, Bonn"), region=None, now=NOW)]
    )
    (point,) = set_town(typed, {"city": "Bonn"})
    assert (point.value, point.address) == ("Markt 1, Bonn", {"city": "Bonn"})


def test_the_error_is_at_the_short_form() -> None:
    with pytest.raises(CrmError) as refused:
        set_short(points("a@example.com"), "email", "bad", region=None, path=("email",))
    assert refused.value.path == ("email",)
    with pytest.raises(CrmError) as refused:
        set_town([], {"city": "B" * 201})
    assert refused.value.path == ("city",)


@pytest.mark.parametrize(
    ("new", "path"),
    [
        (NewContactPoint(channel="chat", value="a", consent="MAYBE"), ("consent",)),
        (NewContactPoint(channel="chat", value="a", consent_source="form"), ("consent",)),
        (
            NewContactPoint(channel="chat", value="a", consent="OPTED_IN", consent_source="s" * 201),
            ("consentSource",),
        ),
        (NewContactPoint(channel="chat", value="a", label="l" * 101), ("label",)),
    ],
)
def test_what_belongs_to_a_point_is_checked(new: NewContactPoint, path: tuple[str, ...]) -> None:
    with pytest.raises(CrmError) as refused:
        check_point(new, region=None, now=NOW)
    assert refused.value.path == path


@settings(deadline=None)  # the machine may be busy
@given(
    st.lists(st.tuples(st.sampled_from(["email", "phone", "address", "chat"]), st.booleans()), max_size=12),
    st.data(),
)
def test_each_channel_has_one_primary_and_the_columns_follow(
    given_points: list[tuple[str, bool]], data: st.DataObject
) -> None:
    listed = [
        Point(id=str(n), channel=channel, value=f"v{n}", normalized=f"n{n}", primary=primary)
        for n, (channel, primary) in enumerate(given_points)
    ]
    preferred = data.draw(st.sampled_from([point.id for point in listed])) if listed else None
    arranged = arrange(listed, preferred=[preferred] if preferred else [])
    assert [point.id for point in arranged] == [point.id for point in listed]
    assert [point.position for point in arranged] == list(range(len(listed)))
    primary = [point for point in arranged if point.primary]
    assert sorted(point.channel for point in primary) == sorted({point.channel for point in listed})
    assert preferred is None or preferred in {point.id for point in primary}
    by_channel = {point.channel: point for point in primary}
    assert primary_columns(arranged) == {
        "email": by_channel["email"].normalized if "email" in by_channel else None,
        "phone": by_channel["phone"].normalized if "phone" in by_channel else None,
        "city": None,
        "country": None,
    }
    assert arrange(arranged) == arranged
