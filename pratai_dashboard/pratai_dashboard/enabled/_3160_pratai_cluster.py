"""The panel of the administrators' dashboard."""

PANEL = "pratai_cluster"
PANEL_DASHBOARD = "admin"
PANEL_GROUP = "admin"
ADD_PANEL = "pratai_dashboard.cluster.panel.Cluster"
