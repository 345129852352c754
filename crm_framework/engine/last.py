"""What was made last, for whoever asks for the same again: most requests ask for what others asked before."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(eq=False, slots=True)
class Last(Generic[T]):
    """One thing and all that it goes by. Of several that are wanted in turns, each is made anew.

    Equal is the same: nothing that it goes by may mean one thing as 1 and another as True.
    """

    _goes_by: Any = None
    _made: T | None = None

    def of(self, goes_by: Any) -> T | None:
        """The thing, if it goes by the same."""
        return self._made if self._goes_by == goes_by else None

    def keep(self, goes_by: Any, made: T) -> T:
        """`made`, which is kept instead of what was."""
        self._goes_by, self._made = goes_by, made
        return made
