"""The parts of the pages Search and Robustness."""
