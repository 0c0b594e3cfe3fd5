"""Texts to word pieces, CLIP pieces and words."""
