"""The plugin with_routes as its clients meet it: a link that opens without a token, and who is refused."""

import logging
from pathlib import Path

import pytest

from crm_framework import NewCustomer, create_customer, encode_id
from crm_framework.security.actors import ActorKind
from crm_framework.security.permissions import Permissions
from crm_framework.security.tokens import create_token
from crm_framework.testing import CrmClient
from crm_framework.testing.apps import OpenClient

FIXTURES = Path(__file__).parents[2] / "fixture_plugins"
INVITE = "/plugins/with_routes/invitations/shop/7"


class TestWithRoutes:
    @pytest.fixture
    def plugin_dir(self) -> Path:
        return FIXTURES

    @pytest.fixture
    async def client(self, open_client: OpenClient) -> CrmClient:
        section = {"link_secrets": ["open sesame, please"]}
        client = await open_client("with_routes", with_routes=section, wrong_tokens_per_minute=3)
        async with client.service.database.unit_of_work() as tx:
            await create_customer(tx, NewCustomer(name="Ada", source="shop", reference="7"))
        return client

    async def test_a_link_is_made_with_a_permission_and_opens_without_a_token(
        self, client: CrmClient
    ) -> None:
        inviting = await client.acting_with("with_routes.invite")
        answer = await inviting.request("POST", INVITE)
        assert (answer.status_code, answer.headers["content-type"]) == (201, "application/json")
        assert answer.headers["ratelimit-policy"].startswith('"token"')
        link = answer.json()["link"]
        page = await client.request("GET", link, token=False)
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert "<form method=post>" in page.text
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["x-content-type-options"] == "nosniff"
        assert page.headers["content-security-policy"].startswith("default-src 'none';")
        assert page.headers["referrer-policy"] == "no-referrer"
        assert await interactions(client) == []
        given = await client.request("POST", link, token=False, data={"opinion": "good"})
        assert (given.status_code, given.headers["location"]) == (303, "/plugins/with_routes/thanks")
        assert await interactions(client) == ["Answered"]
        thanks = await client.request("GET", given.headers["location"], token=False)
        assert (thanks.text, thanks.headers["content-type"]) == ("Thank you!", "text/plain; charset=utf-8")

    async def test_what_a_public_route_changes_is_audited_under_its_address(self, client: CrmClient) -> None:
        link = (await client.request("POST", INVITE)).json()["link"]
        asked = await client.request("POST", link, token=False, headers={"X-Request-Id": "link-1"})
        assert (asked.status_code, asked.headers["x-request-id"]) == (303, "link-1")
        rows = await client.service.database.fetch(
            "SELECT actor_kind, actor_name, request_id FROM crm_audit WHERE action = 'interaction.logged'"
        )
        assert rows == [
            {
                "actor_kind": "SYSTEM",
                "actor_name": "public /plugins/with_routes/answer/{link}",
                "request_id": "link-1",
            }
        ]

    async def test_who_may_not_is_refused_and_audited(self, client: CrmClient) -> None:
        answer = await client.request("POST", INVITE, token=False)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="crm"')
        wrong = {"Authorization": "Bearer crm_nonsense"}
        assert (await client.request("POST", INVITE, token=False, headers=wrong)).status_code == 401
        reader = await client.acting_with("customers.read")
        answer = await reader.request("POST", INVITE)
        assert answer.status_code == 403
        [error] = answer.json()["errors"]
        assert error == {
            "message": "The permission with_routes.invite on all customers is missing.",
            "extensions": {"code": "FORBIDDEN"},
        }
        assert await client.request("GET", INVITE) is not None
        await client.service.refusals._write(ended=True)
        assert await refused(client) == [
            ("unknown", "crm_nonse", "The token is unknown."),
            ("Test", f"POST {PLACE}", "The permission with_routes.invite on all customers is missing."),
        ]

    async def test_who_sees_some_customers_only_is_refused(self, client: CrmClient) -> None:
        async with client.service.database.unit_of_work() as tx:
            [row] = await tx.fetch("SELECT id FROM crm_customer")
            own = await create_token(
                tx,
                Permissions.of(client.service.host.declarations),
                name="portal",
                grants=[],
                kind=ActorKind.CUSTOMER,
                customer_id=row["id"],
            )
        headers = {"Authorization": f"Bearer {own.secret}"}
        assert (await client.request("POST", INVITE, token=False, headers=headers)).status_code == 403

    async def test_a_restricted_route_shows_what_its_token_may_see(self, client: CrmClient) -> None:
        async with client.service.database.unit_of_work() as tx:
            bob = (await create_customer(tx, NewCustomer(name="Bob", tags=["vip"]))).id
            [row] = await tx.fetch("SELECT id FROM crm_customer WHERE name = 'Ada'")
            ada = str(row["id"])
            known = Permissions.of(client.service.host.declarations)
            own = await create_token(
                tx, known, name="own", grants=[], kind=ActorKind.CUSTOMER, customer_id=ada
            )
            partner = await create_token(
                tx, known, name="partner", grants=["customers.read"], kind=ActorKind.PARTNER, tag="vip"
            )
        other = await client.acting_with("with_routes.invite")
        for token, seen in (
            (client.token, {"Ada", "Bob"}),
            (own.secret, {"Ada"}),
            (partner.secret, {"Bob"}),
        ):
            for key, name in ((ada, "Ada"), (bob, "Bob")):
                headers = {"Authorization": f"Bearer {token}"}
                path = f"/plugins/with_routes/card/{encode_id('Customer', key)}"
                answer = await client.request("GET", path, token=False, headers=headers)
                assert answer.status_code == (200 if name in seen else 404)
                assert (f"FN:{name}" in answer.text) is (name in seen)
        assert (await other.request("GET", path)).status_code == 403
        assert (await client.request("GET", path, token=False)).status_code == 401

    async def test_a_link_that_opens_nothing_is_refused_audited_and_held_up(self, client: CrmClient) -> None:
        for number, status in enumerate((401, 401, 401, 429)):
            answer = await client.request("POST", f"/plugins/with_routes/answer/x{number}.y", token=False)
            assert answer.status_code == status
        assert int(answer.headers["retry-after"]) > 0
        await client.service.refusals._write(ended=True)
        public = "public /plugins/with_routes/answer/{link}"
        [entry] = await refused(client)
        assert entry == (
            public,
            "POST /plugins/with_routes/answer/{link}",
            "This link does not open anything.",
        )
        assert await interactions(client) == []

    async def test_what_is_not_there(self, client: CrmClient) -> None:
        missing = await client.request("POST", "/plugins/with_routes/invitations/shop/8")
        assert (missing.status_code, missing.json()) == (
            404,
            {
                "errors": [
                    {
                        "message": "There is no such customer.",
                        "extensions": {"code": "NOT_FOUND", "path": ["reference"]},
                    }
                ]
            },
        )
        for path in ("/plugins/with_routes", "/plugins/with_routes/", "/plugins/with_job/x", "/plugins/no/x"):
            answer = await client.request("GET", path)
            assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (
                404,
                "NOT_FOUND",
            )
        for path in (f"{INVITE}/more", "/plugins/with_routes/thanks/"):
            assert (await client.request("POST", path)).status_code == 404

    async def test_other_methods_are_refused_with_those_that_are_not(self, client: CrmClient) -> None:
        answer = await client.request("PUT", "/plugins/with_routes/answer/x", token=False)
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")
        head = await client.request("HEAD", "/plugins/with_routes/thanks", token=False)
        assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "10")

    async def test_a_body_that_is_too_large_is_refused_before_it_is_read(self, client: CrmClient) -> None:
        assert (await client.request("POST", INVITE, content=b"x")).status_code == 413
        link = (await client.request("POST", INVITE)).json()["link"]
        assert (await client.request("POST", link, token=False, content=b"x" * 1_001)).status_code == 413
        squeezed = {"Content-Encoding": "gzip"}
        assert (await client.request("POST", link, token=False, headers=squeezed)).status_code == 415
        assert await interactions(client) == []

    async def test_the_log_and_the_figures_know_the_address_without_its_parameters(
        self, client: CrmClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        link = (await client.request("POST", INVITE)).json()["link"]
        with caplog.at_level(logging.INFO, "crm_framework.access"):
            await client.request("GET", link, token=False)
            await client.request("GET", "/plugins/gone/answer/secret", token=False)
        lines = [record.getMessage() for record in caplog.records if record.name == "crm_framework.access"]
        # earlier requests are there as well when another test has set the level of the log
        assert [line.partition(" ms")[0].rsplit(" ", 1)[0] for line in lines if line.startswith("GET ")] == [
            "GET /plugins/with_routes/answer/{link} 200",
            "GET /plugins/… 404",
        ]
        metrics = (await client.request("GET", "/metrics")).text
        assert (
            'crm_http_requests_total{path="/plugins/with_routes/answer/{link}",status="200"} 1.0' in metrics
        )
        assert 'crm_http_requests_total{path="other",status="404"} 1.0' in metrics


PLACE = "/plugins/with_routes/invitations/{source}/{reference}"


async def interactions(client: CrmClient) -> list[str]:
    rows = await client.service.database.fetch("SELECT subject FROM crm_interaction ORDER BY id")
    return [row["subject"] for row in rows]


async def refused(client: CrmClient) -> list[tuple[str, str, str]]:
    rows = await client.service.database.fetch(
        "SELECT actor_name, subject_id, reason FROM crm_audit WHERE action = 'access.refused' ORDER BY id"
    )
    return [(row["actor_name"], row["subject_id"], row["reason"]) for row in rows]
