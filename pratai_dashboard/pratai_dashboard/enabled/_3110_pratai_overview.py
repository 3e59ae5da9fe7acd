"""The panel of the project's dashboard."""

PANEL = "pratai_overview"
PANEL_DASHBOARD = "project"
PANEL_GROUP = "pratai"
ADD_PANEL = "pratai_dashboard.overview.panel.Overview"
