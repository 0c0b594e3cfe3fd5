"""Devices, memory and locks."""
