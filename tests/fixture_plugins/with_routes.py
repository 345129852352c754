"""Answers addresses of its own: one with a token of the CRM, and one that a signed link opens."""

from crm_framework import (
    PUBLIC,
    CrmError,
    Customer,
    ErrorCode,
    NewInteraction,
    Permission,
    Plugin,
    PluginSettings,
    Route,
    RouteAnswer,
    RouteRequest,
    Secret,
    decode_key,
    log_interaction,
    open_link,
    sign_link,
)

PURPOSE = "with_routes.answer"


class Settings(PluginSettings, frozen=True):
    link_secrets: tuple[Secret, ...] = ()
    """Of 16 characters at least, that sign the links: the present one first."""


async def invite(request: RouteRequest) -> RouteAnswer:
    """The link of a customer, for other programs to send."""
    rows = await request.reader.fetch(
        "SELECT id FROM crm_customer WHERE source = ? AND reference = ? AND merged_into_id IS NULL",
        (request.args["source"], request.args["reference"]),
    )
    if not rows:
        raise CrmError(ErrorCode.NOT_FOUND, "There is no such customer.", path=("reference",))
    signed = sign_link(str(rows[0]["id"]), request.settings.link_secrets, purpose=PURPOSE)
    link = f"/plugins/with_routes/answer/{signed}"
    return RouteAnswer(status=201, body={"link": link})


async def ask(request: RouteRequest) -> RouteAnswer:
    """A page with a form. Looking at it changes nothing: mail programs look at links by themselves."""
    customer_of(request)
    page = "<!doctype html><title>Your opinion</title><form method=post><button>Good</button></form>"
    return RouteAnswer(body=page, media_type="text/html")


async def answer(request: RouteRequest) -> RouteAnswer:
    """Notes what the customer says."""
    customer_id = customer_of(request)
    async with request.unit_of_work() as tx:
        await log_interaction(tx, NewInteraction(customer_id=customer_id, kind="note", subject="Answered"))
    return RouteAnswer(status=303, headers={"location": "/plugins/with_routes/thanks"})


async def card(request: RouteRequest) -> RouteAnswer:
    """A customer's card for an address book, for whoever may see the customer."""
    key = decode_key(request.args["id"], "Customer")
    [found] = await request.load(Customer, [key], columns=("name",))
    if found is None:
        raise CrmError(ErrorCode.NOT_FOUND, "There is no such customer.", path=("id",))
    lines = ("BEGIN:VCARD", "VERSION:4.0", f"FN:{found.name}", "END:VCARD", "")
    return RouteAnswer(body="\r\n".join(lines), media_type="text/vcard")


async def thank(request: RouteRequest) -> RouteAnswer:
    return RouteAnswer(body="Thank you!", media_type="text/plain")


def customer_of(request: RouteRequest) -> str:
    """Whose link it is. Whoever sends another one learns nothing about why it is wrong."""
    customer_id = open_link(request.args["link"], request.settings.link_secrets, purpose=PURPOSE)
    if customer_id is None:
        raise CrmError(ErrorCode.UNAUTHENTICATED, "This link does not open anything.")
    return customer_id


plugin = Plugin(
    name="with_routes",
    requires_api="1.0",
    summary="Asks customers by a link.",
    settings=Settings,
    permissions=[Permission("with_routes.invite", "Make links that open a customer's form.")],
    routes=[
        Route(
            "/invitations/{source}/{reference}",
            invite,
            methods=("POST",),
            permission="with_routes.invite",
            description="Makes the link of a customer.",
            most_bytes=0,
        ),
        Route("/answer/{link}", ask, permission=PUBLIC, description="Shows the form of a link."),
        Route(
            "/answer/{link}",
            answer,
            methods=("POST",),
            permission=PUBLIC,
            description="Takes what the customer says.",
            most_bytes=1_000,
        ),
        Route(
            "/card/{id}",
            card,
            permission="customers.read",
            description="A customer's card for an address book.",
            restricted=True,
        ),
        Route("/thanks", thank, permission=PUBLIC, description="Thanks."),
    ],
)
