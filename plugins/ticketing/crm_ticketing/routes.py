"""The plugin's addresses. What answers them is read when it is asked for the first time."""

from crm_framework import PUBLIC, Route, RouteAnswer, RouteRequest

from .permissions import INTAKE, READ

MOST_BYTES_OF_MAIL = 40 * 1024 * 1024
MOST_BYTES_OF_FORM = 64 * 1024
MOST_BYTES_OF_REQUEST = 512 * 1024


async def take_mail(request: RouteRequest) -> RouteAnswer:
    """A raw e-mail."""
    from .mail.route import take

    return await take(request)


async def take_request(request: RouteRequest) -> RouteAnswer:
    """A signed request of another system."""
    from .webhook.route import take

    return await take(request)


async def give_attachment(request: RouteRequest) -> RouteAnswer:
    """The bytes of a kept attachment."""
    from .messages.route import give

    return await give(request)


async def ask(request: RouteRequest) -> RouteAnswer:
    """The page of a survey."""
    from .surveys.page import show_or_take

    return await show_or_take(request)


ROUTES = (
    Route(
        "/mail",
        take_mail,
        methods=("POST",),
        permission=INTAKE,
        description="Takes a raw e-mail, and opens a ticket or adds to one.",
        most_bytes=MOST_BYTES_OF_MAIL,
    ),
    Route(
        "/hook",
        take_request,
        methods=("POST",),
        permission=PUBLIC,
        description="Takes a request signed by the Standard Webhooks convention: a new ticket, or a message.",
        most_bytes=MOST_BYTES_OF_REQUEST,
    ),
    Route(
        "/attachments/{id}",
        give_attachment,
        permission=READ,
        description="The bytes of an attachment that came by e-mail, for whoever sees its message.",
        restricted=True,
    ),
    Route(
        "/survey/{token}",
        ask,
        methods=("GET", "POST"),
        permission=PUBLIC,
        description="The page on which a customer says how satisfied they are, behind a signed link.",
        most_bytes=MOST_BYTES_OF_FORM,
    ),
)
