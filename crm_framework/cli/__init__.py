"""The command `crm`. Each command lives in a module of its own and loads when it is called."""

from importlib import import_module

import click

COMMANDS = {
    "serve": ("serve", "Serve the GraphQL API."),
    "worker": ("worker", "Do the owed work apart from the server."),
    "migrate": ("migrate", "Bring the database to the program's version."),
    "makemigrations": ("makemigrations", "Write a migration for changed models."),
    "import": ("importing", "Import customers or interactions from a file."),
    "export": ("exporting", "Export customers or interactions to a file."),
    "demo": ("demo", "Load a small demo company."),
    "jobs": ("jobs", "List, retry and run jobs."),
    "webhooks": ("webhooks", "List, test, pause and replay webhooks."),
    "roles": ("roles", "List, make and give roles of staff."),
    "token": ("token", "Create, list and revoke tokens."),
    "events": ("events", "List, retry and replay what plugins owe."),
    "audit": ("audit", "List and verify the audit log."),
    "plugins": ("plugins", "List, inspect, enable and remove plugins."),
    "new-plugin": ("new_plugin", "Create a plugin to start from."),
    "persist": ("persist", "Make a file of persisted operations."),
    "schema": ("schema", "Print the GraphQL schema."),
    "explain": ("explain", "Show how a query is run."),
    "doctor": ("doctor", "Check settings, database and plugins."),
}


class LazyGroup(click.Group):
    """Knows the names and summaries of its commands without importing them: `--help` stays instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _ = COMMANDS[cmd_name]
        command = import_module(f"crm_framework.cli.{module}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--config", type=click.Path(dir_okay=False), help="Settings file; default: crm.toml here.")
@click.version_option(package_name="crm-framework", prog_name="crm")
@click.pass_context
def crm(ctx: click.Context, config: str | None) -> None:
    """A CRM with a GraphQL API, extended by plugins."""
    ctx.obj = config


def main() -> None:
    """Entry point of the command: every expected failure is one line, never a traceback."""
    import logging

    from crm_framework.errors import CrmError

    # What commands have to say they print; `serve` sets up its log by itself.
    logging.getLogger("crm_framework").addHandler(logging.NullHandler())
    try:
        crm(prog_name="crm")
    except CrmError as error:
        click.echo(f"crm: {error}", err=True)
        raise SystemExit(1) from None
