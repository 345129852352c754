"""How the programs have Python look for garbage."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

THRESHOLDS = (50_000, 50, 20)
"""New objects before the youngest are looked through, and how often that leads to the older ones."""


@contextmanager
def loading() -> Iterator[None]:
    """Nothing is looked through meanwhile: what modules and schemas make while they load stays, and to look
    for garbage in it takes a fifth of the time.
    """
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def rest_what_is_loaded() -> None:
    """Leaves out of every search what was made by now: schema, plugins and code stay as long as the process.

    An answer of a few thousand objects else has all of them looked through again and again, which holds
    everybody up for a tenth of a second. What requests leave behind is not part of cycles, as a rule, and is
    gone at once.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
