"""Where requests come from: the network's addresses as limits see them, and those of pages as browsers tell them."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from urllib.parse import SplitResult, urlsplit

HOUSEHOLD_BITS = 64


def counted_as(address: str | None) -> str | None:
    """What a limit by address counts as one: an IPv4 address, or the network of an IPv6 one.

    Whoever has IPv6 has 2^64 addresses to choose from, and would pass any limit on a single one.
    """
    try:
        parsed = ip_address(address or "")
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    network = int(parsed) >> HOUSEHOLD_BITS << HOUSEHOLD_BITS
    return f"{IPv6Address(network)}/{HOUSEHOLD_BITS}"


def urlsplit_safely(url: str) -> SplitResult:
    """The parts of an address of the web that somebody has sent; no parts, if it is none."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")
