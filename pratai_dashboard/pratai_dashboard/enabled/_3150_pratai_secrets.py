"""The panel of the project's dashboard."""

PANEL = "pratai_secrets"
PANEL_DASHBOARD = "project"
PANEL_GROUP = "pratai"
ADD_PANEL = "pratai_dashboard.secrets.panel.Secrets"
