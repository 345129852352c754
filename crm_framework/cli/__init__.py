"""The command `crm`. Each command lives in a module of its own and loads when it is called."""

from importlib import import_module

import click

from crm_framework.memory import loading

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
    """Knows the names and summaries of its commands without importing them: `--help` stays instant.

    What is none of the core's is a plugin's, by its name.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        from .of_plugins import announced  # not before it is wanted: most calls are of the core's commands

        return [*COMMANDS, *(one.name for one in announced(ctx.params.get("config")))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return self._of_plugin(ctx, cmd_name)
        module, _ = COMMANDS[cmd_name]
        with loading():
            command = import_module(f"crm_framework.cli.{module}").command
        assert isinstance(command, click.Command)
        return command

    def _of_plugin(self, ctx: click.Context, name: str) -> click.Command | None:
        from crm_framework.errors import CrmError

        from .of_plugins import command_of

        try:
            return command_of(ctx, name)
        except CrmError:
            if ctx.resilient_parsing:  # the shell completes what works
                return None
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from .of_plugins import announced

        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])
        if of_plugins := announced(ctx.params.get("config")):
            with formatter.section("Commands of plugins"):
                formatter.write_dl([(one.name, one.summary) for one in of_plugins])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    type=click.Path(dir_okay=False),
    is_eager=True,  # the help, which is so too, tells of the plugins in that file
    help="Settings file; default: crm.toml here.",
)
@click.version_option(package_name="crm-framework", prog_name="crm")
@click.pass_context
def crm(ctx: click.Context, config: str | None) -> None:
    """A CRM with a GraphQL API, extended by plugins."""
    if ctx.obj is None:  # tests give the settings themselves
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
