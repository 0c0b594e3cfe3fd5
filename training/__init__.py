"""Trains, measures and exports what lies in `weights/`."""
