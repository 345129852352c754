"""Contact points of customers, each with its consent."""

from datetime import datetime
from typing import Any

import strawberry

from crm_framework.domain.contacts import changes as customer_contacts
from crm_framework.domain.contacts.points import NewContactPoint
from crm_framework.domain.models import Consent
from crm_framework.engine.fields import column, computed
from crm_framework.engine.nodes import Node, node
from crm_framework.engine.parts import SchemaParts
from crm_framework.engine.relations import children, reference
from crm_framework.storage.unit_of_work import UnitOfWork

from .additions import fields_of
from .customers import Customer
from .inputs import chosen, expected, given, key_of, optional, optional_key, renamed, required, retry_key
from .mutation import Own, mutation, payload


@strawberry.type(description="A postal address, part by part.")
class Address:
    street: str | None = strawberry.field(description="Street and number, and what else the post needs.")
    postal_code: str | None = strawberry.field(description="The postal code.")
    city: str | None = strawberry.field(description="The city.")
    region: str | None = strawberry.field(description="The state, province or county.")
    country: str | None = strawberry.field(description="ISO 3166-1 alpha-2.")


@node(
    table="crm_contact_point",
    permission="customers.read",
    hidden={"customer_id": str, "address": strawberry.scalars.JSON},
)
class ContactPoint(Node):
    """A way to reach a customer: an e-mail address, a telephone, a postal address, a handle."""

    channel: str = column("The channel, such as email or phone.")
    value: str = column("As it was given.")
    normalized: str = column("Its normal form: e-mail in lower case, telephone in E.164.")
    label: str | None = column("What it is for, such as work.")
    position: int = column("Its place among the customer's contact points, from 0.")
    primary: bool = column("Whether it is the first one of its channel to use.", sql="is_primary")
    consent: Consent = column("Whether the customer agreed to be reached there.")
    consent_at: datetime | None = column("When they agreed or refused.")
    consent_source: str | None = column("Where they agreed or refused.")
    created_at: datetime = column("When it was added.")
    customer: Customer = reference("customer_id", "Whose it is.")

    @computed()
    @staticmethod
    def address(address: Any) -> Address | None:
        """The parts of a postal address; null where only a text is known, and on other channels."""
        if not address:
            return None
        return Address(
            street=address.get("street"),
            postal_code=address.get("postalCode"),
            city=address.get("city"),
            region=address.get("region"),
            country=address.get("country"),
        )


class _OnCustomer:
    contact_points: list[ContactPoint] = children(
        key="customer_id", order=("position",), description="All ways to reach the customer, in order."
    )


@payload
class ContactPointPayload:
    """The contact point and its customer after the change."""

    contact_point_id: strawberry.Private[str | None] = None
    customer_id: strawberry.Private[str | None] = None
    contact_point: ContactPoint | None = reference(
        "contact_point_id", "The contact point; null on failure, and when it was removed."
    )
    customer: Customer | None = reference("customer_id", "The customer; null on failure.")


@strawberry.input(description="The parts of a postal address.")
class AddressInput:
    street: str | None = optional("Street and number, and what else the post needs.")
    postal_code: str | None = optional("The postal code.")
    city: str | None = optional("The city.")
    region: str | None = optional("The state, province or county.")
    country: str | None = optional("ISO 3166-1 alpha-2.")


@strawberry.input(
    description="A contact point. Postal ones have an address by part, a value as text, or both."
)
class ContactPointInput:
    channel: str = required("The channel, such as email or phone.")
    value: str | None = optional("The address, number or handle.")
    address: AddressInput | None = optional("The parts of a postal address.")
    label: str | None = optional("What it is for, such as work.")
    primary: bool = optional("Makes it the first one of its channel to use.", default=False)
    consent: Consent = optional("Whether the customer agreed.", default=Consent.UNKNOWN)
    consent_at: datetime | None = optional("When; now, if left out.")
    consent_source: str | None = optional("Where they agreed or refused.")


@strawberry.input(description="A contact point for a customer.")
class AddContactPointInput:
    customer: strawberry.ID = required("Which customer.")
    contact_point: ContactPointInput = required("What to add.")
    expected_version: int | None = expected()
    idempotency_key: str | None = retry_key()


@strawberry.input(description="A change to a contact point. What is left out stays; null removes.")
class UpdateContactPointInput:
    customer: strawberry.ID = required("Whose it is.")
    contact_point: strawberry.ID = required("Which one.")
    value: str | None = optional("The address, number or handle. A new one ends an opt-in.")
    address: AddressInput | None = optional("The parts of a postal address.")
    label: str | None = optional("What it is for, such as work.")
    primary: bool = optional("Makes it the first one of its channel to use.", default=False)
    expected_version: int | None = expected()


@strawberry.input(description="A contact point to remove.")
class RemoveContactPointInput:
    customer: strawberry.ID = required("Whose it is.")
    contact_point: strawberry.ID = required("Which one.")
    expected_version: int | None = expected()


@strawberry.input(description="A consent, for one contact point or for all of a channel.")
class SetConsentInput:
    customer: strawberry.ID = required("Which customer.")
    consent: Consent = required("Whether they agreed.")
    contact_point: strawberry.ID | None = optional("Which contact point; or give a channel.")
    channel: str | None = optional("Which channel; or give a contact point.")
    source: str | None = optional("Where they said so.")
    at: datetime | None = optional("When they said so; now, if left out.")
    expected_version: int | None = expected()


def new_point(input: ContactPointInput) -> NewContactPoint:
    """What the domain makes a contact point of."""
    values = given(input, leave_out=("address",))
    return NewContactPoint(**values, address=_parts(chosen(input.address)))


def _parts(address: AddressInput | None) -> dict[str, str | None] | None:
    if address is None:
        return None
    values = given(address)
    if "postal_code" in values:
        values["postalCode"] = values.pop("postal_code")
    return values


@mutation(permission="customers.write", own=Own("customer", only=("customer", "contact_point")))
async def add_contact_point(tx: UnitOfWork, input: AddContactPointInput) -> ContactPointPayload:
    """Adds a contact point; one that is there already is left as it is."""
    key = key_of(input.customer, Customer, path=("customer",))
    with renamed("contactPoint", id="customer", expectedVersion="expectedVersion"):
        point, changed = await customer_contacts.add_contact_point(
            tx, key, new_point(input.contact_point), expected_version=chosen(input.expected_version)
        )
    return ContactPointPayload(contact_point_id=point, customer_id=changed.id)


@mutation(permission="customers.write", own="customer")
async def update_contact_point(tx: UnitOfWork, input: UpdateContactPointInput) -> ContactPointPayload:
    """Changes a contact point: its value, label or role."""
    change = given(input, leave_out=("customer", "contact_point", "address", "expected_version"))
    if input.address is not strawberry.UNSET:
        change["address"] = _parts(input.address)
    point = key_of(input.contact_point, ContactPoint, path=("contactPoint",))
    with renamed(id="customer"):
        changed = await customer_contacts.change_contact_point(
            tx,
            key_of(input.customer, Customer),
            point,
            customer_contacts.ContactPointChange(**change),
            expected_version=chosen(input.expected_version),
        )
    return ContactPointPayload(contact_point_id=point, customer_id=changed.id)


@mutation(permission="customers.write", own="customer")
async def remove_contact_point(tx: UnitOfWork, input: RemoveContactPointInput) -> ContactPointPayload:
    """Removes a contact point; the next one of its channel takes its role."""
    point = key_of(input.contact_point, ContactPoint, path=("contactPoint",))
    with renamed(id="customer"):
        changed = await customer_contacts.remove_contact_point(
            tx, key_of(input.customer, Customer), point, expected_version=chosen(input.expected_version)
        )
    return ContactPointPayload(customer_id=changed.id)


@mutation(
    permission="customers.write",
    own=Own("customer", only=("customer", "contact_point", "channel", "consent")),
)
async def set_consent(tx: UnitOfWork, input: SetConsentInput) -> ContactPointPayload:
    """Records that a customer agreed, refused, or that nothing is known."""
    point = chosen(optional_key(input.contact_point, ContactPoint, ("contactPoint",)))
    with renamed(id="customer"):
        changed = await customer_contacts.set_consent(
            tx,
            key_of(input.customer, Customer),
            input.consent,
            channel=chosen(input.channel),
            point_id=point,
            source=chosen(input.source),
            at=chosen(input.at),
            expected_version=chosen(input.expected_version),
        )
    return ContactPointPayload(contact_point_id=point, customer_id=changed.id)


parts = SchemaParts(
    extend={Customer: fields_of(_OnCustomer)},
    mutation=[add_contact_point, update_contact_point, remove_contact_point, set_consent],
)
