"""Where a request may lead: the public internet, and the very place where the playlist itself lies.

What a stranger's feed, page or redirect names must not make this machine ask its own services, its neighbours or a
cloud's metadata server. Names are judged by what they resolve to, by whoever then connects to exactly that address.

Sources: the IANA special-purpose address registries (by `ipaddress`), RFC 6052 (NAT64), RFC 6761, 6762, 8375 and the
list of private-use names of ICANN.
"""

import ipaddress
import re
import socket
import unicodedata
from collections.abc import Collection, Iterable
from functools import cached_property
from urllib.parse import urlsplit

PORTS = {"http": 80, "https": 443}  # the only schemes that are fetched

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_NEVER_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("::/96", "64:ff9b:1::/48"),  # IPv4 in IPv6: obsolete, and of a network's own
        *("2001::/32", "2002::/16"),  # Teredo and 6to4: tunnels to any IPv4 address
        *("fec0::/10",),  # site-local
    )
)
_LOCAL_DOMAINS = (
    "localhost",
    "local",
    "localdomain",
    "lan",
    "home",
    "home.arpa",
    "internal",
    "intranet",
    "corp",
    "test",
)


class OutOfReach(Exception):
    """A request would lead where this installation does not go; the message says where to."""


def is_public(address: str) -> bool:
    """Whether a numeric address is one of the public internet: not private, loopback, link-local, multicast, ..."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or (ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None)
        if inner is not None:
            return is_public(str(inner))
        if any(ip in network for network in _NEVER_PUBLIC):
            return False
    return ip.is_global and not ip.is_multicast


def numeric(host: str) -> str | None:
    """The address that a host is written as, in any form that resolvers accept (0x7f.1, 2130706433); None for names."""
    host = unicodedata.normalize("NFKC", host).strip("[]").rstrip(".")
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        pass
    if re.fullmatch(r"[0-9a-fx.]+", host, re.IGNORECASE):
        try:
            return socket.inet_ntoa(socket.inet_aton(host))
        except OSError:
            pass
    return None


def is_local_name(host: str) -> bool:
    """Whether a name is one that only a local network gives, and nobody on the internet can own."""
    host = host.lower().rstrip(".")
    return "." not in host or any(host == domain or host.endswith(f".{domain}") for domain in _LOCAL_DOMAINS)


def host_and_port(url: str) -> tuple[str, int] | None:
    """Where a web address leads, the host in lower case; None for what is no web address."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    scheme = parts.scheme.lower()
    return (host, port or PORTS[scheme]) if host and scheme in PORTS else None


class Reach:
    """Where the requests may lead that are made for some playlists.

    A playlist on a public name does not open the private address that this name leads to: whoever owns the name could
    point it at any service of this machine.

    Args:
        playlists: their addresses: what lies at their own host and port may be fetched, wherever that is.
        private_hosts: further hosts that may be private, as a name or address, or `host:port`.
    """

    def __init__(self, playlists: Iterable[str], private_hosts: Collection[str] = ()) -> None:
        self._playlists = tuple(playlists)
        self._private_hosts = frozenset(host.lower() for host in private_hosts)

    def addresses(self, host: str, port: int) -> list[str]:
        """The numeric addresses of a host that may be connected to, in the resolver's order.

        Raises:
            OutOfReach: none may be.
            OSError: the name can't be resolved.
        """
        found = list(dict.fromkeys(_resolve(host, port)))
        allowed = [address for address in found if self._may_connect(host, address, port)]
        if not allowed:
            raise OutOfReach(f"{_named(host, port)} ({found[0]})" if numeric(host) != found[0] else _named(host, port))
        return allowed

    def check_unresolved(self, host: str, port: int) -> None:
        """What can be said of a host that a proxy resolves: by its address or name alone.

        Raises:
            OutOfReach: it is a private address, or this machine.
        """
        address = numeric(host)
        if address is None and is_local_name(host) and host.rstrip(".").lower().endswith("localhost"):
            address = "127.0.0.1"
        if address is not None and not self._may_connect(host, address, port):
            raise OutOfReach(_named(host, port))

    def _may_connect(self, host: str, address: str, port: int) -> bool:
        host = host.lower()
        return (
            is_public(address)
            or (address, port) in self._own
            or not self._private_hosts.isdisjoint((host, f"{host}:{port}"))
        )

    @cached_property
    def _own(self) -> frozenset[tuple[str, int]]:
        """Addresses and ports of the playlists that were knowingly named in this machine's surroundings."""
        own: set[tuple[str, int]] = set()
        for host, port in filter(None, map(host_and_port, self._playlists)):
            if numeric(host) or is_local_name(host):
                try:
                    own.update((address, port) for address in _resolve(host, port))
                except OSError:
                    continue
        return frozenset(own)


def _resolve(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for _, _, _, _, sockaddr in found]


def _named(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
