"""What goes wrong in the engine: a request that is refused, and a declaration that cannot work."""

from collections.abc import Iterator
from contextlib import contextmanager


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


class Exited(Exception):
    """A resolver called `sys.exit()`. That fails its field, as any other fault does; the process goes on."""


@contextmanager
def going_on() -> Iterator[None]:
    """Makes `sys.exit()` in a field's code a fault of that field: in a task it would end the event loop."""
    try:
        yield
    except SystemExit as error:
        raise Exited(f"the resolver called sys.exit({error.code!r})") from error


class CompletionFailure(Exception):
    """A value that the API itself gave and that its type does not have: a fault of the program, masked."""


class NullFailure(CompletionFailure):
    """A null where the schema promises a value. `title` is the field, `Type.field`."""

    def __init__(self, title: str) -> None:
        super().__init__(f"Cannot return null for non-nullable field {title}.")
