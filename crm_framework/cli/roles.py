"""`crm roles`: named sets of permissions, the customers on whom they hold, and who has them."""

from collections.abc import Sequence
from typing import Any

import click
from msgspec import UNSET
from rich.table import Table

from crm_framework.cli.in_runtime import in_runtime
from crm_framework.cli.keys import key_in
from crm_framework.cli.running import console
from crm_framework.runtime import Runtime
from crm_framework.security import roles
from crm_framework.security.actors import Actor
from crm_framework.security.permissions import Permissions
from crm_framework.security.role_listing import find_role, list_roles, staff_with
from crm_framework.security.scopes import ScopeKind

SCOPES = [kind.lower() for kind in ScopeKind]


@click.group("roles")
def command() -> None:
    """Staff act with all of their roles together. ROLE is a role's name, its key, or its id of the API."""


@command.command("list")
@click.pass_context
def list_(context: click.Context) -> None:
    """Lists roles by name."""

    async def work(runtime: Runtime) -> Sequence[tuple[roles.Role, int]]:
        return await list_roles(runtime.database)

    found = in_runtime(context, work)
    if not found:
        console.print("There is no role. `crm roles create NAME --permission …` makes one.")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("id", "name", "scope", "staff", "permissions"):
        table.add_column(heading, no_wrap=heading == "id", overflow="fold")
    for role, members in found:
        table.add_row(role.id, role.name, _scope(role), str(members), " ".join(role.permissions))
    console.print(table, markup=False)


@command.command("show")
@click.argument("role")
@click.pass_context
def show(context: click.Context, role: str) -> None:
    """Shows a ROLE and who has it."""

    async def work(runtime: Runtime) -> tuple[roles.Role, Sequence[dict[str, Any]]]:
        found = await find_role(runtime.database, key_in(role, "Role"))
        return found, await staff_with(runtime.database, found.id)

    found, members = in_runtime(context, work)
    click.echo(f"{found.name} ({found.id})")
    if found.description:
        click.echo(found.description)
    click.echo(f"scope: {_scope(found)}")
    click.echo("permissions:")
    for name in found.permissions:
        click.echo(f"  {name}")
    click.echo("staff:" if members else "Nobody has it.")
    for row in members:
        click.echo(f"  {row['id']}  {row['name']}")


@command.command("create")
@click.argument("name")
@click.option("--permission", "permissions", multiple=True, required=True, help="What it gives; repeatable.")
@click.option("--scope", type=click.Choice(SCOPES), help="Which customers; default: segment with --segment.")
@click.option("--segment", help="The segment whose customers it is about: its key or id.")
@click.option("--description", help="What it is for.")
@click.pass_context
def create(
    context: click.Context,
    name: str,
    permissions: tuple[str, ...],
    scope: str | None,
    segment: str | None,
    description: str | None,
) -> None:
    """Makes a role called NAME."""
    chosen = scope or ("segment" if segment else "everything")

    async def work(runtime: Runtime) -> str:
        async with runtime.database.unit_of_work(_actor()) as tx:
            return await roles.create_role(
                tx,
                Permissions.of(runtime.host.declarations),
                name=name,
                permissions=permissions,
                scope=ScopeKind(chosen.upper()),
                segment_id=None if segment is None else key_in(segment, "Segment"),
                description=description,
            )

    console.print(f"Role {in_runtime(context, work)} ({name}).", markup=False)


@command.command("change")
@click.argument("role")
@click.option("--name", help="Another name.")
@click.option("--permission", "permissions", multiple=True, help="These replace the others; repeatable.")
@click.option("--scope", type=click.Choice(SCOPES), help="Which customers.")
@click.option("--segment", help="The segment whose customers it is about: its key or id.")
@click.option("--description", help="What it is for; '' removes it.")
@click.pass_context
def change(
    context: click.Context,
    role: str,
    name: str | None,
    permissions: tuple[str, ...],
    scope: str | None,
    segment: str | None,
    description: str | None,
) -> None:
    """Changes a ROLE for all who have it. What is not named stays."""
    if segment and scope is None:
        scope = "segment"
    wanted = roles.RoleChange(
        name=UNSET if name is None else name,
        permissions=permissions or UNSET,
        scope=UNSET if scope is None else ScopeKind(scope.upper()),
        segment_id=UNSET if segment is None else key_in(segment, "Segment"),
        description=UNSET if description is None else description,
    )

    async def work(runtime: Runtime) -> roles.Role:
        found = await find_role(runtime.database, key_in(role, "Role"))
        async with runtime.database.unit_of_work(_actor()) as tx:
            known = Permissions.of(runtime.host.declarations)
            await roles.update_role(tx, known, found.id, wanted)
            return await find_role(tx, found.id)

    after = in_runtime(context, work)
    console.print(f"{after.name}: {_scope(after)}: {' '.join(after.permissions)}", markup=False)


@command.command("delete")
@click.argument("role")
@click.pass_context
def delete(context: click.Context, role: str) -> None:
    """Deletes a ROLE that nobody has."""

    async def work(runtime: Runtime) -> None:
        found = await find_role(runtime.database, key_in(role, "Role"))
        async with runtime.database.unit_of_work(_actor()) as tx:
            await roles.delete_role(tx, found.id)

    in_runtime(context, work)
    console.print("Deleted.")


@command.command("set")
@click.argument("staff")
@click.argument("role_names", metavar="[ROLE]...", nargs=-1)
@click.pass_context
def set_(context: click.Context, staff: str, role_names: tuple[str, ...]) -> None:
    """Gives a member of STAFF (key or id) these roles and no others; none, if none is named.

    From the first time on, their roles say what they may do: the permissions of their tokens only narrow it.
    """
    key = key_in(staff, "Staff")

    async def work(runtime: Runtime) -> list[str]:
        found = [await find_role(runtime.database, key_in(one, "Role")) for one in role_names]
        async with runtime.database.unit_of_work(_actor()) as tx:
            await roles.set_staff_roles(tx, key, [one.id for one in found])
        return sorted(one.name for one in found)

    given = in_runtime(context, work)
    told = f"They have: {', '.join(given)}." if given else "They have no role now, and may do nothing."
    console.print(told, markup=False)


def _actor() -> Actor:
    return Actor.system("crm roles")


def _scope(role: roles.Role) -> str:
    return f"segment {role.segment_id}" if role.segment_id else role.scope.lower()
