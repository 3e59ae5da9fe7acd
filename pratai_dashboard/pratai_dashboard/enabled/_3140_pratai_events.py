"""The panel of the project's dashboard."""

PANEL = "pratai_events"
PANEL_DASHBOARD = "project"
PANEL_GROUP = "pratai"
ADD_PANEL = "pratai_dashboard.events.panel.Events"
