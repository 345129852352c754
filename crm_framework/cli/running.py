"""What the commands share: settings of this call, and running asynchronous work to its end."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import click
from rich.console import Console

from crm_framework.settings import Settings, load_settings

T = TypeVar("T")

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


def settings_of(context: click.Context, **explicit: Any) -> Settings:
    """The settings, with the file of `crm --config` and what the command's own options say."""
    return load_settings(context.find_root().obj, **explicit)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs `work`; Ctrl-C ends it without a traceback."""
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        raise click.Abort from None
