"""Where a session was opened from, in words."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

UNKNOWN = "An unknown address"
LOCAL = [
    ip_network(each)
    for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10")
]


def in_words(address: str | None) -> str:
    """`203.0.113.9`, or what kind of address it is when it tells no place in the world."""
    try:
        parsed = ip_address(address or "")
    except ValueError:
        return UNKNOWN
    parsed = getattr(parsed, "ipv4_mapped", None) or parsed
    if parsed.is_loopback:
        return "The machine that we run on"
    if any(parsed in network for network in LOCAL):
        return f"A local network ({parsed})"
    return str(parsed)
