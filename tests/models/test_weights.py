"""Folders made by hand, good ones and every way in which one can be broken."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from safetensors import safe_open
from safetensors.numpy import save_file

from models import weights
from models.errors import BadWeights

TENSORS = {
    "flags": np.arange(5, dtype=np.uint8),
    "rows": np.arange(12, dtype=np.float16).reshape(4, 3) / 8,
    "matrix": np.linspace(-1, 1, 6, dtype=np.float32).reshape(3, 2),
    "counts": np.array([[-3, 2**40]]),
    "small": np.array([-128, 127], dtype=np.int8),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`tiny_words`: tensors, and a graph (x @ matrix) whose matrix lies in the tensors' file."""
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(tmp_path))
    folder = tmp_path / "tiny_words"
    folder.mkdir()
    save_file(TENSORS, folder / "model.safetensors", metadata={"format": "pt"})
    _, _, start, length = weights.layout(folder / "model.safetensors")["matrix"]
    matrix = TensorProto(name="matrix", data_type=TensorProto.FLOAT, dims=(3, 2), data_location=TensorProto.EXTERNAL)
    for key, value in (("location", "model.safetensors"), ("offset", start), ("length", length)):
        matrix.external_data.add(key=key, value=str(value))
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "matrix"], ["y"])],
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])],
        [matrix],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    (folder / "graph.onnx").write_bytes(model.SerializeToString())
    describe(folder, parameters=23)
    return folder


def describe(folder: Path, **config: object) -> None:
    hashes = {file: weights.sha256(folder / file) for file in ("model.safetensors", "graph.onnx")}
    (folder / "config.json").write_text(json.dumps({"sha256": hashes, **config}), encoding="utf-8")


def test_a_whole_folder_is_read(folder: Path) -> None:
    card = weights.card("tiny_words")
    assert (card.name, card.folder, card.parameters) == ("tiny_words", folder, 23)
    assert set(card.sha256) == {"model.safetensors", "graph.onnx"}


def test_the_identity_changes_with_a_setting_and_with_a_file(folder: Path) -> None:
    first = weights.card("tiny_words").identity
    assert weights.card("tiny_words").identity == first
    describe(folder, parameters=24)
    second = weights.card("tiny_words").identity
    with (folder / "graph.onnx").open("ab") as file:
        file.write(b"\0")
    describe(folder, parameters=24)
    assert len({first, second, weights.card("tiny_words").identity}) == 3


def test_the_folder_comes_from_the_environment_or_lies_beside_the_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(tmp_path))
    assert weights.root() == tmp_path
    monkeypatch.delenv("SUBTEXT_WEIGHTS")
    assert weights.root() == Path(__file__).resolve().parents[2] / "weights"


def test_an_unknown_name_suggests_a_near_one(folder: Path) -> None:
    with pytest.raises(BadWeights, match=r"no weights named 'tinywords' .* Did you mean 'tiny_words'\?"):
        weights.card("tinywords")
    with pytest.raises(BadWeights, match="git checkout") as far:
        weights.card("something_else")
    assert "Did you mean" not in str(far.value)


def test_a_file_that_changed_is_damaged(folder: Path) -> None:
    path = folder / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(BadWeights, match=r"tiny_words/model\.safetensors is damaged .*git checkout"):
        weights.card("tiny_words")


def test_a_file_that_is_gone_is_named(folder: Path) -> None:
    (folder / "graph.onnx").unlink()
    with pytest.raises(BadWeights, match=r"tiny_words/graph\.onnx is missing: .*git checkout"):
        weights.card("tiny_words")


@pytest.mark.parametrize("text", [b"{", b"", b"[1, 2]", b'"words"', b"{}", b'{"sha256": 3}', b"\xff\xfe{}", None])
def test_a_broken_card_says_what_to_do(folder: Path, text: bytes | None) -> None:
    (folder / "config.json").unlink()
    if text is not None:
        (folder / "config.json").write_bytes(text)
    with pytest.raises(BadWeights, match=r"tiny_words/config\.json is missing or damaged: .*git checkout"):
        weights.card("tiny_words")


def test_the_layout_is_the_one_that_safetensors_reads(folder: Path) -> None:
    path = folder / "model.safetensors"
    whole = path.read_bytes()
    entries = weights.layout(path)
    with safe_open(path, framework="np") as file:
        assert set(entries) == set(file.keys()) == set(TENSORS)
        for name, (dtype, shape, start, length) in entries.items():
            read = file.get_tensor(name)
            assert (dtype, shape) == (read.dtype, read.shape)
            assert whole[start : start + length] == read.tobytes()


def test_a_tensor_is_mapped_and_cannot_be_written(folder: Path) -> None:
    rows = weights.tensor(weights.card("tiny_words"), "rows")
    np.testing.assert_array_equal(rows, TENSORS["rows"])
    assert isinstance(rows, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        rows[0] = 1


def test_a_tensor_that_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(BadWeights, match=r"tiny_words/model\.safetensors .*'columns'.*git checkout"):
        weights.tensor(weights.card("tiny_words"), "columns")


def test_a_setting_that_is_not_there_is_named(folder: Path) -> None:
    card = weights.card("tiny_words")
    assert card.setting("parameters") == 23
    with pytest.raises(BadWeights, match=r"tiny_words/config\.json lacks 'bands': .*git checkout"):
        card.setting("bands")


@pytest.mark.parametrize("threads", [0, 1, 2])
def test_a_graph_reads_its_weights_out_of_safetensors(folder: Path, threads: int) -> None:
    session = weights.session(weights.card("tiny_words"), threads=threads)
    x = np.array([[1, 2, 3], [-1, 0, 0.5]], np.float32)
    (y,) = session.run(None, {"x": x})
    np.testing.assert_allclose(y, x @ TENSORS["matrix"], rtol=1e-6)


def test_a_graph_that_onnxruntime_refuses_says_what_to_do(folder: Path) -> None:
    model = onnx.load(str(folder / "graph.onnx"), load_external_data=False)
    model.graph.node[0].op_type = "NoSuchThing"
    (folder / "graph.onnx").write_bytes(model.SerializeToString())
    describe(folder)
    with pytest.raises(BadWeights, match=r"tiny_words/graph\.onnx cannot be loaded by onnxruntime: .*git checkout"):
        weights.session(weights.card("tiny_words"))
