"""Serves the routes of plugins: who asks, within which limits, and what becomes of what goes wrong.

There are no cookies: a browser adds nothing to a request that another site makes, neither a token nor the
signature of a link, so that nothing can be done in a person's name without them.
"""

import logging
from collections.abc import Mapping
from time import monotonic
from typing import Any

import orjson
from starlette.datastructures import QueryParams
from starlette.types import Receive, Scope, Send

from crm_framework.engine.errors import RequestError
from crm_framework.errors import CrmError, ErrorCode, PluginCrash, contained
from crm_framework.security.actors import ALL, PUBLIC, Actor, in_words
from crm_framework.security.verify import TokenRefused
from crm_framework.server.access_log import note
from crm_framework.server.answers import HEADERS, JSON, STATUS, Answer, Headers, Refusal, error_entry
from crm_framework.server.attempts import address_of, note_lacking, note_unauthenticated
from crm_framework.server.authentication import authenticate
from crm_framework.server.limits.budgets import Budget
from crm_framework.server.limits.visitors import visitor
from crm_framework.server.operations import read_body
from crm_framework.server.request_ids import request_id
from crm_framework.server.service import Service, service_in

from .requests import RouteRequest, encoded
from .table import Found, Served

log = logging.getLogger("crm_framework.server")

STATUSES: Mapping[ErrorCode, int] = {
    ErrorCode.BAD_INPUT: 400,
    ErrorCode.UNAUTHENTICATED: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.CONFLICT: 409,
    ErrorCode.REFUSED: 422,
    ErrorCode.UNAVAILABLE: 503,
}
"""Status of a `CrmError`; of one that is not listed the client reads no more than the reference."""


class PluginRoutes:
    """The endpoint of all of them, as an ASGI application."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            answer = await _answered(scope, receive)
        except Refusal as refusal:
            answer = _refused(refusal)
        except Exception as error:
            log.error("request failed", exc_info=error)
            text = f"The server failed. The log has it as {request_id()}."
            answer = _errors(500, error_entry("INTERNAL", text, reference=request_id()))
        body = b"" if scope["method"] == "HEAD" else answer.body
        await send({"type": "http.response.start", "status": answer.status, "headers": _headers(answer)})
        await send({"type": "http.response.body", "body": body})


async def _answered(scope: Scope, receive: Receive) -> Answer:
    service = service_in(scope)
    found = service.plugin_routes.note(scope)
    if found is None:
        raise Refusal(404, "NOT_FOUND", "There is nothing at this address.")
    served = found.of(scope["method"])
    if served is None:
        methods = ", ".join(found.methods)
        raise Refusal(405, "BAD_INPUT", f"Send {methods}.", headers={"Allow": methods})
    headers: dict[bytes, bytes] = dict(reversed(list(scope["headers"])))
    public = served.declared.route.permission == PUBLIC
    actor = None if public else await _admitted(service, scope, headers, served)
    budget = _budget(service, scope, actor)
    body = await _body(service, headers, receive, served)
    request = _request(service, scope, found, served, headers, body, actor)
    started = monotonic()
    try:
        answer = await _handled(service, scope, served, request)
    finally:
        if actor is not None and budget is not None:
            budget.charge(monotonic() - started, 1)
    if actor is not None and budget is not None:
        answer = answer._replace(headers=(*answer.headers, *budget.headers()))
    return answer


async def _admitted(service: Service, scope: Scope, headers: dict[bytes, bytes], served: Served) -> Actor:
    """Who asks, if their token grants it on all customers: a route reads what it likes, if not restricted."""
    route = served.declared.route

    def told(refused: TokenRefused) -> None:
        note_unauthenticated(service, scope, refused)

    actor = await authenticate(headers, service.verifier.verify, service.guesses, address_of(scope), told)
    note(scope, "actor", actor.name)
    need = route.permission if route.restricted else f"{ALL}{route.permission}"
    if not actor.may(need):
        missing = f"The permission {in_words(need)} is missing."
        note_lacking(service, scope, actor, missing, _named(scope, served))
        raise Refusal(403, "FORBIDDEN", missing)
    return actor


def _budget(service: Service, scope: Scope, actor: Actor | None) -> Budget | None:
    """What the token has left, or else the address; `Refusal` 429 where that is nothing."""
    if actor is not None:
        budget = service.budgets.of(actor.holder)
        if budget is not None and budget.left() < 0:
            raise _too_often(budget, f"This token has used up its {budget.size:,} objects a minute.")
        return budget
    budget = service.visitors.of(visitor(address_of(scope)))
    if budget is not None and not budget.spend(1):
        raise _too_often(budget, f"Your address has sent its {budget.size:,} requests a minute.")
    return budget


def _too_often(budget: Budget, message: str) -> Refusal:
    wait = max(1, budget.seconds_until(1))
    return Refusal(429, "RATE_LIMITED", f"{message} Wait {wait} s.", headers={"Retry-After": str(wait)})


async def _body(service: Service, headers: dict[bytes, bytes], receive: Receive, served: Served) -> bytes:
    settings, most = service.settings, served.declared.route.most_bytes
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise Refusal(415, "BAD_INPUT", "Compressed bodies are not supported.")
    return await read_body(
        headers,
        receive,
        max_bytes=settings.max_body_bytes if most is None else most,
        deadlines=service.deadlines,
    )


def _request(
    service: Service,
    scope: Scope,
    found: Found,
    served: Served,
    headers: Mapping[bytes, bytes],
    body: bytes,
    actor: Actor | None,
) -> RouteRequest:
    declared = served.declared
    hidden = b"authorization" if actor is not None else b""
    query = QueryParams(scope["query_string"]).multi_items()
    return RouteRequest(
        method="GET" if scope["method"] == "HEAD" else scope["method"],
        path=found.path,
        args=found.args,
        query=dict(reversed(query)),
        headers={
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in headers.items()
            if name != hidden
        },
        body=body,
        actor=actor,
        address=address_of(scope),
        request_id=request_id(),
        settings=declared.settings,
        database=service.database,
        place=served.place,
        host=service.host,
        restricted=declared.route.restricted,
        context=service.context,
    )


async def _handled(service: Service, scope: Scope, served: Served, request: RouteRequest) -> Answer:
    """What the plugin answers, or the answer to what it raises."""
    deadline = None
    try:
        with service.deadlines.begin() as deadline, contained():
            answer = await served.declared.route.handle(request)
        return encoded(answer)
    except TimeoutError as error:
        if deadline is None or not deadline.expired:
            return _failed(service, scope, served, error)
        seconds = service.deadlines.seconds
        raise Refusal(
            504,
            "TIMEOUT",
            f"The request took longer than {seconds:g} seconds and was stopped; a change may have been made.",
        ) from None
    except RequestError as error:
        return _errors(STATUS.get(error.code, 400), error_entry(error.code, error.message))
    except CrmError as error:
        return _told(service, scope, served, request, error)
    except Exception as error:
        return _failed(service, scope, served, error)


def _told(service: Service, scope: Scope, served: Served, request: RouteRequest, error: CrmError) -> Answer:
    status = STATUSES.get(error.code)
    if isinstance(error, PluginCrash):
        entry = error_entry("INTERNAL", error.message, hint=error.hint, reference=request.request_id)
        return _errors(500, entry)
    if status is None:
        return _failed(service, scope, served, error)
    if status in (401, 403):
        note_lacking(service, scope, request.changer, error.message, _named(scope, served))
    if status == 401 and (wait := service.guesses.note(request.address)):
        raise Refusal(
            429,
            "RATE_LIMITED",
            f"Too many requests that nobody vouches for came from your address. Wait {wait} s.",
            headers={"Retry-After": str(wait)},
        )
    shown = service.context(request.changer, request.request_id).told(error)
    facts: dict[str, Any] = {"path": list(shown.path)} if shown.path else {}
    if shown.hint:
        facts["hint"] = shown.hint
    headers: Headers = ((b"retry-after", b"1"),) if status == 503 else ()
    return _errors(status, error_entry(error.code.value, shown.message, **facts), headers)


def _failed(service: Service, scope: Scope, served: Served, error: BaseException) -> Answer:
    """A fault of the plugin: its text goes to the log, the client gets the id to find it by."""
    plugin = served.declared.plugin
    log.error("%s of the plugin %s failed", _named(scope, served), plugin, exc_info=error)
    text = f" {type(error).__name__}: {error}" if service.settings.debug else ""
    message = f"The plugin {plugin} failed. The log has it as {request_id()}.{text}"
    return _errors(500, error_entry("INTERNAL", message, reference=request_id()))


def _named(scope: Scope, served: Served) -> str:
    return f"{scope['method']} {served.place}"


def _errors(status: int, entry: dict[str, Any], headers: Headers = ()) -> Answer:
    return Answer(status, orjson.dumps({"errors": [entry]}), JSON, headers)


def _refused(refusal: Refusal) -> Answer:
    headers = tuple((name.lower().encode(), value.encode()) for name, value in refusal.headers.items())
    return _errors(refusal.status, error_entry(refusal.code, refusal.message), headers)


def _headers(answer: Answer) -> list[tuple[bytes, bytes]]:
    given = {name for name, _ in answer.headers}
    return [
        *((name, value) for name, value in HEADERS if name not in given),
        *answer.headers,
        (b"content-length", b"%d" % len(answer.body)),
        (b"content-type", answer.media.encode()),
    ]
