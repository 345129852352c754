"""What an operation came to, and its JSON."""

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import orjson
from graphql import GraphQLError

from .failures import Failures, legible
from .unwritable import Origin, without_unwritable


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
    origin: Origin | None = field(default=None, repr=False, compare=False)
    """What it is the result of, to find what in it cannot be written."""

    @property
    def code(self) -> str | None:
        """The first error's code."""
        return self.errors[0]["extensions"]["code"] if self.errors else None

    @cached_property
    def data(self) -> Any:
        """The data, as a client reads it."""
        return orjson.loads(self.encoded()).get("data")

    @property
    def response(self) -> dict[str, Any]:
        """The response as GraphQL defines it, as a client reads it."""
        found: dict[str, Any] = orjson.loads(self.encoded())
        return found

    def encoded(self) -> bytes:
        """The response as JSON."""
        try:
            return orjson.dumps(self._response(), option=_OPTION)
        except TypeError:
            self._mend()
        return orjson.dumps(self._response(), option=_OPTION)

    def _mend(self) -> None:
        """Makes errors of what cannot be written."""
        if self.origin is not None and self.output is not None:
            self.output, self.errors = without_unwritable(self.origin, self.output, self.errors)
        self.plan = legible(self.plan)

    def _response(self) -> dict[str, Any]:
        found: dict[str, Any] = {} if self.refused else {"data": self.output}
        if self.errors:
            found = {"errors": self.errors, **found}
        return found if self.plan is None else {**found, "extensions": {"plan": self.plan}}


_OPTION = orjson.OPT_UTC_Z


def refused(errors: Collection[GraphQLError], failures: Failures) -> Result:
    """The result of an operation of which nothing ran."""
    return Result(None, [failures.shown(error) for error in errors], refused=True)
