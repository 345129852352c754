"""What a planned field asks of the lists, or of the records, that hang on the objects of its level.

Mostly that is the same at each request: it is kept with the plan, and so are the statements that are made of
it.
"""

from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING, Any

from .connections import Connected
from .declarations import DeclaredField
from .listings import Asked
from .plans import PlannedField
from .relations import One
from .run_asks import Ask
from .sql import Fragment

if TYPE_CHECKING:
    from .run import Run


def asked_of(run: "Run", ask: Ask) -> Asked | Awaitable[Asked]:
    """What is asked of a list. Raises what is the field's error."""
    field, context = ask.first, run.context
    declaration, given = field.declaration, given_to(run, field)
    assert isinstance(declaration, Connected)
    assert isinstance(field.field, DeclaredField)
    narrowed = declaration.narrowed(run.info(ask), given)
    goes_by = (run.dialect, context.page_default, context.page_max, given, narrowed)
    known = field.asked.of(goes_by)
    if known is not None:
        return known
    found = declaration.asked(field.field, context, given, narrowed)
    by_these_alone = isinstance(narrowed, Fragment | None) and declaration.goes_by_arguments(given)
    return field.asked.keep(goes_by, found) if by_these_alone and isinstance(found, Asked) else found


def asked_of_one(run: "Run", field: PlannedField) -> Asked:
    """What is asked of the one record, as of a list. Raises what is the field's error."""
    declaration, layout = field.declaration, field.reading.layout
    assert isinstance(declaration, One)
    assert layout is not None  # the planner takes no other
    narrowed = declaration.narrowed(given_to(run, field))
    return field.asked.of(narrowed) or field.asked.keep(narrowed, declaration.asked(layout.source, narrowed))


def asked_at_once(run: "Run", field: PlannedField) -> Asked:
    """What is asked of either, for who cannot wait: raises `ValueError` where somebody has to be asked."""
    declaration = field.declaration
    if isinstance(declaration, One):
        return asked_of_one(run, field)
    if isinstance(declaration, Connected) and declaration.waits(given_to(run, field)):
        raise ValueError("it has to wait, and is read by itself")
    found = asked_of(run, Ask(field))
    assert isinstance(found, Asked)
    return found


def given_to(run: "Run", field: PlannedField) -> Mapping[str, Any]:
    """A field's arguments, for who changes none of them."""
    return {} if field.arguments is None else field.arguments.shared(run.variables)
