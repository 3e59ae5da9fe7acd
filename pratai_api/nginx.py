"""``pratai-nginx-conf``: prints what nginx reads to stand before the API processes.

Its limits are those of the API, so that both refuse the same, and what nginx itself refuses has the
one shape of every failure. What is sent again to another API process, and what is not, is said in
``doc/source/admin/nginx.rst``.
"""

import sys
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from oslo_config import cfg

from pratai_api import proxy
from pratai_api.errors import failure, reason_of
from pratai_common import conf as configuration
from pratai_common import limits
from pratai_common.daemon import fail

_UNAVAILABLE = "no API process answered; whether one did what was asked is not known"


class NginxError(NamedTuple):
    """A failure that nginx itself answers. ``seen`` is the status by which nginx knows it, where
    that does not depend on the location.
    """

    name: str
    code: int
    message: str
    seen: str = ""
    reason: str = ""

    @property
    def body(self) -> str:
        """Return the answer, as a string of nginx's with the request's id in it."""
        reason = self.reason or reason_of(self.code)
        text = failure(self.code, reason, self.message, "$pratai_http_request_id").decode()
        return text.replace("'", "\\'")


_ERRORS = (
    NginxError("bad_request", 400, "this is no request that could be read", "400 497"),
    NginxError("forbidden", 403, "this is open to nodes alone", "403"),
    NginxError("not_found", 404, "nothing is here", "404"),
    NginxError("method", 405, "the method is not allowed here", "405"),
    NginxError("line_too_long", 414, "the request line is too long", "414"),
    NginxError("headers_too_large", 431, "the headers are too large", "494"),
    NginxError("internal", 500, "an error of the platform; the operator's log has more", "500",
               "internal"),
    NginxError("not_implemented", 501, "this coding of the body is unknown", "501"),
    NginxError("version", 505, "this version of HTTP is not spoken here", "505"),
    NginxError("body_too_large", 413, f"the body is larger than {limits.MAX_BODY_BYTES} bytes",
               reason="too_large"),
    NginxError("form_too_large", 413, f"the body is larger than {limits.MAX_FORM_BYTES} bytes",
               reason="too_large"),
    NginxError("unavailable", 503, _UNAVAILABLE, reason="api_unavailable"),
)  # fmt: skip


def site(conf: cfg.ConfigOpts) -> str:
    """Return the configuration, for nginx's http context."""
    environment = Environment(  # noqa: S701 - this is no HTML
        loader=PackageLoader("pratai_api"), undefined=StrictUndefined, keep_trailing_newline=True
    )
    return environment.get_template("nginx.conf.j2").render(
        listen=conf.nginx.listen,
        certificate=conf.nginx.certificate,
        certificate_key=conf.nginx.certificate_key,
        access_log=conf.nginx.access_log,
        apis=conf.nginx.apis,
        node_networks=conf.nginx.node_networks,
        errors=_ERRORS,
        request_id_header=proxy.REQUEST_ID,
        attempt_header=proxy.ATTEMPT,
        max_body_bytes=limits.MAX_BODY_BYTES,
        max_form_bytes=limits.MAX_FORM_BYTES,
        max_line_bytes=limits.MAX_REQUEST_LINE_BYTES,
        max_wait_seconds=limits.MAX_WAIT_SECONDS,
        max_follow_seconds=limits.MAX_FOLLOW_SECONDS,
        api_keepalive_seconds=limits.API_KEEPALIVE_SECONDS,
    )


def main() -> int:
    """Print the configuration."""
    conf = configuration.load("pratai-nginx-conf", sys.argv[1:])
    if bool(conf.nginx.certificate) != bool(conf.nginx.certificate_key):
        return fail("[nginx] certificate and certificate_key go together")
    sys.stdout.write(site(conf))
    return 0
