"""The parts of the page Batch."""
