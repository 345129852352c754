"""What a client gets to see of an error: a code and a message, never a traceback, a statement or a stranger's
text.
"""

import logging
from typing import Any
from uuid import uuid4

import orjson
from graphql import GraphQLError

from .context import Context
from .errors import FieldFailure, RequestError

MAX_MESSAGE = 1_000
"""Characters of a message about a request that are shown: GraphQL's own repeat the values that were sent."""
MAX_NESTED = 20
"""How deep what an error tells besides is looked into, where it cannot be written as it is."""

_log = logging.getLogger(__name__)


class Failures:
    """Shows the errors of one result. A fault that hits many fields has one reference, and is logged once."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._references: dict[int, tuple[BaseException, str]] = {}

    def shown(self, error: GraphQLError) -> dict[str, Any]:
        """The error as the response has it, with `extensions.code`."""
        cause = _cause(error)
        refusal = cause if isinstance(cause, RequestError) else None
        if refusal is None and cause is not None:
            refusal = self._context.translate(cause)
        if refusal is not None:
            extensions = {"code": refusal.code, **refusal.extensions}
            if not self._context.changed:
                return _formatted(error, refusal.message, extensions)
            message = f"The change is stored, but this could not be read back: {refusal.message}"
            return _formatted(error, message, {**extensions, "stored": True})
        if cause is None:
            extensions = {"code": "BAD_INPUT", **(error.extensions or {})}
            return _formatted(error, _cut(error.message), extensions)
        reference = self._reference(cause, error)
        message = f"An internal error occurred; the log has it under reference {reference}"
        stored = {"stored": True} if self._context.changed else {}
        return _formatted(error, message, {"code": "INTERNAL", "reference": reference, **stored})

    def _reference(self, cause: BaseException, error: GraphQLError) -> str:
        known = self._references.get(id(cause))
        if known is not None:
            return known[1]
        reference = uuid4().hex[:12]
        self._references[id(cause)] = (cause, reference)  # kept, so that its id stays its own
        path = ".".join(str(part) for part in error.path or ())
        _log.error("internal error %s at %s", reference, path or "start", exc_info=cause)
        return reference


def _cut(message: str) -> str:
    return message if len(message) <= MAX_MESSAGE else f"{message[:MAX_MESSAGE]}…"


def _cause(error: GraphQLError) -> BaseException | None:
    """What went wrong; `None` for a fault of the request, which GraphQL itself found, with its text fit to
    show.
    """
    found: BaseException | None = error
    while isinstance(found, FieldFailure | GraphQLError):
        if isinstance(found, FieldFailure):
            found = found.error
        elif found.original_error is not None:
            found = found.original_error
        else:
            return found if _of_completion(found) else None
    return found


_CHECKS = {
    "complete_list_value",
    "complete_object_value",
    "execute_subfields_async",
    "ensure_valid_runtime_type",
    "assert_event_stream",
}
"""Functions of graphql-core that find fault with a value themselves, instead of what a resolver calls."""


def _of_completion(error: BaseException) -> bool:
    """Whether a value was at fault that the API itself gave, not one that the client sent."""
    traceback, innermost = error.__traceback__, None
    while traceback is not None:
        innermost = traceback.tb_frame
        if innermost.f_code.co_name == "complete_leaf_value":
            return True
        traceback = traceback.tb_next
    return (
        innermost is not None
        and innermost.f_code.co_name in _CHECKS
        and innermost.f_globals.get("__name__", "").startswith("graphql.execution.")
    )


def _formatted(error: GraphQLError, message: str, extensions: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {"message": message}
    if error.locations:
        shown["locations"] = [{"line": place.line, "column": place.column} for place in error.locations]
    if error.path is not None:
        shown["path"] = error.path
    found: dict[str, Any] = legible({**shown, "extensions": extensions})
    return found


def legible(value: Any, depth: int = 0) -> Any:
    """A value as JSON can have it: `?` is for half a surrogate pair, null for what JSON has no text for."""
    try:
        orjson.dumps(value)
    except TypeError:
        if isinstance(value, str):
            return value.encode(errors="replace").decode()
        if depth == MAX_NESTED:
            return None
        if isinstance(value, dict):
            return {legible(str(key)): legible(inner, depth + 1) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [legible(item, depth + 1) for item in value]
        return None
    return value
