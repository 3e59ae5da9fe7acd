"""The panel of the project's dashboard."""

PANEL = "pratai_functions"
PANEL_DASHBOARD = "project"
PANEL_GROUP = "pratai"
ADD_PANEL = "pratai_dashboard.functions.panel.Functions"
