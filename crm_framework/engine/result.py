"""What an operation came to, and its JSON."""

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import orjson
from graphql import GraphQLError

from .failures import Failures


@dataclass
class Result:
    """An operation's outcome, ready to be encoded.

    `output` is its data as orjson takes it. `refused`: nothing ran, and there is no `data` in the response;
    the code of the first error says why.
    """

    output: dict[str, Any] | None
    errors: list[dict[str, Any]] = field(default_factory=list)
    refused: bool = False
    plan: list[dict[str, Any]] | None = None
    """How it was run, where the context has a trace; `extensions.plan` in the response."""

    @property
    def code(self) -> str | None:
        """The first error's code."""
        return self.errors[0]["extensions"]["code"] if self.errors else None

    @cached_property
    def data(self) -> Any:
        """The data, as a client reads it."""
        return orjson.loads(orjson.dumps(self.output, option=_OPTION))

    @property
    def response(self) -> dict[str, Any]:
        """The response as GraphQL defines it, as a client reads it."""
        return self._response(self.data)

    def encoded(self) -> bytes:
        """The response as JSON."""
        return orjson.dumps(self._response(self.output), option=_OPTION)

    def _response(self, data: Any) -> dict[str, Any]:
        found: dict[str, Any] = {} if self.refused else {"data": data}
        if self.errors:
            found = {"errors": self.errors, **found}
        return found if self.plan is None else {**found, "extensions": {"plan": self.plan}}


_OPTION = orjson.OPT_UTC_Z


def refused(errors: Collection[GraphQLError], failures: Failures) -> Result:
    """The result of an operation of which nothing ran."""
    return Result(None, [failures.shown(error) for error in errors], refused=True)
