"""The earlier system's checkpoint: converted once, then run as it was trained."""
