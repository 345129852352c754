"""Runs the command `crm` in a test, on what a client has open."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import click
from click.testing import CliRunner

from crm_framework.cli import crm
from crm_framework.errors import CrmError
from crm_framework.settings import Settings


@dataclass(frozen=True)
class CommandResult:
    """How a command ended, as a person at the terminal sees it: its exit code and what it wrote."""

    code: int
    output: str
    errors: str


async def run_crm(settings: Settings, arguments: Sequence[str], typed: str | None = None) -> CommandResult:
    """Runs `crm` with these settings, in a thread: a command has a loop of its own, as in a process."""
    return await asyncio.to_thread(_run, settings, arguments, typed)


def _run(settings: Settings, arguments: Sequence[str], typed: str | None) -> CommandResult:
    result = CliRunner().invoke(crm, list(arguments), input=typed, obj=settings)
    if isinstance(result.exception, CrmError):
        return CommandResult(1, result.stdout, f"{result.stderr}crm: {result.exception}\n")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return CommandResult(result.exit_code, result.stdout, result.stderr)


def helps(command: click.Command, path: str) -> Iterator[tuple[str, str]]:
    """Each command and each option below `command`, with its help."""
    yield path, command.help or ""
    for option in command.params:
        if isinstance(option, click.Option):
            yield f"{path} {option.opts[-1]}", option.help or ""
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            yield from helps(each, f"{path} {name}")
