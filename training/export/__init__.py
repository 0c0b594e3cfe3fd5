"""Folders of `weights/`: tensors, ONNX graph, metrics, and the model card from a template."""
