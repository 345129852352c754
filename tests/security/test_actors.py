from dataclasses import replace

import pytest

from crm_framework.security.actors import PUBLIC, Actor, ActorKind


def actor(*permissions: str) -> Actor:
    return Actor(kind=ActorKind.INTEGRATION, id="1", name="shop", permissions=frozenset(permissions))


@pytest.mark.parametrize(
    ("granted", "asked", "answer"),
    [
        ("customers.read", "customers.read", True),
        ("customers.read", "customers.write", False),
        ("*", "customers.erase", True),
        ("*", "loyalty.redeem", True),
        ("loyalty.*", "loyalty.redeem", True),
        ("loyalty.*", "loyalty2.redeem", False),
        ("loyalty.*", "customers.read", False),
    ],
)
def test_may(granted: str, asked: str, answer: bool) -> None:
    assert actor(granted).may(asked) is answer


def test_every_actor_may_see_what_is_public() -> None:
    assert actor().may(PUBLIC) is True
    assert actor().may("customers.read") is False


def test_system_may_do_everything_and_has_no_token() -> None:
    system = Actor.system("import")
    assert (system.kind, system.name, system.token_id) == (ActorKind.SYSTEM, "import", None)
    assert system.may("customers.erase") is True


def test_what_follows_from_a_reach_stays_with_its_actor() -> None:
    one = actor("customers.read")
    one.conditions["a source"] = "all that is theirs"
    assert actor("customers.read").conditions == {}
    assert replace(one, permissions=frozenset()).conditions == {}
    assert one == actor("customers.read")
