"""Options of what daemons tell of themselves: metrics, and spans of traces."""

from oslo_config import cfg

METRICS_OPTS: list[cfg.Opt] = [
    cfg.StrOpt(
        "host",
        default="127.0.0.1",
        help="Address that each daemon answers Prometheus at. Whoever reaches it reads all "
        "metrics.",
    ),
    *(
        cfg.PortOpt(f"{daemon}_port", default=port, help=f"Port of the metrics of {what}; 0: none.")
        for daemon, port, what in (
            ("api", 19096, "an API process, each of which needs its own on a machine"),
            ("agent", 19097, "the agent"),
            ("scheduler", 19098, "the scheduler"),
            ("collector", 19099, "the collector"),
            ("driver", 19100, "a node, each of which needs its own on a machine"),
        )
    ),
]
TRACING_OPTS: list[cfg.Opt] = [
    cfg.StrOpt(
        "exporter",
        help="Where the collector sends the spans of recorded traces: otlp (OTLP by HTTP; needs "
        "pratai[tracing]). Without one none are made; traceparent is passed on all the same. The "
        "API, agents and collectors need the same.",
    ),
    cfg.URIOpt(
        "otlp_endpoint",
        schemes=["http", "https"],
        default="http://127.0.0.1:4318/v1/traces",
        help="Where OTLP goes. Headers, certificates and time limits are read from OpenTelemetry's "
        "own variables, as OTEL_EXPORTER_OTLP_HEADERS.",
    ),
    cfg.FloatOpt(
        "sample_ratio",
        default=1.0,
        min=0.0,
        max=1.0,
        help="Share of the traces that are recorded, of those that begin here. Where a caller "
        "sends traceparent, that says whether its trace is.",
    ),
]
