"""The tables of requests and of their attempts."""

from django.utils.translation import gettext_lazy as _
from horizon import tables
from prataiclient.resources import Request

from pratai_dashboard import shown
from pratai_dashboard.requests import routes
from pratai_dashboard.tables import Options, Table, link, status
from pratai_dashboard.templatetags.pratai import moment


class RequestRow(Request):
    """A request, with the name of its function."""

    function_name: str


def _took(datum: Request) -> str:
    stages = (datum.queue_ms, datum.init_ms, datum.run_ms)
    parts = [each for each in stages if each is not None]
    return shown.duration(sum(parts)) if parts else shown.NOTHING


def _start(datum: Request) -> object:
    if datum.cold is None:
        return shown.NOTHING
    return _("cold") if datum.cold else _("warm")


class Requests(Table):
    """Requests, newest first; rows are of the kind ``RequestRow``."""

    key = "request_id"
    created_at = tables.Column(
        "created_at",
        verbose_name=_("Accepted"),
        filters=(moment,),
        link=link(routes.DETAIL, "request_id"),
    )
    function = tables.Column("function_name", verbose_name=_("Function"))
    state = tables.Column(status, verbose_name=_("Status"))
    reason = tables.Column("reason", verbose_name=_("Reason"))
    source = tables.Column("source", verbose_name=_("Source"))
    start = tables.Column(_start, verbose_name=_("Start"))
    took = tables.Column(_took, verbose_name=_("Took"))

    class Meta(Options):
        """See Horizon."""

        name = "requests"
        verbose_name = _("Requests")
        no_data_message = _("There is no such request.")


class Attempts(Table):
    """The tries to run a request."""

    key = "attempt"
    attempt = tables.Column("attempt", verbose_name=_("Attempt"))
    node = tables.Column("node", verbose_name=_("Node"))
    started_at = tables.Column("started_at", verbose_name=_("Started"), filters=(moment,))
    finished_at = tables.Column("finished_at", verbose_name=_("Ended"), filters=(moment,))
    reason = tables.Column("reason", verbose_name=_("Reason"))
    message = tables.Column("message", verbose_name=_("Message"))

    class Meta(Options):
        """See Horizon."""

        name = "attempts"
        verbose_name = _("Attempts")
        no_data_message = _("It was not tried yet.")
