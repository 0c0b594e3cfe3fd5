"""The joint space of pictures and words, and collections searched in it."""
