"""Where requests may go to. Whoever enters an address must not reach what only this machine can reach.

An address is looked at twice: how it is written, when it is entered and whenever it is used; and what its
name resolves to, at each connection. The connection goes to the very addresses that were looked at, so that a
name which resolves to something else a moment later gains nothing.
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import urlsplit

from crm_framework.errors import CrmError, ErrorCode

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

URL_LIMIT = 2000
"""Characters of an address."""

# fmt: off
PORTS_REFUSED = frozenset({
    1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104,
    109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515,
    526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049,
    3306, 3659, 4045, 4190, 5060, 5061, 5432, 6000, 6379, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697,
    10080, 11211, 27017,
})
# fmt: on
"""Ports of other protocols, which a request could talk into something: the "bad ports" of the WHATWG Fetch
standard, and those of MySQL, PostgreSQL, Redis, memcached and MongoDB."""

REFUSED: dict[str, tuple[str, ...]] = {
    "this machine": ("127.0.0.0/8", "0.0.0.0/8", "::1/128", "::/128"),
    "a private network": (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "fec0::/10"),
    ),
    "a link of this machine, such as a cloud's metadata": ("169.254.0.0/16", "fe80::/10"),
    "a group of machines": ("224.0.0.0/4", "ff00::/8", "255.255.255.255/32"),
    "another address in disguise": (
        *("::ffff:0:0/96", "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32"),
        *("192.88.99.0/24", "::ffff:0:0:0/96"),
    ),
    "a reserved range": (
        *("192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
        *("240.0.0.0/4", "100::/64", "2001:2::/48", "2001:10::/28", "2001:20::/28", "2001:db8::/32"),
        *("3fff::/20", "5f00::/16"),
    ),
}
"""What a range is → its networks (RFC 6890 and its registries). Of IPv6, only 2000::/3 is in use at all."""

_REFUSED = [(what, ipaddress.ip_network(text)) for what, texts in REFUSED.items() for text in texts]
_IN_USE = ipaddress.ip_network("2000::/3")

_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_VISIBLE = re.compile(r"[!-~]+", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What an installation allows beyond https to public addresses."""

    allow_http: bool = False
    allow_private: Sequence[Network] = ()


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where a request goes to. `host` is a name or an address in its usual form, IPv6 without brackets."""

    scheme: str
    host: str
    port: int
    path: str
    """With the query."""

    @property
    def origin(self) -> str:
        """The part that is fit for logs: a path may hold a secret."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = {"https": 443, "http": 80}[self.scheme] == self.port
        return f"{self.scheme}://{host}" + ("" if usual else f":{self.port}")


def parse_url(url: str, rules: Rules, *, path: Sequence[str | int] = ()) -> Target:
    """The target that a URL names. Raises CrmError BAD_INPUT for whatever is odd about it, at `path`."""

    def refused(problem: str, hint: str) -> CrmError:
        return CrmError(ErrorCode.BAD_INPUT, f"The URL {problem}.", path=path, hint=hint)

    if not url or len(url) > URL_LIMIT:
        raise refused("is empty" if not url else f"has more than {URL_LIMIT} characters", "Shorten it.")
    if not _VISIBLE.fullmatch(url) or "\\" in url:
        raise refused(
            "has blanks, backslashes or characters beyond ASCII",
            "Write the host in punycode (xn--…) and the rest percent-encoded.",
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise refused("cannot be read", "Write it as https://host/path.") from None
    if parts.scheme not in ("https", "http") or not url.lower().startswith(f"{parts.scheme}://"):
        raise refused("does not begin with https://", "Write it as https://host/path.")
    if parts.scheme == "http" and not rules.allow_http:
        raise refused(
            "is not encrypted", "Use https, or set webhook_allow_http for a network that you trust."
        )
    if "@" in parts.netloc:
        raise refused("holds a user or a password", "Leave them out: the signature tells who sends.")
    if "#" in url:
        raise refused("has a fragment", "Leave out what follows the #; it is never sent.")
    if port == 0 or parts.netloc.endswith(":"):
        raise refused("has no usable port", "Leave the port out, or name one from 1 to 65535.")
    port = port or {"https": 443, "http": 80}[parts.scheme]
    if port in PORTS_REFUSED:
        raise refused(
            f"goes to port {port}, which is another protocol's", "Let the receiver listen elsewhere."
        )
    host = _host(parts.netloc)
    if host is None:
        raise refused(
            "has no usable host",
            "Write a name, an IPv4 address as four decimal numbers, or an IPv6 address in brackets.",
        )
    literal = _literal(host)
    if literal is not None and (problem := problem_of(literal, rules.allow_private)):
        raise refused(f"leads to {literal}, {problem}", ALLOW_HINT)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(scheme=parts.scheme, host=host, port=port, path=target)


ALLOW_HINT = "Only public addresses are called, unless their network is in webhook_allow_private."


def problem_of(address: Address, allowed: Sequence[Network] = ()) -> str | None:
    """Why no request may go to an address; None if it may."""
    if any(address in network for network in allowed):
        return None
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return "which holds on one link only"
    for what, network in _REFUSED:
        if address in network:
            return f"which is {what}"
    if isinstance(address, IPv6Address) and address not in _IN_USE:
        return "which is a reserved range"
    if not address.is_global or address.is_multicast or address.is_reserved:
        return "which is a reserved range"
    return None


def networks(texts: Sequence[str]) -> list[Network]:
    """The networks of a setting, which was checked when it was read."""
    return [ipaddress.ip_network(text) for text in texts]


def _host(netloc: str) -> str | None:
    """The host as it is called, if it is written in the one form that nobody reads differently."""
    if netloc.startswith("["):
        inside, bracket, rest = netloc[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")) or "%" in inside:
            return None
        try:
            return str(IPv6Address(inside))
        except ValueError:
            return None
    host = netloc.partition(":")[0].lower()
    if not _NAME.fullmatch(host) or len(host) > 253:
        return None
    # libraries take 2130706433, 0x7f.1 and 0177.0.0.1 for 127.0.0.1: whatever ends in a number is an address
    if _NUMBER.fullmatch(host.rpartition(".")[2]):
        try:
            return str(IPv4Address(host))
        except ValueError:
            return None
    return host


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
