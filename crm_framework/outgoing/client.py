"""Sends one request over a connection of its own, to an address that was checked.

The HTTP is httpcore2's, which lets us make the connections: it follows no redirects, asks no proxy of the
environment, and verifies the certificate for the name in the URL, wherever the connection goes.
"""

import asyncio
import ipaddress
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import monotonic
from typing import Any

import httpcore2

from crm_framework import tracing
from crm_framework.errors import CrmError
from crm_framework.settings import Settings

from .addresses import Address, Rules, Target, networks, parse_url, problem_of

log = logging.getLogger(__name__)

ANSWER_BYTES = 1_000
"""Bytes of an answer that are kept."""
READ_BYTES = 65_536
"""Bytes of an answer that are read before the connection is closed."""
RESOLVER_THREADS = 16
"""Names that are resolved at once: a slow one keeps a thread, as the system cannot be stopped."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host, in the order in which to try them. Raises OSError."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came of a request: an answer's `status` and beginning, or the `error` why there is none."""

    status: int | None = None
    text: str | None = None
    error: str | None = None
    retry_after: int | None = None
    """Seconds that the receiver asked to be left alone for."""
    milliseconds: int = 0

    @property
    def delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class Refused(Exception):
    """The name leads to where no request may go."""


class Client:
    """Sends requests under the rules of an installation. `resolve` and `tls` are there for tests."""

    def __init__(
        self,
        rules: Rules,
        *,
        timeout_s: float,
        resolve: Resolve | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.rules = rules
        self._timeout_s = timeout_s
        self._resolve = resolve or resolved
        self._tls = tls

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, cause: str | None = None
    ) -> Answer:
        """Sends a body, on behalf of the span `cause`. Whatever goes wrong on the way is told in the answer;
        nothing is raised."""
        if tracing.spans is None:
            return await self._post(url, body, headers)
        with tracing.spans.sending(url, cause) as (span, carried):
            answer = await self._post(url, body, {**headers, **carried})
            if answer.status is not None:
                span.set_attribute("http.response.status_code", answer.status)
            if not answer.delivered:
                tracing.spans.failed(span, str(answer.status or "unanswered"))
            return answer

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        begun = monotonic()
        try:
            target = parse_url(url, self.rules)
            async with asyncio.timeout(self._timeout_s):
                answer = await self._send(target, body, headers)
        except TimeoutError:
            answer = Answer(error=f"there was no whole answer in {self._timeout_s:g} seconds")
        except CrmError as error:
            answer = Answer(error=error.message)
        except Refused as error:
            answer = Answer(error=str(error))
        except (
            OSError,
            httpcore2.NetworkError,
            httpcore2.TimeoutException,
            httpcore2.ProtocolError,
        ) as error:
            answer = Answer(error=_reason(error))
        milliseconds = round((monotonic() - begun) * 1000)
        return Answer(
            status=answer.status,
            text=answer.text,
            error=answer.error,
            retry_after=answer.retry_after,
            milliseconds=milliseconds,
        )

    async def _send(self, target: Target, body: bytes, headers: Mapping[str, str]) -> Answer:
        addresses = await self._checked(target)
        if self._tls is None:
            self._tls = httpcore2.default_ssl_context()
        url = httpcore2.URL(
            scheme=target.scheme.encode(),
            host=target.host.encode(),
            port=target.port,
            target=target.path.encode(),
        )
        sent = {
            "host": target.origin.partition("://")[2],
            "user-agent": "crm-framework",
            "content-type": "application/json",
            "content-length": str(len(body)),
            "accept-encoding": "identity",
            "connection": "close",
            **headers,
        }
        async with httpcore2.AsyncConnectionPool(
            ssl_context=self._tls, network_backend=_Pinned(addresses), max_keepalive_connections=0
        ) as pool:
            lines = [(name.encode(), value.encode()) for name, value in sent.items()]
            async with pool.stream(b"POST", url, headers=lines, content=body) as response:
                kept = b""
                read = 0
                async for part in response.aiter_stream():
                    kept += part[: ANSWER_BYTES - len(kept)]
                    read += len(part)
                    if read >= READ_BYTES:
                        break
                return Answer(
                    status=response.status, text=_text(kept), retry_after=_retry_after(response.headers)
                )

    async def _checked(self, target: Target) -> list[str]:
        """The addresses to connect to, every one of them allowed: a name with one that is not is refused."""
        found = await self._resolve(target.host, target.port)
        if not found:
            raise OSError(f"{target.host} has no address")
        for text in found:
            address: Address = ipaddress.ip_address(text)
            if problem := problem_of(address, self.rules.allow_private):
                raise Refused(f"{target.host} leads to {text}, {problem}: nothing was sent")
        return list(found)


def webhook_rules(settings: Settings) -> Rules:
    """What the settings allow."""
    return Rules(
        allow_http=settings.webhook_allow_http, allow_private=networks(settings.webhook_allow_private)
    )


def webhook_client(settings: Settings) -> Client:
    """What sends to webhooks under these settings."""
    return Client(webhook_rules(settings), timeout_s=settings.webhook_timeout_s)


class _Pinned(httpcore2.AsyncNetworkBackend):
    """Connects to the given addresses, whatever the name in the URL."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = addresses
        self._backend = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # the signature is httpcore2's
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        failure: Exception | None = None
        for address in self._addresses:
            try:
                return await self._backend.connect_tcp(address, port, timeout, local_address, socket_options)
            except httpcore2.NetworkError as error:
                failure = error
        assert failure is not None  # there is at least one address
        raise failure


_resolvers = ThreadPoolExecutor(RESOLVER_THREADS, thread_name_prefix="crm resolver")


async def resolved(host: str, port: int) -> list[str]:
    """What the system's resolver says, on threads of our own: the loop's would be kept by slow names."""
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        pass
    found = await asyncio.get_running_loop().run_in_executor(_resolvers, _look_up, host, port)
    return list(dict.fromkeys(found))


def _look_up(host: str, port: int) -> list[str]:
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def _reason(error: BaseException) -> str:
    cause: BaseException = error
    while not str(cause) and (inner := cause.__cause__ or cause.__context__) is not None:
        cause = inner
    text = " ".join(str(cause).split())
    return (text or f"the connection failed ({type(error).__name__})")[:500]


def _text(kept: bytes) -> str:
    """For people to look at: without what would do something to a terminal or a database."""
    text = kept.decode("utf-8", "replace")
    return "".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in text)


def _retry_after(headers: Sequence[tuple[bytes, bytes]]) -> int | None:
    for name, value in headers:
        if name.lower() == b"retry-after" and value.isdigit() and len(value) <= 6:
            return int(value)
    return None
