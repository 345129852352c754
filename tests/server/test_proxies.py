"""Whose address counts: that of the connection, and behind trusted proxies the one that they name."""

from pathlib import Path

import httpx2
import pytest

from crm_framework.errors import CrmError
from crm_framework.settings import load_settings
from tests.server.nodes import begin, end, greeted

WRONG = 5


def statuses(address: str, forwarded: list[str]) -> list[int]:
    """Of requests with a wrong token that say that they come from these."""
    with httpx2.Client(trust_env=False, base_url=address) as http:
        return [
            http.post(
                "/graphql",
                json={"query": "{ __typename }"},
                headers={"Authorization": "Bearer crm_wrong", "X-Forwarded-For": one},
            ).status_code
            for one in forwarded
        ]


@pytest.mark.parametrize(
    ("trusted", "forwarded", "throttled"),
    [
        ("", [f"192.0.2.{number}" for number in range(WRONG + 1)], True),
        ("10.0.0.0/8", [f"192.0.2.{number}" for number in range(WRONG + 1)], True),
        ("127.0.0.1", [f"192.0.2.{number}" for number in range(WRONG + 1)], False),
        # what stands before the last hop that is nobody's proxy is the client's own invention
        ("127.0.0.1,10.0.0.0/8", [f"192.0.2.{n}, 198.51.100.7, 10.1.2.3" for n in range(WRONG + 1)], True),
    ],
)
def test_only_trusted_proxies_say_where_a_request_comes_from(
    empty_database_url: str, tmp_path: Path, trusted: str, forwarded: list[str], throttled: bool
) -> None:
    node = begin(
        empty_database_url,
        tmp_path,
        CRM_WRONG_TOKENS_PER_MINUTE=str(WRONG),
        FORWARDED_ALLOW_IPS="*",
        CRM_TRUSTED_PROXIES=trusted,
    )
    try:
        greeted(node)
        assert (429 in statuses(node.address, forwarded)) is throttled
    finally:
        end(node)


def test_what_is_no_network_is_refused() -> None:
    for wrong in ("*", "proxy.example.com", "10.0.0.1/8"):
        with pytest.raises(CrmError, match=r"trusted_proxies: .* is no network"):
            load_settings(environ={}, trusted_proxies=(wrong,))
