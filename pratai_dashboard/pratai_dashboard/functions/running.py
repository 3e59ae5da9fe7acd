"""The pages that run a function, and that stop it."""

from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from prataiclient import RequestFailedError

from pratai_dashboard.functions import forms
from pratai_dashboard.functions.changing import OneFunction
from pratai_dashboard.requests import routes


class Run(OneFunction):
    """Send the function an event. Of what is not waited for the request's page is shown; what a
    function answers whose callers wait is shown at once.
    """

    rules = ("function:call",)
    form_class = forms.Payload
    template_name = "pratai/run.html"
    page_title = _("Run {{ function.name }}")
    submit_label = _("Run")

    def act(self, values: dict[str, Any]) -> str | HttpResponse:
        """See FormView."""
        try:
            called = self.client.execute(self.function.function_id, values["payload"])
        except RequestFailedError as error:
            return self._again(failure=str(error))
        if not called.ended:
            return routes.to("detail", called.request_id)
        return self._again(request_id=called.request_id, result=called.result)

    def _again(self, **shown: Any) -> HttpResponse:
        """Show the form as it was filled in, with what came of it."""
        response: HttpResponse = self.render_to_response(self.get_context_data(ended=True, **shown))
        return response


class Stop(OneFunction):
    """Cancel what runs."""

    rules = ("function:stop",)
    page_title = _("Stop the runs of {{ function.name }}")
    submit_label = _("Stop them")
    question = _("The runs that go on now are cancelled. Later events run it again.")
    danger = True

    def act(self, values: dict[str, Any]) -> str:
        """See FormView."""
        number = len(self.client.stop_function(self.function.function_id))
        text = ngettext("%(number)s run is being stopped.", "%(number)s runs are being stopped.",
                        number)  # fmt: skip
        self.said(text % {"number": number})
        return self.back()
