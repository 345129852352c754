"""How the tests of the specification ask: small schemas, every executor, and faults in one line each."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import GenericAlias
from typing import Any

import orjson
import strawberry

from crm_framework.engine import PUBLIC, Context, Dialect, EngineSchema, RequestError, Result, root
from crm_framework.engine.execute import execute, reference_execute

REFUSED = "refused"
"""Stands for `data` where nothing ran and the response has none."""


@dataclass(frozen=True, eq=False)
class Answer:
    """A response's `data`, and its errors as `line:column path: message`. Equal to a tuple of the two."""

    data: Any
    faults: set[str]

    __hash__ = None  # type: ignore[assignment]  # no one keeps it

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Answer):
            return (self.data, self.faults) == (other.data, other.faults)
        return (self.data, self.faults) == other


class Fault(Exception):
    """What goes wrong in a test's own function."""


class Nowhere:
    """A reader of plain objects' tests: nothing may be read."""

    dialect: Dialect = "sqlite"

    async def fetch(
        self, sql: str, args: Sequence[object] = (), *, bounded: bool = False
    ) -> list[dict[str, Any]]:
        raise AssertionError(sql)

    async def rows(
        self, sql: str, args: Sequence[object] = (), *, bounded: bool = False
    ) -> Sequence[Sequence[Any]]:
        raise AssertionError(sql)


def told(error: BaseException) -> RequestError:
    """Shows what is masked otherwise, so that a test can tell one cause from another."""
    return RequestError("INTERNAL", getattr(error, "message", None) or str(error))


class Asking(Context):
    """A request that may do everything and is told everything."""

    def may(self, permission: str) -> bool:
        return True

    def translate(self, error: BaseException) -> RequestError | None:
        return told(error)


@dataclass(frozen=True)
class Ask:
    """One of the executors. `first`: of several causes of one null it reports the first in the response."""

    run: Any
    one_by_one: bool
    first: bool

    async def result(
        self,
        schema: strawberry.Schema,
        text: str,
        variables: dict[str, Any] | None = None,
        operation: str | None = None,
        *,
        context: Context | None = None,
        **options: Any,
    ) -> Result:
        if context is None:
            context = Asking(Nowhere(), introspection_permission=PUBLIC)
        context.one_by_one = self.one_by_one
        found: Result = await self.run(schema, text, variables, operation, context, **options)
        assert orjson.loads(found.encoded()) == orjson.loads(orjson.dumps(found.response))
        return found

    async def __call__(self, schema: strawberry.Schema, text: str, *args: Any, **options: Any) -> Answer:
        return answer(await self.result(schema, text, *args, **options))

    def settled(self, found: Answer, data: Any, *causes: str) -> None:
        """Asserts that one null has the first of its possible causes; of the reference, that it has any."""
        assert found.data == data
        if self.first:
            assert found.faults == {causes[0]}
        else:
            assert found.faults
            assert found.faults <= set(causes)


ASKS = {
    "execute": Ask(execute, one_by_one=False, first=True),
    "reference": Ask(reference_execute, one_by_one=False, first=False),
    "reference, object by object": Ask(reference_execute, one_by_one=True, first=False),
}


def answer(result: Result) -> Answer:
    faults = [fault(error) for error in result.errors]
    assert len(set(faults)) == len(faults), faults
    return Answer(REFUSED if result.refused else result.data, set(faults))


def fault(error: dict[str, Any]) -> str:
    """An error in one line: `3:5 pets.0.name: message`."""
    at = [f"{place['line']}:{place['column']}" for place in error.get("locations", ())]
    path = [".".join(map(str, error["path"]))] if "path" in error else []
    return f"{' '.join([*at, *path])}: {error['message']}" if at or path else error["message"]


def null(field: str) -> str:
    """What is said of a null where none may be."""
    return f"Cannot return null for non-nullable field {field}."


def answering(name: str, annotation: Any, give: Callable[..., Any], **arguments: Any) -> Any:
    """A root field of any type, with arguments of any type."""

    def function(**given: Any) -> Any:
        return give(**given)

    return root(permission=PUBLIC)(_shaped(function, name, annotation, give, arguments))


def list_of(item: Any) -> Any:
    """`list[item]`, of a type that was made just now."""
    return GenericAlias(list, (item,))


def schema_of(*fields: Any, mutation: type | None = None, types: Sequence[type] = ()) -> EngineSchema:
    """A schema with these root fields of queries."""
    query = type("Query", (), {field.python_name: field for field in fields})
    return EngineSchema(strawberry.type(query), mutation=mutation, types=types)


def _shaped(
    function: Any, name: str, annotation: Any, give: Callable[..., Any], arguments: dict[str, Any]
) -> Any:
    kind = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        inspect.Parameter(each, kind, annotation=of[0], default=of[1])
        if isinstance(of, tuple)
        else inspect.Parameter(each, kind, annotation=of)
        for each, of in arguments.items()
    ]
    function.__name__ = name
    function.__doc__ = "Answers."
    function.__module__ = give.__module__
    function.__signature__ = inspect.Signature(parameters, return_annotation=annotation)
    function.__annotations__ = {
        **{each: of[0] if isinstance(of, tuple) else of for each, of in arguments.items()},
        "return": annotation,
    }
    return function
