"""Every option of every service: a module for what belongs together, a list for each group."""
