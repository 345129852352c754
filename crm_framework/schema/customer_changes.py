"""Changes to customers: made, changed, converted, archived, given to an owner, tagged."""

from datetime import datetime
from typing import Any

import strawberry

from crm_framework.domain.customers import changes as customers
from crm_framework.domain.customers import ownership, tags
from crm_framework.domain.customers import stages as customer_stages
from crm_framework.domain.customers.draft import NewCustomer
from crm_framework.domain.models import CustomerKind, CustomerStage
from crm_framework.engine.fields import batch
from crm_framework.engine.parts import SchemaParts
from crm_framework.engine.relations import reference
from crm_framework.engine.rows import Batch
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.security.actors import CONFIDENTIAL, Actor
from crm_framework.storage.unit_of_work import UnitOfWork

from .contact_points import ContactPointInput, new_point
from .customers import Customer, load_customers
from .inputs import chosen, expected, given, key_of, keys_of, optional, optional_key, required, retry_key
from .mutation import Own, mutation, payload
from .staff import Staff

JSON = strawberry.scalars.JSON


@payload
class CustomerPayload:
    """The customer after the change."""

    customer_id: strawberry.Private[str | None] = None
    customer: Customer | None = reference("customer_id", "The customer; null on failure.")


@payload
class TagCustomersPayload:
    """The customers after the change."""

    customer_ids: strawberry.Private[list[str] | None] = None
    changed: int = strawberry.field(description="How many of them changed.", default=0)

    @batch(needs=("customer_ids",))
    @staticmethod
    async def customers(payloads: Batch[Any], info: strawberry.Info) -> list[list[Customer]]:
        """The customers, in the order of the input; empty on failure."""
        wanted = [ids or [] for ids in payloads.column("customer_ids")]
        found = await load_customers(info, [key for ids in wanted for key in ids])
        each = iter(found)
        return [[one for _ in ids if (one := next(each)) is not None] for ids in wanted]


@strawberry.input(description="What can be said of a new customer.")
class CustomerFields:
    name: str = required("The name.")
    kind: CustomerKind = optional("What the customer is.", default=CustomerKind.PERSON)
    stage: CustomerStage = optional("Where the customer stands.", default=CustomerStage.PROSPECT)
    company: str | None = optional("The company that a person belongs to.")
    email: str | None = optional("Short for a primary contact point of the channel email.")
    phone: str | None = optional("Short for a primary contact point of the channel phone.")
    city: str | None = optional("City of the primary address.")
    country: str | None = optional("Country of the primary address, ISO 3166-1 alpha-2.")
    contact_points: list[ContactPointInput] | None = optional("More contact points.")
    owner: strawberry.ID | None = optional("The member of staff who deals with all of their matters.")
    backup: strawberry.ID | None = optional("Who stands in while the owner is away.")
    tags: list[str] | None = optional("Words on the customer.")
    attributes: JSON | None = optional("Values of custom fields, by name.")
    locale: str | None = optional("The language, BCP 47.")
    time_zone: str | None = optional("The time zone, IANA.")
    source: str | None = optional("The system that the record comes from.")
    reference: str | None = optional("Its key in that system; the same one again changes nothing.")
    confidential: bool = optional("Whether it is confidential.", default=False)
    converted_at: datetime | None = optional("When they became a customer, for records from elsewhere.")
    former_at: datetime | None = optional("When they left, for records from elsewhere.")


@strawberry.input(description="A new customer.")
class CreateCustomerInput(CustomerFields):
    idempotency_key: str | None = retry_key()


@strawberry.input(description="A change to a customer. What is left out stays; null removes.")
class UpdateCustomerInput:
    id: strawberry.ID = required("Which customer.")
    name: str | None = optional("The name.")
    kind: CustomerKind | None = optional("What the customer is.")
    company: str | None = optional("The company that a person belongs to.")
    email: str | None = optional("The primary e-mail address.")
    phone: str | None = optional("The primary telephone.")
    city: str | None = optional("City of the primary address.")
    country: str | None = optional("Country of the primary address, ISO 3166-1 alpha-2.")
    contact_points: list[ContactPointInput] | None = optional("All contact points: these replace the others.")
    tags: list[str] | None = optional("All tags: these replace the others.")
    attributes: JSON | None = optional("Values of custom fields that change; null removes one.")
    locale: str | None = optional("The language, BCP 47.")
    time_zone: str | None = optional("The time zone, IANA.")
    source: str | None = optional("The system that the record comes from.")
    reference: str | None = optional("Its key in that system.")
    confidential: bool | None = optional("Whether it is confidential.")
    expected_version: int | None = expected()


@strawberry.input(description="A customer, and when something became true of them.")
class CustomerMomentInput:
    id: strawberry.ID = required("Which customer.")
    at: datetime | None = optional("When; now, if left out.")
    expected_version: int | None = expected()


@strawberry.input(description="A customer.")
class CustomerInput:
    id: strawberry.ID = required("Which customer.")
    expected_version: int | None = expected()


@strawberry.input(description="Who is responsible for a customer. What is left out stays; null removes.")
class AssignOwnerInput:
    id: strawberry.ID = required("Which customer.")
    owner: strawberry.ID | None = optional("Who deals with all of their matters.")
    backup: strawberry.ID | None = optional("Who stands in while the owner is away.")
    expected_version: int | None = expected()


@strawberry.input(description="Tags to put on customers and to take off.")
class TagCustomersInput:
    customers: list[strawberry.ID] = required("Which customers; 1000 at most.")
    add: list[str] = optional("Tags to put on.", default_factory=list)
    remove: list[str] = optional("Tags to take off.", default_factory=list)


def new_customer(input: CustomerFields) -> NewCustomer:
    """What the domain makes a customer of. Raises `CrmError` for an id that does not fit."""
    values = given(input, leave_out=("idempotency_key", "contact_points", "owner", "backup"))
    for name in ("tags", "attributes"):
        if values.get(name, ...) is None:
            del values[name]
    points = chosen(input.contact_points) or []
    return NewCustomer(
        **values,
        contact_points=[new_point(point) for point in points],
        owner_id=chosen(optional_key(input.owner, Staff, ("owner",))),
        backup_id=chosen(optional_key(input.backup, Staff, ("backup",))),
    )


def check_confidential(tx: UnitOfWork, input: Any) -> None:
    """Raises `CrmError` FORBIDDEN for a mark that this actor may not set, or take away."""
    given_ = input.confidential
    left_out = given_ is strawberry.UNSET or (given_ is False and isinstance(input, CustomerFields))
    if not left_out and isinstance(tx.actor, Actor) and not tx.actor.may(CONFIDENTIAL):
        raise CrmError(
            ErrorCode.FORBIDDEN,
            f"The permission {CONFIDENTIAL} is missing to say whether a customer is confidential.",
            path=("confidential",),
            hint="Leave it out.",
        )


@mutation(permission="customers.write", repeatable=True)
async def create_customer(tx: UnitOfWork, input: CreateCustomerInput) -> CustomerPayload:
    """Makes a customer, or finds the one that has this source and reference already."""
    check_confidential(tx, input)
    made = await customers.create_customer(tx, new_customer(input))
    return CustomerPayload(customer_id=made.id)


@mutation(
    permission="customers.write",
    own=Own("id", only=("id", "name", "email", "phone", "city", "country", "locale", "time_zone")),
)
async def update_customer(tx: UnitOfWork, input: UpdateCustomerInput) -> CustomerPayload:
    """Changes a customer. Customers with their own token may change their name, language and time zone, and
    their primary contact points.
    """
    check_confidential(tx, input)
    values = given(input, leave_out=("id", "expected_version", "contact_points"))
    for name in ("tags", "attributes"):
        if values.get(name, ...) is None:
            values[name] = [] if name == "tags" else {}
    if input.contact_points is not strawberry.UNSET:
        values["contact_points"] = [new_point(point) for point in input.contact_points or ()]
    changed = await customers.update_customer(
        tx,
        key_of(input.id, Customer),
        customers.CustomerChange(**values),
        expected_version=chosen(input.expected_version),
    )
    return CustomerPayload(customer_id=changed.id)


@mutation(permission="customers.write")
async def convert_prospect(tx: UnitOfWork, input: CustomerMomentInput) -> CustomerPayload:
    """Makes a prospect a customer; that happens once."""
    return await _at(customer_stages.convert_prospect, tx, input)


@mutation(permission="customers.write")
async def lapse_customer(tx: UnitOfWork, input: CustomerMomentInput) -> CustomerPayload:
    """Makes a customer a former one."""
    return await _at(customer_stages.lapse_customer, tx, input)


@mutation(permission="customers.write")
async def return_customer(tx: UnitOfWork, input: CustomerMomentInput) -> CustomerPayload:
    """Makes a former customer one again."""
    return await _at(customer_stages.return_customer, tx, input)


@mutation(permission="customers.write")
async def archive_customer(tx: UnitOfWork, input: CustomerInput) -> CustomerPayload:
    """Puts a customer away: nothing is lost, and nobody reaches out any more."""
    return await _now(customer_stages.archive_customer, tx, input)


@mutation(permission="customers.write")
async def unarchive_customer(tx: UnitOfWork, input: CustomerInput) -> CustomerPayload:
    """Brings a customer back from the archive."""
    return await _now(customer_stages.unarchive_customer, tx, input)


@mutation(permission="customers.write")
async def assign_owner(tx: UnitOfWork, input: AssignOwnerInput) -> CustomerPayload:
    """Gives the customer another owner, backup, or both."""
    roles = {}
    for role in ("owner", "backup"):
        key = optional_key(getattr(input, role), Staff, (role,))
        if key is not strawberry.UNSET:
            roles[f"{role}_id"] = key
    changed = await ownership.assign_owner(
        tx, key_of(input.id, Customer), **roles, expected_version=chosen(input.expected_version)
    )
    return CustomerPayload(customer_id=changed.id)


@mutation(permission="customers.write")
async def tag_customers(tx: UnitOfWork, input: TagCustomersInput) -> TagCustomersPayload:
    """Puts tags on customers and takes tags off, all or none."""
    keys = keys_of(input.customers, Customer, ("customers",))
    tagged = await tags.tag_customers(tx, keys, add=input.add, remove=input.remove)
    return TagCustomersPayload(customer_ids=list(tagged.ids), changed=len(tagged.changed))


async def _at(change: Any, tx: UnitOfWork, input: CustomerMomentInput) -> CustomerPayload:
    changed = await change(
        tx,
        key_of(input.id, Customer),
        at=chosen(input.at),
        expected_version=chosen(input.expected_version),
    )
    return CustomerPayload(customer_id=changed.id)


async def _now(change: Any, tx: UnitOfWork, input: CustomerInput) -> CustomerPayload:
    changed = await change(tx, key_of(input.id, Customer), expected_version=chosen(input.expected_version))
    return CustomerPayload(customer_id=changed.id)


parts = SchemaParts(
    mutation=[
        create_customer,
        update_customer,
        convert_prospect,
        lapse_customer,
        return_customer,
        archive_customer,
        unarchive_customer,
        assign_owner,
        tag_customers,
    ]
)
