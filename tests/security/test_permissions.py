import pytest

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.hooks.specs import Permission, Plugin
from crm_framework.security.permissions import CORE_PERMISSIONS, Permissions

LOYALTY = Plugin(
    name="loyalty",
    requires_api="1.0",
    summary="Points",
    permissions=(Permission("loyalty.redeem", "Redeem rewards."),),
)


def test_core_comes_first_and_each_has_a_description() -> None:
    table = Permissions.of([LOYALTY])
    assert [permission.name for permission in table] == [
        *(permission.name for permission in CORE_PERMISSIONS),
        "loyalty.redeem",
    ]
    assert all(permission.description.endswith(".") for permission in table)
    assert table.by_name["loyalty.redeem"].description == "Redeem rewards."


def test_a_plugin_keeps_to_its_prefix() -> None:
    greedy = Plugin(
        name="greedy", requires_api="1.0", summary="", permissions=(Permission("customers.read", "All."),)
    )
    with pytest.raises(CrmError) as refused:
        Permissions.of([greedy])
    assert refused.value.code is ErrorCode.CONFIGURATION
    assert str(refused.value) == (
        "Plugin greedy declares the permission 'customers.read'. "
        "The names of its permissions must begin with 'greedy.'."
    )


def test_checked_sorts_and_drops_doubles() -> None:
    table = Permissions.of([LOYALTY])
    assert table.checked(["loyalty.*", "customers.read", "customers.read", "*"]) == (
        "*",
        "customers.read",
        "loyalty.*",
    )


@pytest.mark.parametrize(
    ("name", "hint"),
    [("customer.read", "Did you mean 'customers.read'?"), ("loyalty.*", "Known are: customers.read, ")],
)
def test_an_unknown_permission_is_refused(name: str, hint: str) -> None:
    with pytest.raises(CrmError) as refused:
        Permissions.of([]).checked(["audit.read", name])
    assert refused.value.code is ErrorCode.BAD_INPUT
    assert refused.value.message == f"There is no permission {name!r}."
    assert refused.value.path == ("permissions",)
    assert refused.value.hint is not None
    assert refused.value.hint.startswith(hint)
