import pytest

from crm_framework.domain.privacy.scrub import names_person, scrubbed_changes, scrubbed_payload

KEY = "01a20e16-db0b-7300-9317-46a928d69952"


def test_an_event_keeps_its_shape_keys_and_figures() -> None:
    payload = {
        "customer_id": KEY,
        "kind": "purchase",
        "channel": "email",
        "currency": "USD",
        "total_minor": 5,
        "returned": True,
        "added": ["vip", KEY],
        "note": "Ada Lovelace",
        "more": {"name": "Ada", "count": 2, "ada@example.com": 1},
        "changes": {"name": [None, "Ada"], "attributes.size": [1, 2], "consent.email.a@example.com": [1, 2]},
    }
    assert scrubbed_payload(payload) == {
        "customer_id": KEY,
        "kind": "purchase",
        "channel": "email",
        "currency": "USD",
        "total_minor": 5,
        "returned": True,
        "added": [KEY],
        "note": "",
        "more": {"name": "", "count": 2},
        "changes": {"name": [None, None], "attributes.size": [None, None]},
    }


def test_without_changes_there_are_none() -> None:
    assert scrubbed_changes({}) == {} == scrubbed_changes(None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("order-ada@example.com-7", True),
        ("LOVELACE/7", True),
        ("lovelaces", False),
        ("order 1001", False),
        ("king-7", False),
    ],
)
def test_words_that_name_the_person_stand_by_themselves(text: str, expected: bool) -> None:
    assert names_person(text, ["ada@example.com", "Lovelace", "a", "1001a"]) is expected
