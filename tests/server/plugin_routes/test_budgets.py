"""What an address and a token may ask of plugins' routes, and how long a handler may take."""

from crm_framework.server.limits.visitors import visitor

from .conftest import Serve


async def test_a_handler_that_takes_too_long_is_stopped(serve: Serve) -> None:
    client = await serve(
        "async with request.unit_of_work() as tx:\n"
        "    await create_customer(tx, NewCustomer(name='Ada'))\n"
        "    await asyncio.sleep(60)",
        request_timeout_s=0.3,
    )
    answer = await client.request("POST", "/plugins/one/x", token=False)
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (504, "TIMEOUT")
    rows = await client.service.database.fetch("SELECT id FROM crm_customer")
    assert rows == []


async def test_an_address_may_ask_so_often_and_others_meanwhile(serve: Serve) -> None:
    client = await serve("return RouteAnswer()", public_requests_per_minute=3)
    answers = [await client.request("GET", "/plugins/one/x", token=False) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert int(answers[-1].headers["retry-after"]) > 0
    assert answers[-1].json()["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
    await client.data("{ customers { totalCount } }")


async def test_a_token_that_has_used_up_its_budget_waits(serve: Serve) -> None:
    route = 'Route("/x", handle, permission="one.use", description="X.")'
    client = await serve("return RouteAnswer()", route, rate_limit_per_minute=60)
    verified = await client.service.verifier.verify(client.token)
    budget = client.service.budgets.of(verified.token_id)
    assert budget is not None
    assert (await client.request("GET", "/plugins/one/x")).status_code == 200
    assert budget.left() < 60
    budget.charge(0, 100)
    answer = await client.request("GET", "/plugins/one/x")
    assert (answer.status_code, int(answer.headers["retry-after"]) > 0) == (429, True)


def test_networks_of_ipv6_count_as_one_visitor() -> None:
    assert visitor("192.0.2.1") == "192.0.2.1"
    assert visitor("2001:db8:1:2:3:4:5:6") == visitor("2001:db8:1:2::1") == "2001:db8:1:2::/64"
    assert visitor("::ffff:192.0.2.1") == "192.0.2.1"
    assert visitor("") == ""
