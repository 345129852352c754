"""What a plugin's route gets and gives: a request with the open CRM, and the answer to it."""

import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from crm_framework.engine.declarations import require_source
from crm_framework.engine.load import load
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.security.actors import Actor
from crm_framework.server.answers import Answer, Refusal
from crm_framework.server.operations import check_values
from crm_framework.storage.clock import now
from crm_framework.storage.database import Database
from crm_framework.storage.unit_of_work import UnitOfWork

if TYPE_CHECKING:
    from crm_framework.engine.context import Context, Reader
    from crm_framework.hooks.answers import Figures, Signalled, Signals
    from crm_framework.hooks.dispatch import PluginHost
    from crm_framework.hooks.specs import Window

T = TypeVar("T")

NAME_LIMIT = 140
BODILESS = frozenset({204, 205, 304})
"""Statuses after which a client takes what follows for the next answer."""

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[\x20-\x7e\x80-\xff]*")
_OURS = frozenset({"content-length", "content-type", "transfer-encoding", "connection", "x-request-id"})

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
"""What a page of a plugin may do in a browser unless it says otherwise: be looked at and send its form."""


@dataclass(frozen=True, kw_only=True)
class RouteRequest:
    """A request for a plugin's route, which its function gets."""

    method: str
    path: str
    """Below the plugin's address, such as "/answer/abc"."""
    args: Mapping[str, str]
    """The parameters of the path, by name."""
    query: Mapping[str, str]
    """The parameters after the question mark; of several of one name the first."""
    headers: Mapping[str, str]
    """By their names in small letters; of several of one name the first. Without the token of the CRM."""
    body: bytes
    actor: Actor | None
    """Who asks; None where the route is `PUBLIC`."""
    address: str
    """Where the request came from, as far as the server knows it."""
    request_id: str
    settings: Any
    """The plugin's settings."""
    database: Database = field(repr=False)
    place: str = field(repr=False)
    host: "PluginHost" = field(repr=False)
    restricted: bool = field(repr=False)
    context: "Callable[[Actor, str], Context]" = field(repr=False)

    @property
    def reader(self) -> "Reader":
        """Reads outside a transaction, whatever there is: a restricted route reads what hangs on records that
        `load` gave it.
        """
        return self.database

    async def load(
        self, type_: type[T], keys: Sequence[str], *, columns: Sequence[str] | None = None
    ) -> list[T | None]:
        """The records of these keys, in their order, as who asks would see them over GraphQL; None where
        there is none, or none for their eyes. `columns` names what is looked at; all, if left out.

        Raises `RequestError` FORBIDDEN without the permission of the type.
        """
        source = require_source(type_)
        context = self.context(self.changer, self.request_id)
        if not context.granted(source.permission):
            raise context.refusal([(type_.__name__, source.permission)])
        return await load(context, type_, keys, columns=columns)

    @property
    def now(self) -> datetime:
        """The current moment, in UTC."""
        return now()

    @property
    def changer(self) -> Actor:
        """In whose name changes are: of who asks, and where nobody is known of the system, which then bears
        the address as its name."""
        return self.actor or Actor.system(f"public {self.place}"[:NAME_LIMIT])

    def json(self) -> Any:
        """The body as JSON. Raises `CrmError` BAD_INPUT where it is none."""
        try:
            check_values(self.body, "The body")
            return orjson.loads(self.body)
        except Refusal as refusal:
            raise CrmError(ErrorCode.BAD_INPUT, refusal.message) from None
        except orjson.JSONDecodeError as error:
            raise CrmError(ErrorCode.BAD_INPUT, f"The body is not valid JSON: {error}.") from None

    @asynccontextmanager
    async def unit_of_work(self) -> AsyncIterator[UnitOfWork]:
        """A transaction in the name of who asks; for a `PUBLIC` route in that of the system, called
        `public /plugins/…`, in the audit log too. A request may have several, one after the other. None on
        a restricted route.
        """
        self._for_all_customers()
        async with self.database.unit_of_work(self.changer, request_id=self.request_id) as tx:
            yield tx

    async def figures(self, window: "Window", group_by: str | None = None) -> "Figures":
        """What all plugins tell of a window in numbers, by their hook `figures`. Not on restricted routes."""
        self._for_all_customers()
        return await self.host.figures(window, group_by, self.reader)

    async def signals(self, customer_ids: Iterable[str]) -> "Signals":
        """What stands out about these customers, by the plugins' hook `signals`. Not on restricted routes."""
        self._for_all_customers()
        return await self.host.signals(customer_ids, self.reader)

    async def signalled(self) -> "Signalled":
        """Of whom `signals` tells something, by the plugins' hook `signalled`. Not on restricted routes."""
        self._for_all_customers()
        return await self.host.signalled(self.reader)

    def _for_all_customers(self) -> None:
        if self.restricted:
            raise RuntimeError(f"{self.place} is restricted: it tells what `request.load` gives, and no more")


@dataclass(frozen=True, kw_only=True)
class RouteAnswer:
    """What a route answers. `body` is bytes, text, or anything that JSON knows; None is no body.

    Of `headers`, `cache-control` and `content-security-policy` replace what is sent otherwise. There are no
    cookies, so `set-cookie` is refused.
    """

    status: int = 200
    body: Any = None
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


def encoded(answer: object) -> Answer:
    """The answer as it is sent. Raises `TypeError` or `ValueError` for one that cannot be."""
    if not isinstance(answer, RouteAnswer):
        raise TypeError(f"it answered {type(answer).__name__} instead of RouteAnswer")
    if not isinstance(answer.status, int) or not 200 <= answer.status <= 599:
        raise ValueError(f"{answer.status!r} is no status of an answer")
    body = answer.body
    if body is not None and answer.status in BODILESS:
        raise ValueError(f"an answer with the status {answer.status} has no body")
    if body is None:
        found = b""
    elif isinstance(body, bytes):
        found = body
    elif isinstance(body, str) and answer.media_type != "application/json":
        found = body.encode()
    else:
        found = orjson.dumps(body, option=orjson.OPT_UTC_Z)
    named = {_name(name): _value(value) for name, value in answer.headers.items()}
    headers = [(b"content-security-policy", POLICY.encode()), (b"referrer-policy", b"no-referrer")]
    kept = [(name, value) for name, value in headers if name not in named]
    media = _value(answer.media_type).decode("latin-1")
    if media.startswith("text/") and "charset" not in media:
        media += "; charset=utf-8"
    return Answer(answer.status, found, media, (*kept, *named.items()))


def _name(name: object) -> bytes:
    if not isinstance(name, str) or not _TOKEN.fullmatch(name) or name.lower() in _OURS:
        raise ValueError(f"{name!r} is no header that a route can send")
    if name.lower() == "set-cookie":
        raise ValueError("a route can set no cookie: nothing here goes by cookies")
    return name.lower().encode()


def _value(value: object) -> bytes:
    if not isinstance(value, str) or not _VALUE.fullmatch(value):
        raise ValueError(f"{value!r} cannot be the value of a header")
    return value.encode("latin-1")
