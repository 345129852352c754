"""The names that plugins may import."""

import subprocess
import sys

import pytest

import crm_framework


@pytest.mark.parametrize("name", crm_framework.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(crm_framework, name) is not None


def test_the_tables_agree_and_are_sorted() -> None:
    assert list(crm_framework._HOME) == sorted(crm_framework._HOME)
    assert sorted(crm_framework.__all__) == sorted([*crm_framework._HOME, "API_VERSION"])


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'crm_framework' has no attribute 'Hologram'"):
        crm_framework.Hologram  # noqa: B018  # looking it up is the test


def test_importing_the_package_loads_none_of_its_rooms() -> None:
    program = "import sys, crm_framework; print([m for m in sys.modules if m.startswith('crm_framework.')])"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
