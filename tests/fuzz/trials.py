"""How many requests are sent, and from which seed."""

import os
from random import Random

CASES = int(os.environ.get("FUZZ_CASES", "400"))
"""Of each test, on each database."""
SEED = os.environ["FUZZ_SEED"]


def rng(name: str, number: int) -> Random:
    """Every second case is the same in every run."""
    return Random(f"{SEED if number % 2 else 'fixed'}/{name}/{number}")
