"""Whom a request without a token that opens is counted for: its address."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address


@lru_cache(1024)
def visitor(address: str) -> str:
    """The address, or of an IPv6 one the network of 64 bits: that much everybody has for themselves."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return f"{IPv6Address(int(found) >> 64 << 64)}/64"
    return address
