"""The HTTP API with its client, and batches on this machine or on Ray."""
