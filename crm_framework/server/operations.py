"""Reading a GraphQL operation out of an HTTP request, and refusing what is none."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from graphql import GraphQLError, OperationDefinitionNode, OperationType, parse
from starlette.requests import ClientDisconnect, Request

from .answers import Refusal


@dataclass(frozen=True, kw_only=True)
class Operation:
    """What a client asks for, well-formed but not yet understood. `read_only`: it came by GET."""

    query: str
    variables: dict[str, Any] | None
    operation_name: str | None
    read_only: bool


async def read_operation(request: Request, *, max_bytes: int, max_seconds: float) -> Operation:
    """The operation of a GET or POST. Raises `Refusal` with the status that fits what is wrong."""
    if request.method == "GET":
        return from_parameters(request)
    _check_content(request.headers)
    body = await read_body(request, max_bytes=max_bytes, max_seconds=max_seconds)
    return from_members(parsed(body, "The body"), read_only=False)


def from_parameters(request: Request) -> Operation:
    given = request.query_params.multi_items()
    members: dict[str, Any] = dict(given)
    for name in ("query", "variables", "operationName", "extensions"):
        if sum(key == name for key, _ in given) > 1:
            raise _bad(f"The parameter {name} is given more than once.")
    for name in ("variables", "extensions"):
        if name in members:
            members[name] = parsed(members[name].encode(), f"The parameter {name}")
    return from_members(members, read_only=True)


def from_members(members: Any, *, read_only: bool) -> Operation:
    """An operation from decoded JSON. Members that GraphQL over HTTP does not know are ignored."""
    if isinstance(members, list):
        raise _bad("The body is a list; several operations in one request are not supported.")
    if not isinstance(members, dict):
        raise _bad('The body must be a JSON object such as {"query": "{ me { name } }"}.')
    query = members.get("query")
    if not isinstance(query, str) or not query.strip():
        raise _bad("`query` must be the text of a GraphQL document.")
    name = members.get("operationName")
    if name is not None and not isinstance(name, str):
        raise _bad("`operationName` must be text or null.")
    variables = members.get("variables")
    if variables is not None and not isinstance(variables, dict):
        raise _bad("`variables` must be an object or null.")
    if not isinstance(members.get("extensions", {}), dict | None):
        raise _bad("`extensions` must be an object or null.")
    return Operation(query=query, variables=variables, operation_name=name or None, read_only=read_only)


def check_read_only(operation: Operation) -> None:
    """Refuses, with 405, an operation that came by GET and is no query.

    A document that cannot be read passes: the engine says what is wrong with it, and runs nothing.
    """
    try:
        document = parse(operation.query, no_location=True, max_tokens=1_000)
    except GraphQLError:
        return
    found = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    chosen = [
        node
        for node in found
        if operation.operation_name is None or (node.name and node.name.value == operation.operation_name)
    ]
    if any(node.operation is not OperationType.QUERY for node in chosen):
        raise Refusal(
            405, "BAD_INPUT", "Only queries may be sent by GET; send this by POST.", headers={"Allow": "POST"}
        )


async def read_body(request: Request, *, max_bytes: int, max_seconds: float) -> bytes:
    """The body, of which no more than `max_bytes` are ever held in memory."""
    too_large = Refusal(
        413,
        "TOO_LARGE",
        f"The body is larger than {max_bytes} bytes. Send less at once.",
        headers={"Connection": "close"},
    )
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > max_bytes:
        raise too_large
    chunks = bytearray()
    try:
        async with asyncio.timeout(max_seconds):
            async for chunk in request.stream():
                chunks += chunk
                if len(chunks) > max_bytes:
                    raise too_large
    except TimeoutError:
        raise Refusal(
            408, "TIMEOUT", "The body did not arrive in time.", headers={"Connection": "close"}
        ) from None
    except ClientDisconnect:
        raise _bad("The connection ended before the body did.") from None
    return bytes(chunks)


def parsed(text: bytes, what: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _bad(f"{what} is not valid JSON: {error}.") from None


def _check_content(headers: Mapping[str, str]) -> None:
    kind, *parameters = (part.strip().lower() for part in headers.get("content-type", "").split(";"))
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
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Refusal(415, "BAD_INPUT", "Compressed bodies are not supported.")


def _bad(message: str) -> Refusal:
    return Refusal(400, "BAD_INPUT", message)
