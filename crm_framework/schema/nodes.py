"""Any record by its id, those of plugins included."""

from collections.abc import Sequence
from typing import Annotated, Any

import strawberry
from strawberry.types.base import StrawberryObjectDefinition

from crm_framework.engine.declarations import PUBLIC, source_of
from crm_framework.engine.errors import RequestError
from crm_framework.engine.fields import root
from crm_framework.engine.ids import check_key, decode_id
from crm_framework.engine.load import load
from crm_framework.engine.nodes import Node
from crm_framework.engine.parts import SchemaParts
from crm_framework.errors import cut

from .customers import Customer, load_customers


@root(permission=PUBLIC, restricted=True)
async def node(
    info: strawberry.Info,
    id: Annotated[strawberry.ID, strawberry.argument(description="The record's id.")],
) -> Node | None:
    """A record by its id; null if there is none. The id of a merged customer leads to the winner."""
    return (await _nodes(info, [id]))[0]


@root(permission=PUBLIC, restricted=True)
async def nodes(
    info: strawberry.Info,
    ids: Annotated[list[strawberry.ID], strawberry.argument(description="The records' ids.")],
) -> list[Node | None]:
    """Records by their ids, in that order; null where there is none."""
    most = info.context.page_max
    if len(ids) > most:
        raise RequestError("BAD_INPUT", f"ids: {len(ids)} are given; ask for {most} at most")
    return await _nodes(info, ids)


async def _nodes(info: strawberry.Info, ids: Sequence[str]) -> list[Node | None]:
    """One statement for each type among the ids."""
    wanted: dict[str, list[str]] = {}
    places: list[tuple[str, str]] = []
    for id in ids:
        type_name, key = decode_id(id)
        source = source_of(_type(info, type_name))
        assert source is not None  # `_type` gives no other
        if not info.context.may(source.permission):
            raise info.context.refusal([(type_name, source.permission)])
        wanted.setdefault(type_name, []).append(check_key(id, key, source.key_type))
        places.append((type_name, key))
    found: dict[tuple[str, str], Any] = {}
    for type_name, keys in wanted.items():
        records = await _load(info, _type(info, type_name), keys)
        found |= {(type_name, key): record for key, record in zip(keys, records, strict=True)}
    return [found[place] for place in places]


async def _load(info: strawberry.Info, type_: type[Node], keys: Sequence[str]) -> Sequence[Node | None]:
    return (
        await load_customers(info, keys) if type_ is Customer else await load(info, type_, keys, columns=())
    )


def _type(info: strawberry.Info, name: str) -> type[Node]:
    definition = info.schema.get_type_by_name(name)
    origin = definition.origin if isinstance(definition, StrawberryObjectDefinition) else None
    if isinstance(origin, type) and issubclass(origin, Node) and source_of(origin) is not None:
        return origin
    raise RequestError("BAD_INPUT", f"there are no records of the type {cut(name)} to be read by id")


parts = SchemaParts(query=[node, nodes])
