"""Requests go to addresses that were checked, and nowhere else: real servers, and a resolver that lies."""

import asyncio
from collections.abc import Sequence

import pytest

from crm_framework.outgoing.addresses import Rules, networks
from crm_framework.outgoing.client import ANSWER_BYTES, READ_BYTES, Client, resolved

from .receiver import receiving, trusting

LOCAL = Rules(allow_http=True, allow_private=networks(["127.0.0.1"]))


class Resolver:
    """Gives one answer after the other, the last for ever."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        return self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)


def client(*answers: Sequence[str], rules: Rules = LOCAL, timeout_s: float = 10) -> Client:
    return Client(rules, timeout_s=timeout_s, resolve=Resolver(*answers or (["127.0.0.1"],)), tls=trusting())


async def test_a_body_arrives_with_its_headers() -> None:
    async with receiving() as receiver:
        answer = await client().post(f"{receiver.url}?a=b", b'{"a":1}', {"webhook-id": "1"})
    assert answer.delivered
    assert (answer.status, answer.text, answer.error) == (200, "thanks", None)
    (got,) = receiver.received
    assert (got.path, got.body) == ("/crm?a=b", b'{"a":1}')
    assert got.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert got.headers["webhook-id"] == "1"
    assert got.headers["content-type"] == "application/json"


async def test_the_certificate_is_for_the_name_although_we_chose_the_address() -> None:
    async with receiving(tls=True) as receiver:
        sent = await client().post(f"https://hooks.test:{receiver.port}/", b"{}", {})
        other = await client().post(f"https://other.test:{receiver.port}/", b"{}", {})
        number = await client().post(f"https://127.0.0.1:{receiver.port}/", b"{}", {})
        unknown = await Client(LOCAL, timeout_s=10, resolve=Resolver(["127.0.0.1"])).post(
            f"https://hooks.test:{receiver.port}/", b"{}", {}
        )
    assert sent.status == 200
    assert receiver.received[0].headers["host"] == f"hooks.test:{receiver.port}"
    assert len(receiver.received) == 1
    for answer in (other, number, unknown):
        assert answer.status is None
        assert "certificate" in (answer.error or "")


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["169.254.169.254"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["fe80::1%lo"],
        ["8.8.8.8", "127.0.0.1"],
    ],
)
async def test_a_name_that_leads_inside_is_refused(addresses: list[str]) -> None:
    async with receiving() as receiver:
        refusing = client(addresses, rules=Rules(allow_http=True))
        answer = await refusing.post(f"http://rebound.test:{receiver.port}/", b"{}", {})
    assert not answer.delivered
    assert "nothing was sent" in (answer.error or "")
    assert receiver.received == []


async def test_a_name_is_resolved_once_so_that_it_cannot_change_its_mind() -> None:
    # allowed is another address than the one that the second look-up would give
    async with receiving() as receiver:
        resolver = Resolver(["127.0.0.1"], ["127.0.0.2"])
        sending = Client(LOCAL, timeout_s=10, resolve=resolver)
        first = await sending.post(f"http://rebinding.test:{receiver.port}/", b"{}", {})
        assert resolver.asked == [("rebinding.test", receiver.port)]
        second = await sending.post(f"http://rebinding.test:{receiver.port}/", b"{}", {})
    assert first.status == 200
    assert "rebinding.test leads to 127.0.0.2" in (second.error or "")
    assert len(receiver.received) == 1


async def test_redirects_are_not_followed() -> None:
    async with receiving() as inside, receiving() as receiver:
        for status in (301, 302, 303, 307, 308):
            receiver.answers = [(status, {"location": inside.url}, b"")]
            answer = await client().post(receiver.url, b"{}", {})
            assert (answer.status, answer.delivered) == (status, False)
    assert len(receiver.received) == 5
    assert inside.received == []


async def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving() as proxy, receiving() as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        answer = await client().post(receiver.url, b"{}", {})
    assert answer.status == 200
    assert proxy.received == []


async def test_of_an_answer_only_the_beginning_is_read_and_kept() -> None:
    async with receiving() as receiver:
        receiver.answers = [(200, {}, b"\x00\x1b[2J" + b"x" * 50 * READ_BYTES)]
        answer = await client().post(receiver.url, b"{}", {})
    assert answer.status == 200
    assert answer.text == "\ufffd\ufffd[2J" + "x" * (ANSWER_BYTES - 5)


async def test_who_does_not_answer_is_left() -> None:
    async with receiving() as receiver:
        over = asyncio.Event()

        async def wait(_: object) -> None:
            await over.wait()

        receiver.before = wait
        answer = await client(timeout_s=0.2).post(receiver.url, b"{}", {})
        over.set()
    assert answer.error == "there was no whole answer in 0.2 seconds"


async def test_a_slow_name_is_left_too() -> None:
    async def never(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    answer = await Client(LOCAL, timeout_s=0.1, resolve=never).post("http://slow.test/", b"{}", {})
    assert answer.error == "there was no whole answer in 0.1 seconds"


async def test_nobody_there_is_told_and_the_next_address_is_tried() -> None:
    async with receiving() as receiver:
        both = Rules(allow_http=True, allow_private=networks(["127.0.0.0/8"]))
        answer = await client(["127.0.0.9", "127.0.0.1"], rules=both).post(
            f"http://two.test:{receiver.port}/", b"{}", {}
        )
        assert answer.status == 200
        port = receiver.port
    gone = await client().post(f"http://127.0.0.1:{port}/", b"{}", {})
    assert gone.status is None
    assert gone.error


async def test_what_is_no_http_is_told() -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.test ESMTP\r\n")
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    answer = await client().post(f"http://127.0.0.1:{port}/", b"{}", {})
    server.close()
    assert answer.status is None
    assert answer.error


async def test_the_url_is_looked_at_again_when_it_is_used() -> None:
    answer = await Client(Rules(), timeout_s=1).post("http://example.com/", b"{}", {})
    assert answer.error == "The URL is not encrypted."


async def test_a_receiver_may_ask_to_be_left_alone() -> None:
    async with receiving() as receiver:
        receiver.answers = [(429, {"retry-after": "120"}, b"")]
        answer = await client().post(receiver.url, b"{}", {})
    assert (answer.status, answer.retry_after) == (429, 120)


async def test_the_systems_resolver_is_asked() -> None:
    assert "127.0.0.1" in await resolved("localhost", 80)
    assert await resolved("2001:db8::1", 80) == ["2001:db8::1"]
