"""(window, profile) to a report."""
