"""Mutations: each runs in one unit of work, and its expected failures are part of its answer.

    @mutation(permission="loyalty.write")
    async def redeem_reward(tx: UnitOfWork, input: RedeemRewardInput) -> RedemptionPayload:
        "Redeems a reward, or says in `errors` why not."

The change is committed before the payload's selection is read. An error means that nothing was changed.
"""

import hashlib
import inspect
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import MISSING, dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar, dataclass_transform

import strawberry
from strawberry.types.base import get_object_definition
from strawberry.types.field import StrawberryField
from strawberry.types.info import Info
from strawberry.utils.str_converters import to_camel_case

from crm_framework.domain import idempotency
from crm_framework.domain.customers.locks import reached
from crm_framework.domain.customers.record import known_ids
from crm_framework.engine.declarations import DeclaredField, Source
from crm_framework.engine.errors import DeclarationError, RequestError, awaited
from crm_framework.engine.fields import Called, of_function
from crm_framework.engine.ids import decode_key
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.events import CustomerCreated
from crm_framework.security.actors import ALL, CONFIDENTIAL, INTERNAL, OWN, PUBLIC, Actor, ActorKind
from crm_framework.storage.gathered import Outdated
from crm_framework.storage.unit_of_work import UnitOfWork

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


Find = Callable[[UnitOfWork, Any], Awaitable[str | None]]
"""(unit of work, input) → key of the customer whom the change is about, or None."""


@dataclass(frozen=True)
class Own:
    """That customers may make a change themselves, on their own data.

    `customer` is the member of the input with the customer's id, or a function that finds the key; the change
    is refused unless that is the customer who asks. `only` are the members that customers may give, if not
    all of them. `check` raises `CrmError` for other inputs that are not theirs to give.
    """

    customer: str | Find
    only: Sequence[str] | None = None
    check: Callable[[Any], None] | None = None

    async def admit(self, tx: UnitOfWork, actor: Actor, input_: Any) -> None:
        """Raises `CrmError` FORBIDDEN for what this customer may not change."""
        beyond = [] if self.only is None else sorted(given(input_).keys() - {*self.only, *_ALWAYS})
        # members that were left out and have a default are not the client's
        beyond = [name for name in beyond if getattr(input_, name) != _default(type(input_), name)]
        if beyond:
            raise CrmError(
                ErrorCode.FORBIDDEN,
                f"A customer's own token may not give {', '.join(map(to_camel_case, beyond))}.",
                hint="Leave it out.",
            )
        if isinstance(self.customer, str):
            named = getattr(input_, self.customer)
            try:
                key = decode_key(named, "Customer") if isinstance(named, str) else None
            except RequestError as error:
                raise CrmError(ErrorCode.BAD_INPUT, f"{error.message}.", path=(self.customer,)) from None
        else:
            key = await self.customer(tx, input_)
        if key is not None and key != actor.customer_id:
            key = (await known_ids(tx, [key])).get(key)
        if key is None or key != actor.customer_id:
            raise CrmError(
                ErrorCode.FORBIDDEN, "A customer's own token can change that customer's data only."
            )
        if self.check is not None:
            self.check(input_)


_ALWAYS = ("idempotency_key", "expected_version")


def _default(input_type: type, name: str) -> object:
    """What a member is when the client left it out; the member itself for one that must be given."""
    for member in fields(input_type):
        if member.name == name:
            made = member.default_factory
            return member.default if made is MISSING else made()
    return MISSING


def mutation(
    *,
    permission: str,
    own: Own | str | None = None,
    everyone: bool = False,
    confidential: bool = False,
    name: str | None = None,
    deprecated: str | None = None,
    repeatable: bool = False,
) -> Callable[[Change], DeclaredField]:
    """A field of Mutation from `async def change(tx, input) -> Payload`; it may take `info` as well.

    `CrmError` becomes an entry of `errors`, with its path as the client wrote it. Where `input` has an
    `idempotency_key`, the same key with the same input gives the first answer again and changes nothing.

    `repeatable` says that the function does nothing but through `tx`, so that it may be run once more: what
    it does can then rely on what is usually so instead of asking first, as `log_interaction` does.

    Customers' own tokens are refused, unless `own` says how the input names the customer: `own="customer"`,
    or an `Own` that says more. An actor who sees some customers only can change nothing of the others: what
    holds or resolves customers does not find them, and a change whose events name one that was not found so,
    or created, is rolled back. What is about all customers at once, or about what is shared by all, such as
    staff and settings, says `everyone`, and is refused to them. What makes known also what is told of
    confidential customers says `confidential` besides, and needs `customers.confidential` on all customers.
    """

    if isinstance(own, str):
        own = Own(own)

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
            own=own,
            also=f"{ALL}{permission}" if everyone else None,
            confidential=confidential,
        )
        field = of_function(declaration, function, "mutation", skip=("tx",), name=name, deprecated=deprecated)
        _describe_input(field)
        return field

    return decorate


def errand(*, permission: str, confidential: bool = False) -> Callable[[Change], DeclaredField]:
    """A field of Mutation from `async def errand(info, input) -> Payload` that waits for the world outside.

    It has no transaction of its own, as that would keep others waiting: where it changes something, before
    and after, it opens `info.context.unit_of_work()`. `CrmError` becomes an entry of `errors`. It is refused
    to actors who see some customers only; with `confidential`, to those who do not see confidential ones too.
    """

    def decorate(function: Change) -> DeclaredField:
        declaration = Errand(
            permission=permission,
            function=function,
            takes_info=True,
            also=f"{ALL}{permission}",
            confidential=confidential,
        )
        field = of_function(declaration, function, "mutation")
        _describe_input(field)
        return field

    return decorate


@dataclass(frozen=True, kw_only=True)
class Mutation(Called):
    """One change, in a transaction of its own."""

    function: Change
    takes_info: bool
    repeatable: bool = False
    own: Own | None = None
    confidential: bool = False

    def permissions_on(self, source: Source | None) -> tuple[str, ...]:
        needs = self.permission or PUBLIC
        more = () if self.also is None else (self.also,)
        if self.confidential:
            more = (*more, f"{ALL}{CONFIDENTIAL}")
        return (needs, INTERNAL, *more) if self.own is None else (f"{OWN}{needs}",)

    async def call(self, field: DeclaredField, info: Info, arguments: dict[str, Any]) -> Any:
        input_, context = arguments.get("input"), info.context
        context.changed = False  # there may be another one before it
        try:
            try:
                answer = await self._once(field, info, input_, arguments, repeatable=self.repeatable)
            except Outdated:
                answer = await self._once(field, info, input_, arguments, repeatable=False)
            context.changed = True
        except CrmError as error:
            if error.code in TOP_LEVEL:
                raise
            answer = field.target(errors=[user_error(context.told(error), type(input_), input_)])
        return answer

    async def _once(
        self, field: DeclaredField, info: Info, input_: Any, arguments: dict[str, Any], *, repeatable: bool
    ) -> Any:
        extra, context = {"info": info} if self.takes_info else {}, info.context
        key = getattr(input_, "idempotency_key", None)
        async with context.unit_of_work(permission=self.permission, repeatable=repeatable) as tx:
            if key:
                operation, print_ = field.python_name, fingerprint(input_)
                earlier = await idempotency.recall(tx, operation, key, print_)
                if earlier is not None:
                    return field.target(**earlier)
            answer = await self._run(tx, arguments, extra)
            if key:
                await idempotency.remember(tx, operation, key, print_, kept(answer))
        context.wrote(tx)
        return answer

    async def _run(self, tx: Any, arguments: dict[str, Any], extra: dict[str, Any]) -> Any:
        if tx.reach is None:
            return await awaited(self.function(tx, **arguments, **extra))
        if isinstance(tx.actor, Actor) and tx.actor.kind is ActorKind.CUSTOMER:
            if self.own is None:
                raise CrmError(ErrorCode.FORBIDDEN, "A customer's own token cannot make this change.")
            await self.own.admit(tx, tx.actor, arguments.get("input"))
        answer = await awaited(self.function(tx, **arguments, **extra))
        await _check_reach(tx)
        return answer


async def _check_reach(tx: UnitOfWork) -> None:
    """Refuses a change that told of customers out of reach, however it came to them.

    Asking now is too late for those who were there before: the change may have put them in reach itself. So
    they must have been found within reach by whatever resolved or held them. New ones must be in reach now.
    """
    told = {event.customer_id for event in tx.events if event.customer_id is not None} - tx.admitted
    if not told:
        return
    made = {event.customer_id for event in tx.events if isinstance(event, CustomerCreated)}
    if told - made:
        raise CrmError(ErrorCode.NOT_FOUND, "There is no such record.")
    if told - set(await reached(tx, told)):
        raise CrmError(
            ErrorCode.REFUSED,
            "You would not see the customer that you create.",
            hint="Make it one of those whom you may see, say by its owner, its tags, or not confidential.",
        )


@dataclass(frozen=True, kw_only=True)
class Errand(Mutation):
    """Something that is done outside, between transactions."""

    async def _once(
        self, field: DeclaredField, info: Info, input_: Any, arguments: dict[str, Any], *, repeatable: bool
    ) -> Any:
        return await awaited(self.function(info, **arguments))


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
