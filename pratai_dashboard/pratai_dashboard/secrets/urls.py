"""Where the pages of secrets are."""

from django.urls import path

from pratai_dashboard.secrets import views

urlpatterns = [
    path("", views.Index.as_view(), name="index"),
    path("<str:name>/delete/", views.Delete.as_view(), name="delete"),
]
