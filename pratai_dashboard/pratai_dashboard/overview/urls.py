"""Where the overview is."""

from django.urls import path

from pratai_dashboard.overview import views

urlpatterns = [path("", views.Index.as_view(), name="index")]
