import pytest

from crm_framework.server.answers import GRAPHQL, JSON, accepts_page, answer, media_type

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (f"{GRAPHQL}, */*", GRAPHQL),
        (GRAPHQL, GRAPHQL),
        (JSON, JSON),
        (f"{GRAPHQL}, {JSON};q=0.9", GRAPHQL),
        (f"{JSON}, {GRAPHQL};q=0.9", JSON),
        (f"{JSON};q=0.5, {GRAPHQL}", GRAPHQL),
        (f"{JSON}, {GRAPHQL}", GRAPHQL),
        ("APPLICATION/JSON; charset=utf-8", JSON),
        (f"{JSON};q=0", None),
        (f"{JSON};q=much", None),
        ("text/html", None),
        ("image/png, text/plain", None),
        (BROWSER, JSON),
    ],
)
def test_media_type_follows_the_clients_preference(accept: str | None, media: str | None) -> None:
    assert media_type(accept) == media


@pytest.mark.parametrize(
    ("accept", "page"),
    [(BROWSER, True), ("text/html;q=0", False), ("*/*", False), (None, False), (JSON, False)],
)
def test_only_a_browser_gets_the_page(accept: str | None, page: bool) -> None:
    assert accepts_page(accept) is page


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("BAD_INPUT", 400),
        ("TOO_COMPLEX", 400),
        ("UNAUTHENTICATED", 401),
        ("FORBIDDEN", 403),
        ("RATE_LIMITED", 429),
        ("INTERNAL", 500),
        ("TIMEOUT", 504),
    ],
)
def test_status_of_what_was_not_executed(code: str, status: int) -> None:
    result = {"errors": [{"message": "no", "extensions": {"code": code}}]}
    assert answer(result, GRAPHQL).status_code == status
    assert answer(result, JSON).status_code == 200


def test_status_of_what_was_executed_is_200_whatever_failed_in_it() -> None:
    result = {"data": None, "errors": [{"message": "no", "extensions": {"code": "INTERNAL"}}]}
    response = answer(result, GRAPHQL)
    assert response.status_code == 200
    assert response.headers["content-type"] == GRAPHQL
    assert response.headers["cache-control"] == "no-store"
