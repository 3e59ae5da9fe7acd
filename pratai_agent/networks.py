"""What the events of users may connect to: not the agent's own machine, nor what stands beside it.

A name is resolved once, and what it stood for then is what is connected to: a name that stands for
something else a moment later opens nothing. Only one address is tried, of IPv4 where there is one:
a host that has both may listen on that alone.
"""

import ipaddress
import socket

from oslo_config import cfg

from pratai_agent.sources.base import SourceError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_LEADING_TO_IPV4 = [ipaddress.IPv6Network(each) for each in ("::/96", "64:ff9b::/96")]
"""Where the last 32 bits are an IPv4 address: IPv4-compatible addresses, and those of NAT64."""


def resolved(conf: cfg.ConfigOpts, host: str, port: int) -> str:
    """Return the address to connect to for a host; raises SourceError where there is none that
    ``[agent] deny_networks`` allows.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise SourceError(f"the host {host} is not known") from error
    for *_, (address, *_) in sorted(found, key=lambda each: each[0] != socket.AF_INET):
        if not _denied(conf.agent.deny_networks, str(address)):
            return str(address)
    raise SourceError(f"the host {host} is in a network that events may not connect to")


def _denied(networks: list[str], text: str) -> bool:
    meant = _meant(ipaddress.ip_address(text))
    denied = [ipaddress.ip_network(network) for network in networks]
    return any(address in network for address in meant for network in denied)


def _meant(address: Address) -> list[Address]:
    """Return an address, and the IPv4 one that it leads to where it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    inner = address.ipv4_mapped or address.sixtofour
    if any(address in network for network in _LEADING_TO_IPV4):
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return [address] if inner is None else [address, inner]
