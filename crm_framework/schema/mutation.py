"""Mutations: each runs in one unit of work, and its expected failures are part of its answer.

    @mutation(permission="loyalty.write")
    async def redeem_reward(tx: UnitOfWork, input: RedeemRewardInput) -> RedemptionPayload:
        "Redeems a reward, or says in `errors` why not."

The change is committed before the payload's selection is read. An error means that nothing was changed.
"""

import hashlib
import inspect
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar, dataclass_transform

import strawberry
from strawberry.types.base import get_object_definition
from strawberry.types.field import StrawberryField
from strawberry.types.info import Info

from crm_framework.domain import idempotency
from crm_framework.engine.declarations import DeclaredField
from crm_framework.engine.errors import DeclarationError, going_on
from crm_framework.engine.fields import Called, of_function
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.security.actors import Actor, ActorKind
from crm_framework.storage.gathered import Outdated

from .inputs import given
from .user_errors import UserError, user_error

T = TypeVar("T")
Change = Callable[..., Awaitable[Any]]

TOP_LEVEL = frozenset(
    {ErrorCode.FORBIDDEN, ErrorCode.UNAUTHENTICATED, ErrorCode.INTERNAL, ErrorCode.CONFIGURATION}
)
"""What an actor may not do, and faults of the program, are no answers: they stand beside the data."""


@dataclass_transform(kw_only_default=True)
def payload(cls: type[T]) -> type[T]:
    """Makes a class the answer of a mutation, with `errors`. Its docstring is the description.

    What the mutation hands over are fields marked `strawberry.Private`, with None as default and values that
    JSON knows: they are kept for a repetition with the same idempotency key. Its other fields are read after
    the commit, such as `customer: Customer | None = reference("customer_id", …)`.
    """
    if not cls.__doc__:
        raise DeclarationError(cls.__name__, "the payload has no description", "Give the class a docstring")
    cls.__annotations__ = {**inspect.get_annotations(cls), "errors": list[UserError]}
    cls.errors = strawberry.field(  # type: ignore[attr-defined]  # added to every payload
        description="Why nothing was changed; empty on success.", default_factory=list
    )
    return strawberry.type(cls, description=inspect.cleandoc(cls.__doc__))


def mutation(
    *, permission: str, name: str | None = None, deprecated: str | None = None, repeatable: bool = False
) -> Callable[[Change], DeclaredField]:
    """A field of Mutation from `async def change(tx, input) -> Payload`; it may take `info` as well.

    `CrmError` becomes an entry of `errors`, with its path as the client wrote it. Where `input` has an
    `idempotency_key`, the same key with the same input gives the first answer again and changes nothing.

    `repeatable` says that the function does nothing but through `tx`, so that it may be run once more: what
    it does can then rely on what is usually so instead of asking first, as `log_interaction` does.
    """

    def decorate(function: Change) -> DeclaredField:
        parameters = inspect.signature(function).parameters
        if list(parameters)[:1] != ["tx"] or not inspect.iscoroutinefunction(function):
            raise DeclarationError(
                function.__qualname__, "it does not change anything", "Write async def …(tx, input)"
            )
        declaration = Mutation(
            permission=permission,
            function=function,
            takes_info="info" in parameters,
            repeatable=repeatable,
        )
        field = of_function(declaration, function, "mutation", skip=("tx",), name=name, deprecated=deprecated)
        _describe_input(field)
        return field

    return decorate


@dataclass(frozen=True, kw_only=True)
class Mutation(Called):
    """One change, in a transaction of its own."""

    function: Change
    takes_info: bool
    repeatable: bool = False

    async def call(self, field: DeclaredField, info: Info, arguments: dict[str, Any]) -> Any:
        _refuse_customers(info.context.actor)
        input_ = arguments.get("input")
        try:
            answer = await self._change(field, info, input_, arguments)
        except CrmError as error:
            if error.code in TOP_LEVEL:
                raise
            answer = field.target(errors=[user_error(info.context.told(error), type(input_))])
        return answer

    async def _change(self, field: DeclaredField, info: Info, input_: Any, arguments: dict[str, Any]) -> Any:
        if self.repeatable:
            try:
                return await self._once(field, info, input_, arguments, repeatable=True)
            except Outdated:
                pass
        return await self._once(field, info, input_, arguments, repeatable=False)

    async def _once(
        self, field: DeclaredField, info: Info, input_: Any, arguments: dict[str, Any], *, repeatable: bool
    ) -> Any:
        extra = {"info": info} if self.takes_info else {}
        key = getattr(input_, "idempotency_key", None) or None
        if key is None:
            async with info.context.unit_of_work(repeatable=repeatable) as tx:
                answer = await self._run(tx, arguments, extra)
            info.context.wrote(tx)
            return answer
        async with info.context.unit_of_work(repeatable=repeatable) as tx:
            operation = field.python_name
            print_ = fingerprint(input_)
            earlier = await idempotency.recall(tx, operation, key, print_)
            if earlier is not None:
                return field.target(**earlier)
            answer = await self._run(tx, arguments, extra)
            await idempotency.remember(tx, operation, key, print_, kept(answer))
            return answer

    async def _run(self, tx: Any, arguments: dict[str, Any], extra: dict[str, Any]) -> Any:
        with going_on():
            return await self.function(tx, **arguments, **extra)


def _refuse_customers(actor: Actor) -> None:
    # a change is not yet bound to the records of one customer, as reading is
    if actor.kind is ActorKind.CUSTOMER:
        raise CrmError(ErrorCode.FORBIDDEN, "A customer's own token can read, and not change anything.")


def kept(answer: Any) -> dict[str, Any]:
    """The hidden values of a payload, from which its fields are read again."""
    return {
        member.name: getattr(answer, member.name)
        for member in fields(answer)
        if member.init and not isinstance(member, StrawberryField)
    }


def fingerprint(input_: Any) -> str:
    """SHA-256 of an input without its idempotency key: equal for what the client meant to be the same."""
    text = json.dumps(given(input_, leave_out=("idempotency_key",)), sort_keys=True, default=_spelt)
    return hashlib.sha256(text.encode()).hexdigest()


def _spelt(value: object) -> str:
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    return str(value)


def _describe_input(field: DeclaredField) -> None:
    for argument in field.arguments:
        definition = get_object_definition(argument.type)
        if argument.description is None and definition is not None:
            argument.description = definition.description
