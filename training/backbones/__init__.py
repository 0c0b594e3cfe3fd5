"""Pretrained towers by spec (`registry.build`), their shipped versions, and their finetuning on sentences."""
