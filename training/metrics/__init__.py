"""Metrics of predictions, each with a 95% interval and a baseline; this package knows no task."""
