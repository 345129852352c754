"""`crm token`: makes, lists and revokes the tokens that open the API."""

import re
from datetime import UTC, datetime, timedelta

import click
from rich.table import Table

from crm_framework.cli.running import console, run, settings_of
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.runtime import open_runtime
from crm_framework.security.actors import EVERYTHING, Actor, ActorKind
from crm_framework.security.permissions import Permissions
from crm_framework.security.tokens import IssuedToken, TokenInfo, create_token, list_tokens, revoke_token
from crm_framework.settings import Settings
from crm_framework.storage.clock import now

_SPAN = re.compile(r"(\d+)([hdwy])")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1), "y": timedelta(days=365)}


@click.group("token")
def command() -> None:
    """Tokens are stored as digests: a token is shown once, when it is made."""


@command.command("create")
@click.argument("name")
@click.option("--permission", "grants", multiple=True, help="A right, such as customers.read; repeatable.")
@click.option("--admin", is_flag=True, help="Every right there is.")
@click.option("--kind", type=click.Choice(["STAFF", "INTEGRATION", "CUSTOMER"]), default="INTEGRATION")
@click.option("--staff", help="Key of the member of staff it acts for (kind STAFF).")
@click.option("--customer", help="Key of the customer it belongs to (kind CUSTOMER).")
@click.option("--expires", help="How long it lasts: 12h, 30d, 8w, 1y. Default: until revoked.")
@click.option("--quiet", is_flag=True, help="Print the token alone.")
@click.pass_context
def create(
    context: click.Context,
    name: str,
    grants: tuple[str, ...],
    admin: bool,
    kind: str,
    staff: str | None,
    customer: str | None,
    expires: str | None,
    quiet: bool,
) -> None:
    """Makes a token called NAME, say after the program that will use it."""
    if admin:
        grants = (EVERYTHING,)
    if not grants and kind != ActorKind.CUSTOMER:
        raise CrmError(
            ErrorCode.BAD_INPUT, "The token would open nothing.", hint="Add --permission NAME, or --admin."
        )
    ends = now() + _span(expires) if expires else None

    async def work() -> IssuedToken:
        async with (
            open_runtime(settings_of(context)) as runtime,
            runtime.database.unit_of_work(Actor.system("crm token")) as tx,
        ):
            return await create_token(
                tx,
                Permissions.of(runtime.host.declarations),
                name=name,
                grants=grants,
                kind=ActorKind(kind),
                staff_id=staff,
                customer_id=customer,
                expires_at=ends,
            )

    issued = run(work())
    if not quiet:
        console.print(f"Token {issued.id} ({name}). It is shown this once:", markup=False)
    click.echo(issued.secret)


@command.command("list")
@click.pass_context
def list_(context: click.Context) -> None:
    """Every token with its rights; never the token itself."""
    tokens = run(_tokens(settings_of(context)))
    if not tokens:
        console.print("There is no token. `crm token create NAME --admin` makes one.")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("id", "name", "begins", "kind", "rights", "state", "last used"):
        table.add_column(
            heading, no_wrap=heading == "id", min_width=36 if heading == "id" else None, overflow="fold"
        )
    for token in tokens:
        used = f"{token.last_used_at.astimezone(UTC):%Y-%m-%d %H:%M}" if token.last_used_at else "never"
        rights = " ".join(token.permissions)
        table.add_row(token.id, token.name, token.hint + "…", token.kind.value, rights, _state(token), used)
    console.print(table)


@command.command("revoke")
@click.argument("token_id", metavar="ID")
@click.pass_context
def revoke(context: click.Context, token_id: str) -> None:
    """Ends a token at once, on every node."""

    async def work() -> bool:
        async with (
            open_runtime(settings_of(context)) as runtime,
            runtime.database.unit_of_work(Actor.system("crm token")) as tx,
        ):
            return await revoke_token(tx, token_id)

    console.print("Revoked." if run(work()) else "It had been revoked before.")


async def _tokens(settings: Settings) -> list[TokenInfo]:
    async with open_runtime(settings) as runtime:
        return await list_tokens(runtime.database)


def _state(token: TokenInfo) -> str:
    at: datetime = now()
    if token.revoked_at:
        return f"revoked {token.revoked_at:%Y-%m-%d}"
    if token.expires_at:
        return f"{'valid until' if token.usable(at) else 'expired'} {token.expires_at:%Y-%m-%d}"
    return "valid"


def _span(text: str) -> timedelta:
    match = _SPAN.fullmatch(text)
    if not match or not int(match[1]):
        raise CrmError(
            ErrorCode.BAD_INPUT, f"--expires {text!r} is no time.", hint="Write 12h, 30d, 8w or 1y."
        )
    return int(match[1]) * _UNITS[match[2]]
