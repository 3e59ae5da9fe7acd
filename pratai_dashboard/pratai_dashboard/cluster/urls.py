"""Where the page of the cluster is."""

from django.urls import path

from pratai_dashboard.cluster import views

urlpatterns = [path("", views.Index.as_view(), name="index")]
