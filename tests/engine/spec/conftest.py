"""The executors that each test of the specification runs on."""

import pytest

from .harness import ASKS, Ask


@pytest.fixture(params=list(ASKS))
def ask(request: pytest.FixtureRequest) -> Ask:
    """Each executor of the engine in turn."""
    return ASKS[request.param]
