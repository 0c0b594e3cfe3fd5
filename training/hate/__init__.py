"""The hate and harm heads of both profiles: co-attention over frozen tokens."""
