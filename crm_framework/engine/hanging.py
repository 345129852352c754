"""Which records are read in the statement of those that they hang on.

What fields ask for and whom the actor may see of it is mostly what it was at the last request. It is compared
once for all fields of a selection, and what was made of it is kept there.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from .asking import asked_at_once, given_to
from .connections import Connected, PagePart
from .declarations import Source
from .listings import Choice, choice_of
from .plans import PlannedField, Selection
from .relations import One

if TYPE_CHECKING:
    from .run import Run

T = TypeVar("T")


class Hung(NamedTuple):
    """A field whose records can be read with those that they hang on, and the column that says on which.

    `varies`: what it asks for goes by arguments, or by a function of its declaration.
    """

    field: PlannedField
    source: Source
    key: str
    varies: bool


def hung_by(field: PlannedField) -> Hung | None:
    """How a field's records hang on those of its level: the one of each, or lists of nothing but records."""
    declaration, layout = field.declaration, field.reading.layout
    if isinstance(declaration, One):
        assert layout is not None  # the planner takes no other
        varies = field.arguments is not None or declaration.narrow is not None
        return Hung(field, layout.source, declaration.key, varies)
    if not isinstance(declaration, Connected) or declaration.key is None or declaration.parent != "id":
        return None
    if declaration.narrow is not None:  # a function of somebody's: it is called once
        return None
    parts = [part.declaration for part in field.selection.fields if part.kind != "typename"]
    if layout is None or not parts:
        return None
    if not all(isinstance(part, PagePart) and part.part == "nodes" for part in parts):
        return None
    return Hung(field, layout.source, declaration.key, varies=True)


def made_of(
    run: "Run", selection: Selection, parents: str, hung: Sequence[Hung], make: Callable[..., T], *of: Any
) -> T:
    """`make(choices, *of)`, if that was not made last: of which records each field takes.

    A choice is None where the field has to be read by itself: it is wrong, has to wait, or is from the end of
    a list. `parents` is what the statement calls the records' keys.
    """
    context, source = run.context, selection.source
    assert source is not None  # they are a page's records
    goes_by: Any = None
    try:
        goes_by = (
            make,
            of,
            run.dialect,
            context.page_default,
            context.page_max,
            [(context.restrict_below(source, one.source, one.key), one.source.row_number) for one in hung],
            [_asks(run, one.field) for one in hung if one.varies],
        )
        known: T | None = selection.hung.of(goes_by)
        if known is not None:
            return known
        kept = all(_goes_by_arguments(run, one.field) for one in hung)
    except Exception:
        kept = False  # it is a field's own error, and found again
    made = make([_choice(run, one.field, source, parents) for one in hung], *of)
    return selection.hung.keep(goes_by, made) if kept else made


def _asks(run: "Run", field: PlannedField) -> Any:
    given, declaration = given_to(run, field), field.declaration
    return declaration.narrowed(given) if isinstance(declaration, One) and declaration.narrow else given


def _goes_by_arguments(run: "Run", field: PlannedField) -> bool:
    declaration = field.declaration
    return not isinstance(declaration, Connected) or declaration.goes_by_arguments(given_to(run, field))


def _choice(run: "Run", field: PlannedField, parent: Source, parents: str) -> Choice | None:
    try:
        asked = asked_at_once(run, field)
    except Exception:
        return None
    if asked.window.backward:
        return None
    return choice_of(run.context, asked, peek=False, parent=parent, named=parents)
