"""Reading a GraphQL operation out of an HTTP request, and refusing what is none."""

from collections.abc import Mapping
from time import perf_counter
from typing import Any, NamedTuple

import orjson
from graphql import GraphQLError, OperationDefinitionNode, OperationType, parse
from starlette.datastructures import QueryParams
from starlette.types import Receive

from .answers import Refusal
from .deadlines import Deadlines
from .limits.budgets import Budget
from .persisted import PersistedOperations
from .remembering import remembered

Headers = Mapping[bytes, bytes]

LARGE = 65_536
"""Bytes of a body from which on the time that reading it took is charged to the token's budget."""
HELD_UP = 10
"""How many times: nobody else is served meanwhile, in a thread neither, as orjson lets no other run."""


class Operation(NamedTuple):
    """What a client asks for, well-formed but not yet understood. `read_only`: it came by GET."""

    query: str
    variables: dict[str, Any] | None
    operation_name: str | None
    read_only: bool


async def read_operation(
    headers: Headers,
    receive: Receive,
    persisted: PersistedOperations,
    *,
    max_bytes: int,
    deadlines: Deadlines,
    budget: Budget | None,
) -> Operation:
    """The operation of a POST. Raises `Refusal` with the status that fits what is wrong.

    The time of reading a large body is charged to `budget`.
    """
    _check_content(headers)
    body = await read_body(headers, receive, max_bytes=max_bytes, max_values=MAX_VALUES, deadlines=deadlines)
    if budget is None or len(body) <= LARGE:
        members = parsed(body, "The body")
    else:
        started = perf_counter()
        members = parsed(body, "The body")
        budget.charge(HELD_UP * (perf_counter() - started))
    return from_members(members, persisted, read_only=False)


def from_parameters(query_string: bytes, persisted: PersistedOperations) -> Operation:
    """The operation of a GET."""
    given = QueryParams(query_string).multi_items()
    members: dict[str, Any] = dict(given)
    for name in ("query", "documentId", "variables", "operationName", "extensions"):
        if sum(key == name for key, _ in given) > 1:
            raise _bad(f"The parameter {name} is given more than once.")
    for name in ("variables", "extensions"):
        if name in members:
            members[name] = parsed(members[name].encode(), f"The parameter {name}")
    return from_members(members, persisted, read_only=True)


def from_members(members: Any, persisted: PersistedOperations, *, read_only: bool) -> Operation:
    """An operation from decoded JSON. Members that GraphQL over HTTP does not know are ignored."""
    if isinstance(members, list):
        raise _bad("The body is a list; several operations in one request are not supported.")
    if not isinstance(members, dict):
        raise _bad('The body must be a JSON object such as {"query": "{ me { name } }"}.')
    query = persisted.text_of(members)
    name = members.get("operationName")
    if name is not None and not isinstance(name, str):
        raise _bad("`operationName` must be text or null.")
    variables = members.get("variables")
    if variables is not None and not isinstance(variables, dict):
        raise _bad("`variables` must be an object or null.")
    extensions = members.get("extensions")
    if extensions is not None and not isinstance(extensions, dict):
        raise _bad("`extensions` must be an object or null.")
    return Operation(query=query, variables=variables, operation_name=name or None, read_only=read_only)


def check_read_only(operation: Operation) -> None:
    """Refuses, with 405, an operation that came by GET and is no query.

    A document that cannot be read passes: the engine says what is wrong with it, and runs nothing.
    """
    wanted, kinds = operation.operation_name, _kinds(operation.query)
    if any(kind is not OperationType.QUERY for name, kind in kinds if wanted in (None, name)):
        raise Refusal(
            405, "BAD_INPUT", "Only queries may be sent by GET; send this by POST.", headers={"Allow": "POST"}
        )


def kind_of(operation: Operation) -> str:
    """ "query", "mutation" or "subscription", for an operation that can be read."""
    for name, kind in _kinds(operation.query):
        if operation.operation_name in (None, name):
            return kind.value
    return OperationType.QUERY.value


def name_of(operation: Operation) -> str | None:
    """The operation's name: the one that was asked for, or else the only one in the document."""
    if operation.operation_name is not None:
        return operation.operation_name
    found = _kinds(operation.query)
    return found[0][0] if len(found) == 1 else None


@remembered(256, longest=20_000)
def _kinds(text: str) -> list[tuple[str | None, OperationType]]:
    """Name and kind of the operations in a document; none if it cannot be read."""
    try:
        document = parse(text, no_location=True, max_tokens=1_000)
    except GraphQLError:
        return []
    return [
        (node.name.value if node.name else None, node.operation)
        for node in document.definitions
        if isinstance(node, OperationDefinitionNode)
    ]


MAX_VALUES = 300_000
"""Values in a body. Reading them holds everybody else up, in a thread too; and each takes several times as
much memory as it has characters at least: two, in a list."""
BYTES_A_VALUE = 2
"""At least, with what parts it from the next one: a shorter body need not be counted."""


def check_values(body: bytes, what: str) -> None:
    """Refuses, before it is read, JSON of so many values that they would fill the memory.

    Commas and brackets in texts count, too: of those there are few where the texts are meant to be read.
    """
    if len(body) > BYTES_A_VALUE * MAX_VALUES and _values(body) > MAX_VALUES:
        raise _too_many(what)


def _values(text: bytes) -> int:
    """How many values begin in a piece of JSON, at most."""
    return text.count(b",") + text.count(b"[") + text.count(b"{")


def _too_many(what: str, **headers: str) -> Refusal:
    told = f"{what} has more than {MAX_VALUES:,} values. Send less at once."
    return Refusal(413, "TOO_LARGE", told, headers=headers)


async def read_body(
    headers: Headers,
    receive: Receive,
    *,
    max_bytes: int,
    max_values: int | None = None,
    deadlines: Deadlines,
) -> bytes:
    """The body, of which no more than `max_bytes` are ever held in memory.

    With `max_values` it is JSON of no more values: they are counted as they come, since to count those of a
    long body at once takes as long as to read it.
    """
    announced = headers.get(b"content-length", b"")
    if announced.isdigit() and int(announced) > max_bytes:
        raise _too_large(max_bytes)
    chunks = bytearray()
    values = 0
    try:
        with deadlines.begin():
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise _bad("The connection ended before the body did.")
                chunk: bytes = message.get("body", b"")
                more = message.get("more_body", False)
                if len(chunks) + len(chunk) > max_bytes:
                    raise _too_large(max_bytes)
                whole = not more and not chunks
                if max_values is not None and not (whole and len(chunk) <= BYTES_A_VALUE * max_values):
                    values += _values(chunk)
                    if values > max_values:
                        raise _too_many("The body", Connection="close")
                if whole:
                    return chunk
                chunks += chunk
                if not more:
                    return bytes(chunks)
    except TimeoutError:
        raise Refusal(
            408, "TIMEOUT", "The body did not arrive in time.", headers={"Connection": "close"}
        ) from None


def _too_large(max_bytes: int) -> Refusal:
    return Refusal(
        413,
        "TOO_LARGE",
        f"The body is larger than {max_bytes} bytes. Send less at once.",
        headers={"Connection": "close"},
    )


def parsed(text: bytes, what: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _bad(f"{what} is not valid JSON: {error}.") from None


def _check_content(headers: Headers) -> None:
    stated = headers.get(b"content-type", b"")
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise Refusal(415, "BAD_INPUT", "Compressed bodies are not supported.")
    if stated == b"application/json":
        return
    kind, *parameters = (part.strip().lower() for part in stated.decode("latin-1").split(";"))
    if kind != "application/json":
        raise Refusal(
            415,
            "BAD_INPUT",
            f"The content type is {kind!r}; send application/json."
            if kind
            else "The content type is missing; send application/json.",
            headers={"Accept-Post": "application/json"},
        )
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip(' "') not in ("utf-8", "utf8"):
            raise Refusal(415, "BAD_INPUT", "The body must be UTF-8.")


def _bad(message: str) -> Refusal:
    return Refusal(400, "BAD_INPUT", message)
