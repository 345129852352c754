"""`crm explain QUERY`: how a query is run, field by field and statement by statement."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from crm_framework.cli.running import console, run, settings_of

if TYPE_CHECKING:
    from crm_framework.engine.trace import Step, Trace
    from crm_framework.runtime import Runtime
    from crm_framework.settings import Settings


@click.command("explain")
@click.argument("query")
@click.option("--variables", metavar="JSON", help="The query's variables, as a JSON object.")
@click.option("--operation", metavar="NAME", help="Which operation, if there are several.")
@click.option("--database-plan", is_flag=True, help="Also show how the database runs each statement.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(
    context: click.Context,
    query: str,
    variables: str | None,
    operation: str | None,
    database_plan: bool,
    as_json: bool,
) -> None:
    """Runs a query and shows how: levels, statements, rows, times, and what graphql-core had to run.

    QUERY is the text, or @FILE. It runs with all permissions. Nothing is changed: mutations are refused.
    """
    text = _text(query)
    trace, plans = run(
        _explained(settings_of(context), text, _variables(variables), operation, database_plan)
    )
    if as_json:
        click.echo(json.dumps(trace.shown, indent=2))
        return
    for step in trace.ordered:
        _show(step, plans)


def _text(query: str) -> str:
    if not query.startswith("@"):
        return query
    try:
        with open(query[1:], encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{query[1:]} cannot be read: {error}.") from None


def _variables(given: str | None) -> Mapping[str, Any]:
    try:
        found = json.loads(given or "{}")
    except ValueError as error:
        raise click.ClickException(f"--variables is no JSON: {error}.") from None
    if not isinstance(found, dict):
        raise click.ClickException('--variables must be a JSON object, such as \'{"id": "…"}\'.')
    return found


async def _explained(
    settings: "Settings",
    text: str,
    variables: Mapping[str, Any],
    operation: str | None,
    database_plan: bool,
) -> "tuple[Trace, dict[str, list[str]]]":
    from crm_framework.engine.execute import execute
    from crm_framework.engine.trace import Trace
    from crm_framework.runtime import open_runtime
    from crm_framework.schema.context import RequestContext
    from crm_framework.security.actors import Actor

    async with open_runtime(settings) as runtime:
        context = RequestContext(
            reader=runtime.database,
            page_default=settings.page_size,
            page_max=settings.max_page_size,
            introspection_permission="schema.introspect",
            show_suggestions=True,
            trace=Trace(),
            actor=Actor.system(),
            database=runtime.database,
            host=runtime.host,
            settings=settings,
        )
        result = await execute(
            runtime.schema.schema, text, variables, operation, context, operations=("query",)
        )
        for error in result.errors:
            place = ".".join(str(part) for part in error.get("path", ()))
            click.echo(f"Error{f' at {place}' if place else ''}: {error['message']}", err=True)
        if result.refused:
            raise click.exceptions.Exit(1)
        trace = context.trace
        assert trace is not None  # it was given above
        return trace, await _plans(runtime, trace) if database_plan else {}


async def _plans(runtime: "Runtime", trace: "Trace") -> dict[str, list[str]]:
    """Statement → how the database says that it runs it."""
    explain = "EXPLAIN" if runtime.database.dialect == "postgres" else "EXPLAIN QUERY PLAN"
    plans: dict[str, list[str]] = {}
    for step in trace.steps:
        for statement in step.statements:
            rows = await runtime.database.rows(f"{explain} {statement.sql}", statement.arguments)
            plans[statement.sql] = [str(row[-1]) for row in rows]
    return plans


def _show(step: "Step", plans: Mapping[str, list[str]]) -> None:
    indent = "  " * step.place.count(".")
    objects = f"{step.objects} object{'s' if step.objects != 1 else ''}"
    why = f": {step.why}" if step.why else ""
    console.print(
        f"{indent}{step.place or 'operation'}  {step.element}  {step.how}{why}  {objects}"
        f"  {step.milliseconds:.1f} ms",
        markup=False,
    )
    for statement in step.statements:
        sql = " ".join(statement.sql.split())
        console.print(
            f"{indent}    {statement.rows} rows, {statement.milliseconds:.1f} ms: {sql}",
            markup=False,
            soft_wrap=True,  # so that it can be copied
        )
        for line in plans.get(statement.sql, ()):
            console.print(f"{indent}        {line}", markup=False)
