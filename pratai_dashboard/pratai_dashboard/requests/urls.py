"""Where the pages of requests are."""

from django.urls import path

from pratai_dashboard.requests import views

_ONE = "<str:request_id>/"
urlpatterns = [
    path("", views.Index.as_view(), name="index"),
    path(_ONE, views.Detail.as_view(), name="detail"),
    path(f"{_ONE}logs/", views.Logs.as_view(), name="logs"),
    path(f"{_ONE}replay/", views.Replay.as_view(), name="replay"),
    path(f"{_ONE}cancel/", views.Cancel.as_view(), name="cancel"),
]
