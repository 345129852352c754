"""Execution as the specification tells it: one field after the other, in the order of the response.

What is null because of an error has one error: the first that a reader of the response would come to. Neither
graphql-core, which reports what failed first in time, nor the engine is asked for that.
"""

from collections.abc import Iterable, Mapping
from inspect import isawaitable
from typing import Any

import strawberry
from graphql import (
    GraphQLError,
    GraphQLList,
    GraphQLNonNull,
    OperationType,
    is_abstract_type,
    is_leaf_type,
    located_error,
    parse,
)
from graphql.execution import Executor
from graphql.execution.collect_fields import FieldDetailsList, collect_fields
from graphql.execution.executor import invalid_return_type_error, to_nodes
from graphql.execution.values import get_argument_values
from graphql.pyutils import Path

from crm_framework.engine import Context
from crm_framework.engine.failures import Failures
from crm_framework.engine.prepare import prepared
from crm_framework.engine.result import Result


async def run_one_by_one(
    schema: strawberry.Schema,
    text: str,
    variables: Mapping[str, Any] | None,
    operation_name: str | None,
    context: Context,
) -> Result:
    """Runs an operation that the engine let in: limits and permissions are not looked at."""
    failures = Failures(context)
    executor = Executor.build(
        prepared(schema).schema,
        parse(text),
        context_value=context,
        raw_variable_values=dict(variables or {}),
        operation_name=operation_name,
        hide_suggestions=not context.show_suggestions,
    )
    if not isinstance(executor, Executor):
        return Result(None, [failures.shown(error) for error in executor], refused=True)
    data, errors = await _Walk(executor).operation()
    return Result(data, [failures.shown(error) for error in errors])


class _Walk:
    def __init__(self, executor: Any) -> None:
        self.executor = executor
        self.errors: list[GraphQLError] = []

    async def operation(self) -> tuple[Any, list[GraphQLError]]:
        executor = self.executor
        root = executor.schema.get_root_type(executor.operation.operation)
        try:
            collected = collect_fields(
                executor.schema, executor.fragments, executor.variable_values, root, executor.operation
            )
            assert executor.operation.operation is not OperationType.SUBSCRIPTION
            data = await self.fields(root, None, None, collected.grouped_field_set)
        except GraphQLError as error:
            return None, [error]
        return data, self.errors

    async def fields(self, kind: Any, source: Any, path: Path | None, fields: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, details in fields.items():
            found[key] = await self.field(kind, source, details, Path(path, key, kind.name))
        return found

    async def field(self, parent: Any, source: Any, details: FieldDetailsList, path: Path) -> Any:
        executor = self.executor
        node = details[0].node
        definition = executor.schema.get_field(parent, node.name.value)
        info = executor.build_resolve_info(definition, to_nodes(details), parent, path)

        async def resolved() -> Any:
            arguments = get_argument_values(definition, node, executor.variable_values)
            value = (definition.resolve or executor.field_resolver)(source, info, **arguments)
            return await value if isawaitable(value) else value

        return await self.guarded(definition.type, details, path, info, resolved)

    async def guarded(self, kind: Any, details: FieldDetailsList, path: Path, info: Any, value: Any) -> Any:
        """The completed value of one position; an error ends here, or goes on to the one above."""
        try:
            return await self.completed(kind, details, path, info, await value())
        except Exception as raw:
            error = located_error(raw, to_nodes(details), path.as_list())
            if isinstance(kind, GraphQLNonNull):
                raise error from None
            place = path.as_list()
            self.errors = [one for one in self.errors if (one.path or [])[: len(place)] != place]
            self.errors.append(error)
            return None

    async def completed(self, kind: Any, details: FieldDetailsList, path: Path, info: Any, value: Any) -> Any:
        if isinstance(value, Exception):
            raise value
        if isinstance(kind, GraphQLNonNull):
            found = await self.completed(kind.of_type, details, path, info, value)
            if found is None:
                raise TypeError(
                    f"Cannot return null for non-nullable field {info.parent_type}.{info.field_name}."
                )
            return found
        if value is None:
            return None
        if isinstance(kind, GraphQLList):
            return await self.items(kind, details, path, info, value)
        if is_leaf_type(kind):
            return self.executor.complete_leaf_value(kind, value)
        return await self.object(kind, details, path, info, value)

    async def items(self, kind: Any, details: FieldDetailsList, path: Path, info: Any, value: Any) -> Any:
        if not isinstance(value, Iterable) or isinstance(value, str | bytes | Mapping):
            raise TypeError(
                f"Expected Iterable, but did not find one for field '{info.parent_type}.{info.field_name}'."
            )
        found = []
        for index, item in enumerate(value):

            async def given(item: Any = item) -> Any:
                return await item if isawaitable(item) else item

            found.append(await self.guarded(kind.of_type, details, path.add_key(index, None), info, given))
        return found

    async def object(self, kind: Any, details: FieldDetailsList, path: Path, info: Any, value: Any) -> Any:
        executor = self.executor
        if is_abstract_type(kind):
            name = (kind.resolve_type or executor.type_resolver)(value, info, kind)
            name = await name if isawaitable(name) else name
            kind = executor.ensure_valid_runtime_type(name, kind, details, info, value)
        if kind.is_type_of and not kind.is_type_of(value, info):
            raise invalid_return_type_error(kind, value, details)
        collected = executor.collect_subfields(kind, details)
        return await self.fields(kind, value, path, collected.grouped_field_set)
