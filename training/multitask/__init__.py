"""Multitask models: several tasks answered by one network over image, text or both."""
