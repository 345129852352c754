"""Types of events, as clients and plugins name them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from crm_framework.domain.values.text import nearest
from crm_framework.errors import CrmError, ErrorCode, cut

if TYPE_CHECKING:
    from crm_framework.storage.unit_of_work import UnitOfWork


def check_event_type(
    tx: "UnitOfWork", name: str, *, path: Sequence[str | int] = (), groups: bool = False
) -> str:
    """The name, if it is a type of events of the core or of a plugin that is on (`ticket.opened`).

    With `groups` also one that stands for several (`customer.*`). BAD_INPUT, at `path`, for any other, with
    the nearest known one, or all of them.
    """
    if tx.database.event_types is None:  # nobody has said which there are
        return name
    known = [one.type for one in tx.database.event_types]
    group = name.removesuffix(".*")
    if name in known:
        return name
    if groups and group != name and any(one.startswith(f"{group}.") for one in known):
        return name
    close = nearest(name, known)
    raise CrmError(
        ErrorCode.BAD_INPUT,
        f"There is no type of events {cut(name, 80)}.",
        path=path,
        hint=f"Did you mean {close}?" if close else f"There are: {', '.join(sorted(known))}.",
    )
