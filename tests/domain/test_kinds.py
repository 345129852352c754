from collections.abc import Iterator

import pytest

from crm_framework.domain import kinds
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.hooks.specs import Channel, InteractionKind, Plugin


@pytest.fixture(autouse=True)
def core_alone() -> Iterator[None]:
    before = kinds.current()
    yield
    kinds.install(before)


def fishing(**adds: object) -> Plugin:
    return Plugin(name="fishing", requires_api="1.0", summary="", **adds)  # type: ignore[arg-type]  # short


def test_the_core_knows_its_kinds_and_channels() -> None:
    assert set(kinds.build().kinds) == {
        "visit",
        "call",
        "letter",
        "email",
        "meeting",
        "video",
        "message",
        "purchase",
        "refund",
        "survey",
        "self_service",
        "note",
    }
    assert kinds.check_kind("self_service") == "self_service"
    assert kinds.check_channel("in_person") == "in_person"


def test_a_plugin_adds_a_kind_and_a_channel() -> None:
    with pytest.raises(CrmError):
        kinds.check_kind("fishing_trip")
    kinds.install(
        kinds.build([fishing(kinds=[InteractionKind("fishing_trip", "")], channels=[Channel("radio", "")])])
    )
    assert kinds.check_kind("fishing_trip") == "fishing_trip"
    assert kinds.check_channel("radio") == "radio"
    kinds.install(kinds.build())
    with pytest.raises(CrmError):
        kinds.check_channel("radio")


def test_two_owners_of_a_name_are_both_named() -> None:
    with pytest.raises(CrmError) as refused:
        kinds.build([fishing(kinds=[InteractionKind("visit", "")])])
    assert refused.value.code is ErrorCode.CONFIGURATION
    assert refused.value.message == "The kind 'visit' of plugin 'fishing' already belongs to the core."


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("vist", "Did you mean 'visit'?"),
        ("Visit", "Did you mean 'visit'?"),
        (3, "Known are: call, email, letter"),
    ],
)
def test_an_unknown_kind_is_refused(name: object, hint: str) -> None:
    with pytest.raises(CrmError) as refused:
        kinds.check_kind(name, path=("kind",))
    assert (refused.value.code, refused.value.path) == (ErrorCode.BAD_INPUT, ("kind",))
    assert refused.value.message == f"{name!r} is no kind of interaction."
    assert refused.value.hint is not None
    assert refused.value.hint.startswith(hint)
