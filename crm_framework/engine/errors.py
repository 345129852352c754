"""What goes wrong in the engine: a request that is refused, and a declaration that cannot work."""

import asyncio
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from graphql import GraphQLError

T = TypeVar("T")


class RequestError(Exception):
    """A failure that the client may read, as a top-level error with `extensions.code`.

    Codes: UNAUTHENTICATED, FORBIDDEN, BAD_INPUT, NOT_FOUND, TOO_COMPLEX, TOO_LARGE, TIMEOUT, RATE_LIMITED,
    INTERNAL. Every other exception is masked to INTERNAL and logged. `extensions` is added to the error's
    own.
    """

    def __init__(self, code: str, message: str, **extensions: object) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.extensions = extensions


class InvalidDocument(Exception):
    """The document does not fit the schema, or the variables do not fit the document."""

    def __init__(self, errors: Sequence[GraphQLError]) -> None:
        super().__init__(errors[0].message)
        self.errors = errors


class DeclarationError(Exception):
    """A type or field is declared in a way that cannot work: a fault of its author, found before any request.

    `where` is `Type.field`, as far as it is known when the fault is found.
    """

    def __init__(self, where: str, problem: str, todo: str) -> None:
        super().__init__(f"{where}: {problem}. {todo}")
        self.where = where
        self.problem = problem
        self.todo = todo


class FieldFailure(Exception):
    """One field's share in the failure of a batch; a fresh one per field, as each gets its own path."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error


ENDING = (SystemExit, KeyboardInterrupt)
"""What Python ends a program for: raised in any task it ends the event loop. Ctrl-C is not among what comes
out of a field's code, as the event loop sees to that itself."""


STOPPING = (*ENDING, asyncio.CancelledError)
"""The same, and what ends a task. From a function that does not wait it is a fault of its own: tasks are
cancelled where they wait."""


class Exited(Exception):
    """A resolver raised one of `STOPPING`. That fails its field, as any fault does; all else goes on."""

    @classmethod
    def by(cls, error: BaseException) -> "Exited":
        code = f"called sys.exit({error.code!r})" if isinstance(error, SystemExit) else None
        return cls(f"the resolver {code or f'raised {type(error).__name__}'}")


def is_cancelled() -> bool:
    """Whether a CancelledError is there because this task is cancelled. Else a resolver has raised it, say as
    it waited for a task that somebody else cancelled.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


@contextmanager
def going_on() -> Iterator[None]:
    """Makes what would end the event loop, or the request, a fault of the field whose code raises it."""
    try:
        yield
    except ENDING as error:
        raise Exited.by(error) from error
    except asyncio.CancelledError as error:
        if is_cancelled():
            raise
        raise Exited.by(error) from error


async def awaited(waiting: Awaitable[T]) -> T:
    """The same for what is awaited."""
    try:  # spelt out: a context manager costs as much as the rest
        return await waiting
    except ENDING as error:
        raise Exited.by(error) from error
    except asyncio.CancelledError as error:
        if is_cancelled():
            raise
        raise Exited.by(error) from error


class CompletionFailure(Exception):
    """A value that the API itself gave and that its type does not have: a fault of the program, masked."""


class NullFailure(CompletionFailure):
    """A null where the schema promises a value. `title` is the field, `Type.field`."""

    def __init__(self, title: str) -> None:
        super().__init__(f"Cannot return null for non-nullable field {title}.")
