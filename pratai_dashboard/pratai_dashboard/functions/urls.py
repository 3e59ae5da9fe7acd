"""Where the pages of functions are."""

from django.urls import path

from pratai_dashboard.functions import building, changing, running, views

_ONE = "<str:function_id>/"
urlpatterns = [
    path("", views.Index.as_view(), name="index"),
    path("create-from-zip/", building.CreateFromZip.as_view(), name="create_zip"),
    path("create-in-editor/", building.CreateInEditor.as_view(), name="create_editor"),
    path(_ONE, views.Detail.as_view(), name="detail"),
    path(f"{_ONE}build-log/", views.BuildLog.as_view(), name="build_log"),
    path(f"{_ONE}run/", running.Run.as_view(), name="run"),
    path(f"{_ONE}stop/", running.Stop.as_view(), name="stop"),
    path(f"{_ONE}update/", changing.Update.as_view(), name="update"),
    path(f"{_ONE}delete/", changing.Delete.as_view(), name="delete"),
    path(f"{_ONE}version-from-zip/", building.VersionFromZip.as_view(), name="version_zip"),
    path(f"{_ONE}version-in-editor/", building.VersionInEditor.as_view(), name="version_editor"),
    path(f"{_ONE}versions/<int:number>/serve/", changing.Serve.as_view(), name="serve"),
]
