"""A secret of the settings, such as a password: shown nowhere unless somebody asks for it by name."""

import hmac
from typing import NoReturn

HIDDEN = "********"


class Secret:
    """Text that must not be seen. `reveal()` gives it; printed, formatted or logged it is asterisks.

    It compares with other secrets only, and can be neither pickled nor encoded as JSON.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The secret itself, for where it is used and nowhere else."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __str__(self) -> str:
        return HIDDEN

    def __repr__(self) -> str:
        return f"Secret('{HIDDEN}')"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret is not written anywhere")
