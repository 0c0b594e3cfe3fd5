"""Writes a folder of `weights/`: tensors to safetensors, the graph to ONNX that points into them, and the card."""

import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

from models import evaluation_files, weights

MIN_SIZE_8_BITS = 4096  # elements from which a matrix is worth 8 bits
MIN_SIZE = 64  # elements; smaller constants (shapes, scales) stay inside the graph


def write(
    name: str,
    *,
    config: Mapping[str, Any],
    metrics: Mapping[str, Any],
    readme: str,
    tensors: Mapping[str, np.ndarray] | None = None,
    graph: onnx.ModelProto | None = None,
    bits: int = 16,
) -> Path:
    """Writes `weights/NAME/`, or NAME below the folder of `weights.writing_to`, and returns it.

    The weights of a `graph` are stored beside `tensors` in float16, or with `bits` 8 its matrices and kernels in int8 with a
    scale for each output. They are float32 again when the graph is loaded. `config["sha256"]` holds the hashes of further
    files that the caller has put into the folder.
    """
    folder = weights.output_folder(name)
    folder.mkdir(parents=True, exist_ok=True)
    stored, files = dict(tensors or {}), ["model.safetensors"]
    if graph is not None:
        graph = copy.deepcopy(graph)
        stored |= _take_out(graph, bits)
        files.append("graph.onnx")
    save_file({key: np.ascontiguousarray(value) for key, value in stored.items()}, folder / "model.safetensors")
    (folder / "model.safetensors").chmod(0o644)  # save_file leaves it to the owner alone
    if graph is not None:
        _point_into(graph, folder / "model.safetensors")
        _strip(graph)
        (folder / "graph.onnx").write_bytes(graph.SerializeToString())
    card = {
        "name": name,
        **config,
        "parameters": int(sum(value.size for value in stored.values())),
        "sha256": {**config.get("sha256", {}), **{file: weights.sha256(folder / file) for file in files}},
    }
    (folder / "config.json").write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    report(name, metrics=metrics, readme=readme)
    return folder


def report(name: str, *, metrics: Mapping[str, Any], readme: str) -> None:
    """Writes the metrics and the model card of `weights/NAME/` alone, for metrics that are measured on the graph that ships."""
    folder = weights.output_folder(name)
    evaluation_files.write_json(folder, evaluation_files.METRICS, metrics)
    (folder / "README.md").write_text(readme.strip() + "\n", encoding="utf-8")


def trace(
    module: torch.nn.Module,
    inputs: Sequence[torch.Tensor],
    *,
    names: Sequence[str],
    outputs: Sequence[str],
    dynamic: Mapping[str, Mapping[int, str]],
) -> onnx.ModelProto:
    """The module as an ONNX graph; `dynamic` names the axes that vary, input by input."""
    shapes = tuple({axis: torch.export.Dim(label) for axis, label in dynamic.get(key, {}).items()} for key in names)
    with torch.no_grad():
        program = torch.onnx.export(
            module.eval(),
            tuple(inputs),
            input_names=list(names),
            output_names=list(outputs),
            dynamic_shapes=shapes,
            dynamo=True,
            verbose=False,
        )
    assert program is not None  # as it is with `dynamo`
    return program.model_proto


def _take_out(graph: onnx.ModelProto, bits: int) -> dict[str, np.ndarray]:
    """Removes the float weights from the graph and returns them as they are stored; nodes make them float32 again."""
    stored, initializers, nodes = {}, [], []
    for initializer in graph.graph.initializer:
        name, value = initializer.name, numpy_helper.to_array(initializer)
        if initializer.data_type == TensorProto.UINT8 and value.size >= MIN_SIZE_8_BITS:  # quantized already
            stored[name] = value
            initializers.append(TensorProto(name=name, data_type=TensorProto.UINT8, dims=value.shape))
        elif initializer.data_type != TensorProto.FLOAT or value.size < MIN_SIZE:
            initializers.append(initializer)
        elif bits == 8 and value.ndim > 1 and value.size >= MIN_SIZE_8_BITS:
            codes, scale = _quantize(value)
            stored[f"{name}.codes"] = codes
            initializers.append(TensorProto(name=f"{name}.codes", data_type=TensorProto.INT8, dims=value.shape))
            initializers.append(numpy_helper.from_array(scale, f"{name}.scale_of_codes"))  # too small for float16
            # Not DequantizeLinear: onnxruntime computes that in every run, but folds these two when it loads the graph.
            nodes.append(helper.make_node("Cast", [f"{name}.codes"], [f"{name}.cast"], to=TensorProto.FLOAT))
            nodes.append(helper.make_node("Mul", [f"{name}.cast", f"{name}.scale_of_codes"], [name]))
        else:
            stored[name] = value.astype(np.float16)
            initializers.append(TensorProto(name=f"{name}.stored", data_type=TensorProto.FLOAT16, dims=value.shape))
            nodes.append(helper.make_node("Cast", [f"{name}.stored"], [name], to=TensorProto.FLOAT))
    nodes += list(graph.graph.node)
    del graph.graph.initializer[:], graph.graph.node[:], graph.graph.value_info[:]
    graph.graph.initializer.extend(initializers)
    graph.graph.node.extend(nodes)
    return stored


def _quantize(value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int8 codes and the float32 scale of each row, or of each column of a matrix where that errs less."""

    def quantized(axis: int) -> tuple[np.ndarray, np.ndarray]:
        other_axes = tuple(number for number in range(value.ndim) if number != axis)
        scale = np.maximum(np.abs(value).max(other_axes, keepdims=True), 1e-8).astype(np.float32) / 127
        return np.clip(np.rint(value / scale), -127, 127).astype(np.int8), scale

    candidates = [quantized(axis) for axis in ((0, 1) if value.ndim == 2 else (0,))]
    return min(candidates, key=lambda pair: float(np.square(pair[0] * pair[1] - value).sum()))


def _strip(graph: onnx.ModelProto) -> None:
    """Removes the exporter's notes about the source: stack traces with the paths of this machine."""
    del graph.metadata_props[:], graph.graph.metadata_props[:]
    for node in graph.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*graph.graph.input, *graph.graph.output, *graph.graph.value_info, *graph.graph.initializer):
        del value.metadata_props[:]


def _point_into(graph: onnx.ModelProto, path: Path) -> None:
    """Makes each initializer without data read its bytes from the safetensors file."""
    layout = weights.layout(path)
    for initializer in graph.graph.initializer:
        key = initializer.name.removesuffix(".stored")
        if key not in layout or initializer.HasField("raw_data"):
            continue
        _, _, start, length = layout[key]
        initializer.data_location = TensorProto.EXTERNAL
        del initializer.external_data[:]
        for field, value in (("location", path.name), ("offset", start), ("length", length)):
            initializer.external_data.add(key=field, value=str(value))
