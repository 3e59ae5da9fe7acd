"""Where the pages of events, timers and other subscriptions are."""

from django.urls import path

from pratai_dashboard.events import subscribing, views

_ONE = "<str:event_id>/"
_SUBSCRIPTION = "subscriptions/<str:function_id>/<str:subscription_id>/"
urlpatterns = [
    path("", views.Index.as_view(), name="index"),
    path("create/", views.Create.as_view(), name="create"),
    path("subscribe/", subscribing.Subscribe.as_view(), name="subscribe"),
    path("set-timer/", subscribing.SetTimer.as_view(), name="set_timer"),
    path(f"{_SUBSCRIPTION}delete/", subscribing.Delete.as_view(), name="unsubscribe"),
    path(f"{_SUBSCRIPTION}switch/", subscribing.Switch.as_view(), name="switch"),
    path(_ONE, views.Detail.as_view(), name="detail"),
    path(f"{_ONE}publish/", views.Publish.as_view(), name="publish"),
    path(f"{_ONE}delete/", views.Delete.as_view(), name="delete"),
]
