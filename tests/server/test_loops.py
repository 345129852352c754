import sys

import pytest

from crm_framework.server.loops import new_event_loop


def loop_of() -> str:
    loop = new_event_loop()
    loop.close()
    return type(loop).__module__.partition(".")[0]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no uvloop on Windows")
def test_the_loop_is_uvloops() -> None:
    assert loop_of() == "uvloop"


def test_without_uvloop_it_is_the_standard_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert loop_of() == "asyncio"
