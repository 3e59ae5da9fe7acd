"""What all views share: the API, who may do what, and what becomes of its refusals."""

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, NamedTuple, TypeVar

from django import forms, http, shortcuts
from django.core.exceptions import NON_FIELD_ERRORS
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from django.views import View
from horizon import exceptions, messages, views
from prataiclient import Client, ClientError, NotFoundError, RefusedError
from prataiclient.resources import Resource

from pratai_dashboard import api

R = TypeVar("R", bound=Resource)
Text = Any
"""A string, or what becomes one in the language of whoever is asked: Django's Promise."""
_FORBIDDEN, _UNAUTHENTICATED, _BAD_GATEWAY = 403, 401, 502


class Act(NamedTuple):
    """Something that the user may do, as a link; ``danger`` marks what cannot be taken back."""

    label: Text
    url: str
    danger: bool = False


class ApiView(View):
    """A view that asks the API. Who may not do all of ``rules`` gets 403, as who is refused by the
    API does; what is not there is 404; and whatever else fails is shown with the service's words.
    """

    rules: ClassVar[tuple[str, ...]] = ()

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """See Django."""
        if not api.may(request, *self.rules):
            raise exceptions.NotAuthorized
        try:
            return super().dispatch(request, *args, **kwargs)
        except ClientError as error:
            return _failed(request, error)

    @cached_property
    def client(self) -> Client:
        """The API, by the user's right."""
        return api.client(self.request)

    def acts(self, *wanted: tuple[str, Act]) -> list[Act]:
        """Return what the user may do of this, each with the rule that says so."""
        return [act for rule, act in wanted if api.may(self.request, rule)]


class PageView(ApiView, views.HorizonTemplateView):
    """A page of our own."""


class FormView(ApiView, views.HorizonFormView):
    """A form on a page of its own; ``act`` does what it is for. What the API refuses is said above
    the form.
    """

    template_name = "pratai/form.html"
    form_class: type[forms.Form] = forms.Form
    submit_label: Text = _("Save")
    danger = False
    question: Text = ""
    """What stands above the fields."""

    def act(self, values: dict[str, Any]) -> str | HttpResponse:
        """Do it; returns the address of the page that is shown then, or what is answered."""
        raise NotImplementedError

    def back(self) -> str:
        """Return the address of the page that the user came from."""
        raise NotImplementedError

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """See Django."""
        more = {
            "submit_label": self.submit_label,
            "danger": self.danger,
            "question": self.question,
            "back": self.back(),
        }
        found: dict[str, Any] = super().get_context_data(**more, **kwargs)
        return found

    def form_valid(self, form: forms.Form) -> HttpResponse:
        """See Django."""
        try:
            done = self.act(form.cleaned_data)
        except RefusedError as error:
            if error.status in (_FORBIDDEN, _UNAUTHENTICATED):
                raise
            form.add_error(NON_FIELD_ERRORS, str(error))
            invalid: HttpResponse = self.form_invalid(form)
            return invalid
        return shortcuts.redirect(done) if isinstance(done, str) else done

    def said(self, text: Text) -> None:
        """Say on the page that is shown next that something was done."""
        messages.success(self.request, text)


class FollowView(ApiView):
    """A text that grows, as the page asks for it again and again; ``read`` returns it, with the
    status, and whether that is final.
    """

    http_method_names = ["get"]

    def get(self, request: HttpRequest, **names: str) -> HttpResponse:
        """See Django."""
        text, status, ended = self.read(**names)
        return http.JsonResponse({"text": text, "status": status, "ended": ended})

    def read(self, **names: str) -> tuple[str, str, bool]:
        """Return the text so far."""
        raise NotImplementedError


def choices(
    read: Callable[[], Iterator[R]], choice: Callable[[R], tuple[str, str]]
) -> list[tuple[str, str]]:
    """Return what there is of a kind, for a form: of each the value and what is shown. Who may not
    list it has no choice.
    """
    try:
        return [choice(each) for each in read()]
    except RefusedError:
        return []


def function_choices(client: Client) -> list[tuple[str, str]]:
    """Return the project's functions, ids and names."""
    return choices(client.functions, lambda each: (each.function_id, each.name))


def _failed(request: HttpRequest, error: ClientError) -> HttpResponse:
    """Answer what the API said; raises what Horizon and Django answer 401, 403 and 404 to."""
    if isinstance(error, NotFoundError):
        raise http.Http404(str(error)) from error
    if error.status == _UNAUTHENTICATED:
        raise exceptions.NotAuthenticated from error
    if error.status == _FORBIDDEN:
        raise exceptions.NotAuthorized from error
    status = error.status or _BAD_GATEWAY
    return shortcuts.render(request, "pratai/failed.html", {"message": str(error)}, status=status)
