"""Fields for types and roots of others, written as a class body."""

from typing import Any

import strawberry
from strawberry.types.base import get_object_definition
from strawberry.types.field import StrawberryField


def fields_of(declared: type[Any]) -> list[StrawberryField]:
    """The fields of a class body, to add to another type: `extend={Customer: fields_of(Mine)}`.

    class Mine:
        tickets: Connection[Ticket] = connection(key="customer_id", description="The customer's tickets.")
    """
    made = declared if get_object_definition(declared) else strawberry.type(declared, description="Fields.")
    return list(get_object_definition(made, strict=True).fields)
