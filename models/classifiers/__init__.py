"""The verdict's classifier, multitask models, and their heads."""
