"""The panel of the project's dashboard."""

PANEL = "pratai_requests"
PANEL_DASHBOARD = "project"
PANEL_GROUP = "pratai"
ADD_PANEL = "pratai_dashboard.requests.panel.Requests"
