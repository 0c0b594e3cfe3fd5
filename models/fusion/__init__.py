"""Picture tokens and word tokens to logits."""
