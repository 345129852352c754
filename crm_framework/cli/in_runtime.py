"""Work of a command on the database, with the plugins that are enabled."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from crm_framework.runtime import Runtime, open_runtime

from .running import run, settings_of

T = TypeVar("T")


def in_runtime(context: click.Context, work: Callable[[Runtime], Awaitable[T]]) -> T:
    """What `work` finds, on what the settings of this call open."""

    async def opened() -> T:
        async with open_runtime(settings_of(context)) as runtime:
            return await work(runtime)

    return run(opened())
