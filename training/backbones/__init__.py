"""Pretrained towers by their names, and their fine-tuning on sentences."""
