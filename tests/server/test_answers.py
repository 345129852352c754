from typing import Any

import pytest

from crm_framework.engine.result import Result
from crm_framework.server.answers import (
    GRAPHQL,
    JSON,
    Accepted,
    Answer,
    accepted,
    accepts_page,
    answer,
    media_type,
)

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
    result = Result(None, [{"message": "no", "extensions": {"code": code}}], refused=True)
    assert answer(result, GRAPHQL).status == status
    assert answer(result, JSON).status == 200


def test_status_of_what_was_executed_is_200_whatever_failed_in_it() -> None:
    result = Result(None, [{"message": "no", "extensions": {"code": "INTERNAL"}}])
    given = answer(result, GRAPHQL)
    assert (given.status, given.media) == (200, GRAPHQL)
    assert given.body == b'{"errors":[{"message":"no","extensions":{"code":"INTERNAL"}}],"data":null}'


async def test_every_answer_says_its_length_and_is_not_to_be_kept() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await Answer(401, b"{}", JSON, ((b"www-authenticate", b"Bearer"),)).send(send)
    start, body = sent
    assert start["status"] == 401
    assert dict(start["headers"]) == {
        b"cache-control": b"no-store",
        b"x-content-type-options": b"nosniff",
        b"www-authenticate": b"Bearer",
        b"content-length": b"2",
        b"content-type": b"application/json",
    }
    assert body == {"type": "http.response.body", "body": b"{}"}


def test_a_long_accept_header_is_understood_and_not_kept() -> None:
    long = ", ".join(["text/plain"] * 50 + [GRAPHQL]).encode()
    assert accepted(long) == Accepted(page=False, stream=False, media=GRAPHQL)
    assert accepted(long) is not accepted(long)
    assert accepted(GRAPHQL.encode()) is accepted(GRAPHQL.encode())


@pytest.mark.parametrize(
    ("header", "meant"),
    [
        (b"", Accepted(page=False, stream=False, media=JSON)),
        (GRAPHQL.encode(), Accepted(page=False, stream=False, media=GRAPHQL)),
        (BROWSER.encode(), Accepted(page=True, stream=False, media=JSON)),
        (b"Text/Event-Stream", Accepted(page=False, stream=True, media=None)),
        (b"text/\xe9", Accepted(page=False, stream=False, media=None)),
    ],
)
def test_what_an_accept_header_means(header: bytes, meant: Accepted) -> None:
    assert accepted(header) == meant
    assert accepted(header) == meant  # as it is remembered
