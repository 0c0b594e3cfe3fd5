"""Scaling of logits, thresholds, bands and decision rules, all chosen on validation rows."""
