"""Whether an address or a name is one of the world's, or of one network alone."""

from __future__ import annotations

from ipaddress import ip_network

OURS_ALONE = ("localhost", "local", "localdomain", "internal", "test", "example", "invalid")


def is_global(host: str) -> bool:
    """Whether that name, address or network can be reached from anywhere."""
    try:
        return ip_network(host.strip("[]"), strict=False).is_global
    except ValueError:
        return "." in host and host.rpartition(".")[2] not in OURS_ALONE
