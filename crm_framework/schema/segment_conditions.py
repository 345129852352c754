"""What a customer filter means that names a segment: the segment's own condition."""

import json
from collections.abc import Mapping, Sequence

from crm_framework.domain.customers.segments import MAX_LEVELS, references
from crm_framework.engine.context import Context
from crm_framework.engine.errors import RequestError
from crm_framework.engine.filters import Filter
from crm_framework.engine.ids import decode_key
from crm_framework.engine.sql import among
from crm_framework.storage.ids import is_key


async def named_segments(context: Context, names: Sequence[str]) -> Mapping[str, Filter | RequestError]:
    """What segments say, and those that they build on, in one statement for each depth.

    A request names them by global ids, stored conditions by keys. An error for one that there is not, and
    for what lies too deep.
    """
    found: dict[str, Filter | RequestError] = {}
    keys: dict[str, str] = {}
    for name in names:
        try:
            keys[name] = name if is_key(name) else decode_key(name, "Segment")
        except RequestError as error:
            found[name] = error
    wanted = set(keys.values())
    for _ in range(MAX_LEVELS):
        missing = sorted(wanted - found.keys())
        if not missing:
            break
        conditions = await _conditions(context, missing)
        found |= {key: conditions.get(key, _refused("there is no such segment")) for key in missing}
        wanted = {key for condition in conditions.values() for key in references(condition)}
    too_deep = _refused(f"segments build on one another {MAX_LEVELS} times at most")
    found |= dict.fromkeys(wanted - found.keys(), too_deep)
    return {**found, **{name: found[key] for name, key in keys.items()}}


async def _conditions(context: Context, keys: Sequence[str]) -> dict[str, Filter]:
    chosen = among("id", keys, context.reader.dialect)
    rows = await context.reader.fetch(
        f"SELECT id, condition FROM crm_segment WHERE {chosen.sql}", chosen.args
    )
    return {str(row["id"]): json.loads(row["condition"]) for row in rows}


def _refused(problem: str) -> RequestError:
    return RequestError("BAD_INPUT", problem)
