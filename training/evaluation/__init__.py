"""`python -m training evaluate`: the metrics of trained weights on one file, and saved predictions."""
