"""What the commands share: settings of this call, and running asynchronous work to its end."""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import click
import msgspec
from rich.console import Console

from crm_framework.settings import Settings, load_settings

T = TypeVar("T")

UNBROKEN = 10_000
"""Characters of a line that goes to another program: a table has one line a row there."""

console = Console(
    highlight=False, width=None if sys.stdout.isatty() or os.environ.get("COLUMNS") else UNBROKEN
)
errors = Console(stderr=True, highlight=False)


def settings_of(context: click.Context, **explicit: Any) -> Settings:
    """The settings, with the file of `crm --config` and what the command's own options say.

    Before the command is known, the option was read, but nobody has kept it yet.
    """
    root = context.find_root()
    if isinstance(root.obj, Settings):
        given = {name: value for name, value in explicit.items() if value is not None}
        return msgspec.structs.replace(root.obj, **given)
    return load_settings(root.obj or root.params.get("config"), **explicit)


def run(
    work: Coroutine[Any, Any, T], loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None
) -> T:
    """Runs `work`, on a loop of `loop_factory`; Ctrl-C ends it without a traceback."""
    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            return runner.run(work)
    except KeyboardInterrupt:
        raise click.Abort from None
