"""What is worked out of texts that clients send again and again."""

from collections.abc import Callable, Hashable, Sized
from functools import lru_cache, wraps
from typing import Protocol, TypeVar


class _Text(Sized, Hashable, Protocol): ...


Text = TypeVar("Text", bound=_Text)
Result = TypeVar("Result")


def remembered(most: int, *, longest: int) -> Callable[[Callable[[Text], Result]], Callable[[Text], Result]]:
    """Keeps what the function made of the `most` texts that came last.

    Those of more than `longest` characters, or bytes, are not kept: nobody fills the memory with his own.
    """

    def of(work_out: Callable[[Text], Result]) -> Callable[[Text], Result]:
        kept = lru_cache(most)(work_out)

        @wraps(work_out)
        def known(text: Text) -> Result:
            return kept(text) if len(text) <= longest else work_out(text)

        return known

    return of
