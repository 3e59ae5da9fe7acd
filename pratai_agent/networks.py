"""What the events of users may connect to: not the agent's own machine, nor what stands beside it.

A name is resolved once, and what it stood for then is what is connected to: a name that stands for
something else a moment later opens nothing.
"""

import ipaddress
import socket

from oslo_config import cfg

from pratai_agent.sources.base import SourceError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def resolved(conf: cfg.ConfigOpts, host: str, port: int) -> str:
    """Return the address to connect to for a host; raises SourceError where there is none that
    ``[agent] deny_networks`` allows.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise SourceError(f"the host {host} is not known") from error
    for *_, (address, *_) in found:
        if not _denied(conf.agent.deny_networks, str(address)):
            return str(address)
    raise SourceError(f"the host {host} is in a network that events may not connect to")


def _denied(networks: list[str], text: str) -> bool:
    address = _plain(ipaddress.ip_address(text))
    return any(address in ipaddress.ip_network(network) for network in networks)


def _plain(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one leads to, where it does."""
    mapped = getattr(address, "ipv4_mapped", None)
    return address if mapped is None else mapped
