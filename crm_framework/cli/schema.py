"""`crm schema print`: the GraphQL schema with the enabled plugins, as text."""

import click

from crm_framework.cli.running import settings_of
from crm_framework.hooks.discovery import load_plugins


@click.group("schema")
def command() -> None:
    """The GraphQL schema."""


@command.command("print")
@click.pass_context
def print_(context: click.Context) -> None:
    """Prints the schema; what a plugin adds carries @plugin(name:). Needs no database."""
    from crm_framework.schema.core import compose_schema

    click.echo(compose_schema(load_plugins(settings_of(context))).sdl, nl=False)
