"""Writes a folder of `weights/`: tensors to safetensors, the graph to ONNX that points into them, the card beside both."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

from models import evaluation_files, weights

SCALE = ".scale_of_codes"  # too small for float16
LARGE = 4096  # elements from which a matrix is worth 8 bits
SMALLEST = 64  # elements; smaller constants (shapes, scales) stay inside the graph


def write(
    name: str,
    *,
    config: Mapping[str, Any],
    metrics: Mapping[str, Any],
    readme: str,
    tensors: Mapping[str, np.ndarray] | None = None,
    graph: onnx.ModelProto | None = None,
    files: Sequence[str] = (),
    half: bool = True,
    bits: int = 16,
) -> Path:
    """Writes `weights/<name>/`, or below the folder of `weights.writing_to`.

    With a `graph`, its weights are what is stored, in float16 if `half`.

    With `bits` 8 its matrices and kernels are int8 with a scale for each output, made float32 again when it is loaded.
    """
    folder = weights.output_folder(name)
    folder.mkdir(parents=True, exist_ok=True)
    stored = dict(tensors or {})
    if graph is not None:
        if bits == 8:
            stored |= _quantize(graph)
        stored |= _take_out(graph, half=half)
    save_file({key: np.ascontiguousarray(value) for key, value in stored.items()}, folder / "model.safetensors")
    (folder / "model.safetensors").chmod(0o644)  # save_file leaves it to the owner alone
    files = [*files, "model.safetensors"]
    if graph is not None:
        _point_into(graph, folder / "model.safetensors")
        _strip(graph)
        (folder / "graph.onnx").write_bytes(graph.SerializeToString())
        files.append("graph.onnx")
    card = {
        "name": name,
        **config,
        "parameters": int(sum(value.size for value in stored.values())),
        "sha256": {file: weights.sha256(folder / file) for file in files},
    }
    (folder / "config.json").write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    report(name, metrics=metrics, readme=readme)
    return folder


def report(name: str, *, metrics: Mapping[str, Any], readme: str) -> None:
    """Writes the figures and the card of `weights/<name>/` alone: for what is measured on the very graph that ships."""
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
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        path = Path(folder) / "graph.onnx"
        torch.onnx.export(
            module.eval(),
            tuple(inputs),
            str(path),
            input_names=list(names),
            output_names=list(outputs),
            dynamic_shapes=shapes,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
        return onnx.load(str(path))


def _quantize(graph: onnx.ModelProto) -> dict[str, np.ndarray]:
    """Takes matrices and kernels out of the graph as int8, scaled along the axis that errs less; Cast and Mul undo it."""
    taken, kept, nodes = {}, [], []
    for initializer in graph.graph.initializer:
        value = numpy_helper.to_array(initializer)
        if initializer.data_type != TensorProto.FLOAT or value.ndim < 2 or value.size < LARGE:
            kept.append(initializer)
            continue
        axis, codes, scale = min(
            ((axis, *_codes(value, axis)) for axis in ((0, 1) if value.ndim == 2 else (0,))),
            key=lambda one: float(np.square(one[1] * _along(one[2], one[0], value.ndim) - value).sum()),
        )
        name = initializer.name
        taken[f"{name}.codes"] = codes
        kept.append(TensorProto(name=f"{name}.codes", data_type=TensorProto.INT8, dims=value.shape))
        kept.append(numpy_helper.from_array(_along(scale, axis, value.ndim), f"{name}{SCALE}"))
        # Not DequantizeLinear: onnxruntime computes that anew in every run, while these two are folded when it is loaded.
        nodes.append(helper.make_node("Cast", [f"{name}.codes"], [f"{name}.cast"], to=TensorProto.FLOAT))
        nodes.append(helper.make_node("Mul", [f"{name}.cast", f"{name}{SCALE}"], [name]))
    others = list(graph.graph.node)
    del graph.graph.initializer[:], graph.graph.node[:], graph.graph.value_info[:]
    graph.graph.initializer.extend(kept)
    graph.graph.node.extend(nodes + others)
    return taken


def _codes(value: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """int8 codes and the float32 scale of each slice along `axis`."""
    others = tuple(other for other in range(value.ndim) if other != axis)
    scale = np.maximum(np.abs(value).max(others), 1e-8).astype(np.float32) / 127
    return np.clip(np.rint(value / _along(scale, axis, value.ndim)), -127, 127).astype(np.int8), scale


def _along(scale: np.ndarray, axis: int, dimensions: int) -> np.ndarray:
    return scale.reshape([-1 if at == axis else 1 for at in range(dimensions)])


def _take_out(graph: onnx.ModelProto, *, half: bool) -> dict[str, np.ndarray]:
    """Removes the float weights from the graph and returns them; float16 ones are cast back to float32 by a node."""
    taken, kept, casts = {}, [], []
    for initializer in graph.graph.initializer:
        if initializer.data_type != TensorProto.FLOAT or initializer.name.endswith(SCALE):
            kept.append(initializer)
            continue
        value = numpy_helper.to_array(initializer)
        if value.size < SMALLEST:
            kept.append(initializer)
            continue
        taken[initializer.name] = value.astype(np.float16) if half else value
        stored = f"{initializer.name}.stored" if half else initializer.name
        kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
        kept.append(TensorProto(name=stored, data_type=kind, dims=value.shape))
        if half:
            casts.append(helper.make_node("Cast", [stored], [initializer.name], to=TensorProto.FLOAT))
    nodes = list(graph.graph.node)
    del graph.graph.initializer[:], graph.graph.node[:], graph.graph.value_info[:]
    graph.graph.initializer.extend(kept)
    graph.graph.node.extend(casts + nodes)
    return taken


def _strip(graph: onnx.ModelProto) -> None:
    """Takes out what the exporter notes about the source: stack traces with the paths of this machine."""
    del graph.metadata_props[:], graph.graph.metadata_props[:]
    for node in graph.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*graph.graph.input, *graph.graph.output, *graph.graph.value_info, *graph.graph.initializer):
        del value.metadata_props[:]


def _point_into(graph: onnx.ModelProto, path: Path) -> None:
    """Lets each initializer without data read its bytes from the safetensors file."""
    places = weights.layout(path)
    for initializer in graph.graph.initializer:
        key = initializer.name.removesuffix(".stored")
        if key not in places or initializer.HasField("raw_data"):
            continue
        _, _, start, length = places[key]
        initializer.data_location = TensorProto.EXTERNAL
        del initializer.external_data[:]
        for field, value in (("location", path.name), ("offset", start), ("length", length)):
            initializer.external_data.add(key=field, value=str(value))
