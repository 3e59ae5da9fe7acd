"""Options of agents, and of where events come from."""

import ipaddress

from oslo_config import cfg, types


class _Network(types.String):
    """An IP network, as ``10.0.0.0/8``."""

    def __call__(self, value: str) -> str:
        """Return it; raises ValueError for what is none."""
        return str(ipaddress.ip_network(super().__call__(value)))


AGENT_OPTS: list[cfg.Opt] = [
    cfg.IntOpt(
        "sources",
        default=200,
        min=0,
        help="Events whose source one agent serves at a time, a thread each. Where more want to "
        "be, projects get equal shares. With 0 an agent fires timers, and leaves events alone.",
    ),
    cfg.ListOpt(
        "deny_networks",
        default=["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "::/128", "::1/128", "fe80::/10"],
        item_type=_Network(),
        help="Networks that events of users may not connect to. The addresses that a host stands "
        "for are what is looked at. Name your control plane's here.",
    ),
]
NOTIFICATIONS_OPTS: list[cfg.Opt] = [
    cfg.StrOpt(
        "host",
        help="Broker (AMQP 0.9.1) that the services of OpenStack publish their notifications on. "
        "Without one, events of the source notification cannot be served.",
    ),
    cfg.PortOpt("port", default=5672, help="Its port."),
    cfg.StrOpt("virtual_host", default="/", help="The virtual host of it that they use."),
    cfg.StrOpt("username", default="pratai", help="User who may read and bind there."),
    cfg.StrOpt("password", secret=True, help="The user's password."),
    cfg.BoolOpt("tls", default=False, help="Whether to connect by TLS."),
    cfg.StrOpt("ca_bundle", help="CA bundle that it is verified by; default: the system's."),
]
