"""The plugin's addresses. What answers them is read when it is asked for the first time."""

from crm_framework import PUBLIC, Route, RouteAnswer, RouteRequest

MOST_BYTES_OF_FORM = 64 * 1024


async def ask(request: RouteRequest) -> RouteAnswer:
    """The page of a survey."""
    from .surveys.page import show_or_take

    return await show_or_take(request)


ROUTES = (
    Route(
        "/survey/{token}",
        ask,
        methods=("GET", "POST"),
        permission=PUBLIC,
        description="The question of a survey, behind the signed link that a customer was sent.",
        most_bytes=MOST_BYTES_OF_FORM,
    ),
)
