"""What one request brings along: where to read, what the actor may do, and the limits that hold for it."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from .errors import RequestError
from .sql import Dialect, Fragment

if TYPE_CHECKING:
    from .declarations import Source
    from .trace import Trace


class Reader(Protocol):
    """Reads from the database, outside of a transaction of the request.

    `?` marks the arguments on both dialects. Aware datetimes, dates, decimals, booleans and text are accepted
    as arguments; on PostgreSQL lists too. Rows come as the driver has them; JSON columns come as text.
    """

    @property
    def dialect(self) -> Dialect:
        """Which database it is: "sqlite" or "postgres"."""

    async def fetch(
        self, sql: str, args: Sequence[object] = (), *, bounded: bool = False
    ) -> list[dict[str, Any]]:
        """The rows of a SELECT, by column name.

        `bounded`: it touches few rows whatever the database holds, as it goes by key, or takes a page along
        an index. SQLite then runs it at once instead of in a thread, held to a number of steps.
        """

    async def rows(
        self, sql: str, args: Sequence[object] = (), *, bounded: bool = False
    ) -> Sequence[Sequence[Any]]:
        """The same by position."""


@dataclass(frozen=True)
class Limits:
    """What a document may ask for at most, counted over its fragments as if they were written out."""

    max_characters: int = 50_000
    """How long it may be: a long text in it costs as much as many short words, and belongs in a variable."""
    max_tokens: int = 1_000
    max_depth: int = 15
    max_fields: int = 2_000
    max_aliases: int = 100
    max_repeats: int = 20
    """How often one response key may be written in one selection set."""
    max_cost: int = 500_000
    """How many objects the answer may have if each list is as long as its arguments allow; see `cost`."""
    max_rows: int = 20_000
    """How many rows one operation may read."""
    max_objects: int = 100_000
    """How many objects an answer may have: a record that many lead to is written out for each of them."""
    max_list_items: int = 20_000
    """How many items one list in the variables may have: reading them holds everybody else up."""
    max_members: int = 1_000
    """How many members one object in the variables may have."""
    max_values: int = 300_000
    """How many items and members there may be in the variables in all."""
    max_number: int = 64
    """How many characters a number in the document may have: Python refuses to read very long ones."""


USUAL_LIMITS = Limits()

_NOTHING = nullcontext()


@dataclass
class Context:
    """The engine's view of one request: what resolvers find as `info.context`."""

    reader: Reader
    page_default: int = 50
    page_max: int = 100
    limits: Limits = USUAL_LIMITS
    show_suggestions: bool = False
    """Whether errors may name fields that the client did not ask for ("Did you mean …")."""
    introspection_permission: str | None = None
    """Permission for `__schema` and `__type`; "" for everyone, `None` for no one."""
    one_by_one: bool = field(default=False, repr=False)
    """Makes each parent a level of its own, in the reference: what it gives then does not rest on levels."""
    trace: "Trace | None" = None
    """Where to record how the operation is run; `None` to leave that out, which is quicker."""
    tasks: set["asyncio.Task[None]"] = field(default_factory=set, init=False, repr=False)
    """Batches under way; cancelled when the request ends before they do."""
    changed: bool = field(default=False, init=False, repr=False)
    """Whether the change is stored that is being answered: who hears of an error then is not to repeat it."""
    rows_read: int = field(default=0, init=False, repr=False)
    objects_written: int = field(default=0, init=False, repr=False)
    objects_given: int = field(default=0, init=False, repr=False)

    def preparing(self, what: str) -> AbstractContextManager[object]:
        """Entered while a document is read, or an operation planned, for the first time."""
        return _NOTHING

    async def read(self, sql: str, args: Sequence[object], *, bounded: bool = False) -> Sequence[Any]:
        """Rows by position: the one way in which the engine itself reads."""
        return await self.reader.rows(sql, args, bounded=bounded)

    def read_at_once(self, sql: str, args: Sequence[object]) -> Sequence[Any] | None:
        """The rows of a bounded read that needs no waiting; None where it does: `read` it, then."""
        return None

    def known(self, table: str, key: str) -> Mapping[str, Any] | None:
        """Columns of a row that this request has just written, as a read would give them, or None."""
        return None

    def shows(self, source: "Source", row: Mapping[str, Any]) -> bool:
        """Whether a row that this request has just written, as `known` has it, certainly fits `restrict`."""
        return self.restrict(source) is None

    def may(self, permission: str) -> bool:
        """Whether the actor has a permission. No one has any, unless a subclass says so."""
        return permission == ""

    def granted(self, need: str) -> bool:
        """Whether what an element needs is there: a permission, or what begins with `@` and rests on which
        records the actor may see. All of that is, unless a subclass restricts them.
        """
        return need[:1] == "@" or self.may(need)

    def grants(self, needs: Collection[str]) -> bool:
        """Whether all of these are granted."""
        return all(map(self.granted, needs))

    def spelt(self, need: str) -> str:
        """A need in words for the client."""
        return need

    def refusal(self, needs: Iterable[tuple[str, str]]) -> RequestError:
        """FORBIDDEN for (element, need) each of which is not granted."""
        shown = dict.fromkeys(f"{element} ({self.spelt(need)})" for element, need in needs)
        return RequestError("FORBIDDEN", f"permission is missing for {', '.join(shown)}")

    def restrict(self, source: "Source") -> Fragment | None:
        """A condition on the table `t` for the records of this source that the actor may see at all.

        It names all columns of that as `t.column`.
        """
        return None

    def restrict_below(self, parent: "Source", source: "Source", key: str) -> Fragment | None:
        """`restrict` for those records of `source` whose column `key` holds the key of a record of `parent`
        which fits its own: nothing where they then certainly fit.
        """
        return self.restrict(source)

    def spend(self, cost: int) -> None:
        """Told once, before an operation runs, how many objects it may lead to. May raise `RequestError`."""

    def begin(self) -> None:
        """Told before anything is looked at. May raise `RequestError`."""

    def charge(self, seconds: float, cost: int = 0) -> None:
        """Told how long it took to look at an operation that was refused, or at many variables."""

    def admit(self, rows: int) -> None:
        """Counts rows that were read. Raises `RequestError` TOO_COMPLEX once they are too many."""
        self.rows_read += rows
        if self.rows_read > self.limits.max_rows:
            problem = f"the operation reads more than {self.limits.max_rows} rows"
            raise RequestError("TOO_COMPLEX", f"{problem}; ask for fewer at a time")

    def write(self, objects: int) -> None:
        """Counts objects of the answer. Raises `RequestError` TOO_COMPLEX once they are too many."""
        self.objects_written += objects
        if self.objects_written > self.limits.max_objects:
            raise self._too_large()

    def give(self, objects: int) -> None:
        """Counts objects that functions gave, before anything is made of them. Raises as `write`."""
        self.objects_given += objects
        if self.objects_given > self.limits.max_objects:
            raise self._too_large()

    def _too_large(self) -> RequestError:
        problem = f"the answer has more than {self.limits.max_objects} objects"
        return RequestError("TOO_COMPLEX", f"{problem}; ask for fewer at a time, or less of each")

    def written(self, value: Any) -> Any:
        """A value that leads to objects, counted."""
        self.write(len(value) if isinstance(value, list) else 1)
        return value

    def translate(self, error: BaseException) -> RequestError | None:
        """The client's view of an expected exception of another room; `None` masks it to INTERNAL."""
        return None


async def end(context: Context) -> None:
    """Cancels the batches that are still under way when their request has ended."""
    while tasks := list(context.tasks):
        # one that has not begun could not close what it was to wait for; letting go, they may begin others
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
