"""`crm token`: makes, lists and revokes the tokens that open the API."""

import re
from datetime import UTC, datetime, timedelta

import click
from rich.table import Table

from crm_framework.cli.keys import key_in
from crm_framework.cli.running import console, run, settings_of
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.runtime import open_runtime
from crm_framework.security.actors import EVERYTHING, Actor, ActorKind
from crm_framework.security.permissions import Permissions
from crm_framework.security.tokens import IssuedToken, TokenInfo, create_token, list_tokens, revoke_token
from crm_framework.settings import Settings
from crm_framework.storage.clock import now
from crm_framework.storage.ids import is_key
from crm_framework.storage.unit_of_work import UnitOfWork

KINDS = [kind.value for kind in ActorKind if kind is not ActorKind.SYSTEM]
_SPAN = re.compile(r"(\d+)([hdwy])")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1), "y": timedelta(days=365)}


@click.group("token")
def command() -> None:
    """Tokens are stored as digests: a token is shown once, when it is made."""


@command.command("create")
@click.argument("name")
@click.option("--permission", "grants", multiple=True, help="A right, such as customers.read; repeatable.")
@click.option("--admin", is_flag=True, help="Every right there is.")
@click.option("--kind", type=click.Choice(KINDS), help="Default: what the next options say, or INTEGRATION.")
@click.option("--staff", help="Key or id of the member of staff it acts for (kind STAFF).")
@click.option("--customer", help="Key or id of the customer it belongs to (kind CUSTOMER).")
@click.option("--segment", help="Key or id of the segment whose customers it is for (kind PARTNER).")
@click.option("--tag", help="The tag of the customers it is for (kind PARTNER).")
@click.option("--expires", help="How long it lasts: 12h, 30d, 8w, 1y. Default: until revoked.")
@click.option("--quiet", is_flag=True, help="Print the token alone.")
@click.pass_context
def create(
    context: click.Context,
    name: str,
    grants: tuple[str, ...],
    admin: bool,
    kind: str | None,
    staff: str | None,
    customer: str | None,
    segment: str | None,
    tag: str | None,
    expires: str | None,
    quiet: bool,
) -> None:
    """Makes a token called NAME, say after the program that will use it.

    Of a member of staff with roles, the permissions narrow what the roles give; without any, the token gives
    all of that. A customer's own token has none.
    """
    if admin:
        grants = (EVERYTHING,)
    chosen = ActorKind(kind) if kind else _kind(staff, customer, segment or tag)
    if not grants and chosen is not ActorKind.CUSTOMER and staff is None:
        raise _opens_nothing("Add --permission NAME, or --admin.")
    ends = now() + _span(expires) if expires else None

    async def work() -> IssuedToken:
        async with (
            open_runtime(settings_of(context)) as runtime,
            runtime.database.unit_of_work(Actor.system("crm token")) as tx,
        ):
            key = None if staff is None else key_in(staff, "Staff")
            if key is not None and not grants and is_key(key) and not await _has_roles(tx, key):
                raise _opens_nothing("Add --permission NAME, or give them roles: crm roles set.")
            return await create_token(
                tx,
                Permissions.of(runtime.host.declarations),
                name=name,
                grants=grants,
                kind=chosen,
                staff_id=key,
                customer_id=None if customer is None else key_in(customer, "Customer"),
                segment_id=None if segment is None else key_in(segment, "Segment"),
                tag=tag,
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
    for heading in ("id", "name", "begins", "kind", "for", "rights", "state", "last used"):
        table.add_column(
            heading, no_wrap=heading == "id", min_width=36 if heading == "id" else None, overflow="fold"
        )
    for token in tokens:
        used = f"{token.last_used_at.astimezone(UTC):%Y-%m-%d %H:%M}" if token.last_used_at else "never"
        rights = " ".join(token.permissions)
        table.add_row(
            *(token.id, token.name, f"{token.hint}…", token.kind.value, _whom(token)),
            *(rights, _state(token), used),
        )
    console.print(table, markup=False)


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


def _kind(staff: str | None, customer: str | None, partners: str | None) -> ActorKind:
    """What the options that name somebody say."""
    if staff is not None:
        return ActorKind.STAFF
    if customer is not None:
        return ActorKind.CUSTOMER
    return ActorKind.INTEGRATION if partners is None else ActorKind.PARTNER


def _opens_nothing(hint: str) -> CrmError:
    return CrmError(ErrorCode.BAD_INPUT, "The token would open nothing.", hint=hint)


async def _has_roles(tx: UnitOfWork, staff_id: str) -> bool:
    """Whether roles say what they may do; somebody unknown is refused later, by name."""
    rows = await tx.fetch("SELECT by_roles FROM crm_staff WHERE id = ?", (staff_id,))
    return not rows or bool(rows[0]["by_roles"])


def _whom(token: TokenInfo) -> str:
    if token.segment_id:
        return f"segment {token.segment_id}"
    if token.tag:
        return f"tag {token.tag}"
    return token.staff_id or token.customer_id or ""


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
