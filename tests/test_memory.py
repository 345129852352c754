import gc
from collections.abc import Iterator

import pytest

from crm_framework.memory import THRESHOLDS, loading, rest_what_is_loaded


@pytest.fixture
def restored() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


@pytest.mark.usefixtures("restored")
def test_what_is_loaded_is_left_alone_and_new_cycles_are_still_found() -> None:
    rest_what_is_loaded()
    assert gc.get_freeze_count() > 10_000
    assert gc.get_threshold() == THRESHOLDS
    circle: list[object] = []
    circle.append(circle)
    del circle
    assert gc.collect() >= 1


def test_nothing_is_looked_for_while_it_loads() -> None:
    with loading():
        with loading():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_module_that_cannot_be_loaded_leaves_the_search_on() -> None:
    with pytest.raises(ImportError), loading():
        raise ImportError
    assert gc.isenabled()
