"""The robustness study: pixel attacks on shipped models and pixel triggers in training rows."""
