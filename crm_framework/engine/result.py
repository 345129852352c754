"""What an operation came to, and its JSON."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import orjson
from graphql import GraphQLError

from .failures import Failures


@dataclass
class Result:
    """An operation's outcome, ready to be encoded.

    `refused`: nothing ran, and there is no `data` in the response; the code of the first error says why.
    """

    data: dict[str, Any] | None
    errors: list[dict[str, Any]] = field(default_factory=list)
    refused: bool = False

    @property
    def code(self) -> str | None:
        """The first error's code."""
        return self.errors[0]["extensions"]["code"] if self.errors else None

    @property
    def response(self) -> dict[str, Any]:
        """The response as GraphQL defines it."""
        found: dict[str, Any] = {} if self.refused else {"data": self.data}
        return {"errors": self.errors, **found} if self.errors else found

    def encoded(self) -> bytes:
        """The response as JSON."""
        return orjson.dumps(self.response)


def refused(errors: Collection[GraphQLError], failures: Failures) -> Result:
    """The result of an operation of which nothing ran."""
    return Result(None, [failures.shown(error) for error in errors], refused=True)
