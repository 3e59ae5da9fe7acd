"""What Horizon is told of the panels: these files are copied to its ``local/enabled``."""
