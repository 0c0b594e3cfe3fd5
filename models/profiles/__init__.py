"""Sets of models that answer together: `mini` and `clip`."""
