"""Referral codes and referrals over the API."""

from datetime import datetime

import strawberry
from strawberry import ID, Info

from crm_framework import (
    Batch,
    BigInt,
    Connection,
    Customer,
    Node,
    OrderField,
    Orders,
    UnitOfWork,
    batch,
    column,
    connection,
    describe,
    key_of,
    load_groups,
    mutation,
    node,
    payload,
    reference,
    required,
    retry_key,
)
from crm_loyalty.models import ReferralStatus
from crm_loyalty.programs.graphql import READ, LoyaltyProgram

from .credits import earned_by_referrers
from .store import accept, code_of

REFER = "loyalty.refer"

describe(
    ReferralStatus,
    "What has become of a referral.",
    name="LoyaltyReferralStatus",
    PENDING="The customer who came has not bought yet.",
    CREDITED="Both got their points.",
    VOID="It counts no more.",
)


@node(table="loyalty_referral_code", permission=READ, hidden={"customer_id": str | None})
class LoyaltyReferralCode(Node):
    """The code that a customer passes on."""

    code: str = column("Letters and digits; capitals or not makes no difference.")
    created_at: datetime = column("When it was made.")
    customer: Customer | None = reference("customer_id", "Whose it is.")


@node(
    table="loyalty_referral",
    permission=READ,
    hidden={"program_id": str, "customer_id": str | None, "referrer_id": str | None},
)
class LoyaltyReferral(Node):
    """One customer came by another one."""

    version: int = column("Grows by one with each change.")
    status: ReferralStatus = column("What has become of it.")
    reason: str | None = column("Why it is void.")
    created_at: datetime = column("When the code was accepted.")
    credited_at: datetime | None = column("When both got their points.")
    program: LoyaltyProgram = reference("program_id", "The programme.")
    customer: Customer | None = reference("customer_id", "Who came; null once the person was erased.")
    referrer: Customer | None = reference("referrer_id", "By whom; null for those who may not see them.")


@node(
    table="loyalty_referral",
    permission=READ,
    hidden={"program_id": str},
    owner="referrer_id",
)
class LoyaltyReferralMade(Node):
    """A referral as the one who passed the code on sees it: nothing of who came by it."""

    status: ReferralStatus = column("What has become of it.")
    created_at: datetime = column("When the code was accepted.")
    credited_at: datetime | None = column("When both got their points.")
    program: LoyaltyProgram = reference("program_id", "The programme.")

    @batch(needs=("id",))
    @staticmethod
    async def points(each: Batch["LoyaltyReferralMade"], info: Info) -> list[BigInt]:
        """What it gave to the one who passed the code on, pending points included, less refunds."""
        earned = await earned_by_referrers(info.context.reader, each.ids)
        return [BigInt(earned.get(key, 0)) for key in each.ids]


REFERRAL_ORDERS = Orders(
    "LoyaltyReferralOrder", [OrderField("CREATED_AT", "datetime", "By the moment.", column="created_at")]
)


MADE_ORDERS = Orders(
    "LoyaltyReferralMadeOrder", [OrderField("CREATED_AT", "datetime", "By the moment.", column="created_at")]
)


class OfCustomer:
    """Fields of Customer."""

    loyalty_referrals: Connection[LoyaltyReferral] = connection(
        key="referrer_id",
        orders=REFERRAL_ORDERS,
        default_order=("-CREATED_AT",),
        permission=READ,
        description="Who came by this customer, the latest first; of the customer's own token, none: they are"
        " others' data. See `loyaltyReferralsMade`.",
    )
    loyalty_referrals_made: Connection[LoyaltyReferralMade] = connection(
        key="referrer_id",
        orders=MADE_ORDERS,
        default_order=("-CREATED_AT",),
        permission=READ,
        description="What became of the codes that this customer passed on, the latest first. The customer's"
        " own token sees them.",
    )
    loyalty_referred_by: Connection[LoyaltyReferral] = connection(
        key="customer_id",
        orders=REFERRAL_ORDERS,
        default_order=("-CREATED_AT",),
        permission=READ,
        description="By whom this customer came, in each programme.",
    )


@batch(needs=("id",), permission=READ)
async def loyalty_referral_code(customers: Batch[Customer], info: Info) -> list[LoyaltyReferralCode | None]:
    """The code that the customer passes on; null until one is made."""
    groups = await load_groups(
        info, LoyaltyReferralCode, "customer_id", customers.ids, order=("id",), columns=()
    )
    return [codes[0] if codes else None for codes in groups]


@strawberry.input(description="A customer who wants to pass a code on.")
class CreateReferralCodeInput:
    customer: ID = required("Who.")


@strawberry.input(description="A code that a customer came by.")
class AcceptReferralInput:
    program: ID = required("In which programme.")
    customer: ID = required("Who came.")
    code: str = required("The code that was passed on.")
    idempotency_key: str | None = retry_key()


@payload
class ReferralCodePayload:
    """The customer's code."""

    code_id: strawberry.Private[str | None] = None
    referral_code: LoyaltyReferralCode | None = reference("code_id", "The code; null on failure.")


@payload
class ReferralPayload:
    """The referral after the change."""

    referral_id: strawberry.Private[str | None] = None
    referral: LoyaltyReferral | None = reference("referral_id", "The referral; null on failure.")


@mutation(permission=REFER, own="customer")
async def create_referral_code(tx: UnitOfWork, input: CreateReferralCodeInput) -> ReferralCodePayload:
    """The customer's code, which is made if there is none. Customers may do so themselves."""
    return ReferralCodePayload(
        code_id=await code_of(tx, key_of(input.customer, Customer, path=("customer",)))
    )


@mutation(permission=REFER, own="customer")
async def accept_referral(tx: UnitOfWork, input: AcceptReferralInput) -> ReferralPayload:
    """Says by whose code a customer came, before the first purchase: with that, both get points, once.

    Refused for one's own code, and where the one who passed it on came by this customer.
    """
    key = await accept(
        tx,
        key_of(input.program, LoyaltyProgram, path=("program",)),
        key_of(input.customer, Customer, path=("customer",)),
        input.code,
    )
    return ReferralPayload(referral_id=key)


MUTATIONS = (accept_referral, create_referral_code)
