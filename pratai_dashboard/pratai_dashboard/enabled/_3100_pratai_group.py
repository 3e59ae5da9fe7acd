"""The panels of a project's users stand together; with this file the application is there."""

PANEL_GROUP = "pratai"
PANEL_GROUP_NAME = "Functions"
PANEL_GROUP_DASHBOARD = "project"
ADD_INSTALLED_APPS = ["pratai_dashboard"]
