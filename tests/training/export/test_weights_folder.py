"""From a torch module to a folder that onnxruntime runs, with the tensors outside the graph."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from torch import Tensor, nn

from models import weights
from training.export import weights_folder


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(8, 32), nn.Linear(32, 3)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, N, 8), (B, N) to (B, 3): the sum over the real rows."""
        return (self.dropout(self.second(self.first(x).relu())) * mask[..., None]).sum(1)


@pytest.fixture(scope="module")
def net() -> Net:
    torch.manual_seed(0)
    return Net().train()


@pytest.fixture(scope="module")
def folder(net: Net, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    axes = {0: "batch", 1: "rows"}
    inputs = torch.randn(2, 5, 8), torch.ones(2, 5)
    graph = weights_folder.trace(net, inputs, names=("x", "mask"), outputs=("y",), dynamic={"x": axes, "mask": axes})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SUBTEXT_WEIGHTS", str(tmp_path_factory.mktemp("weights")))
        yield weights_folder.write("net", config={"kind": "tiny"}, metrics={"rows": 3}, readme="\n# net\n", graph=graph)


def test_the_folder_runs_as_the_module_does_whatever_the_batch(net: Net, folder: Path) -> None:
    session = weights.session(weights.card("net"), threads=1)
    net.eval()
    for batch, rows in ((1, 1), (2, 5), (7, 3)):
        x, mask = torch.randn(batch, rows, 8), (torch.rand(batch, rows) > 0.3).float()
        (outputs,) = session.run(["y"], {"x": x.numpy(), "mask": mask.numpy()})
        expected = net(x, mask).detach().numpy()
        np.testing.assert_allclose(outputs, expected, atol=1e-2)


def test_the_tensors_lie_in_safetensors_and_nowhere_else(net: Net, folder: Path) -> None:
    stored = load_file(folder / "model.safetensors")
    assert {value.dtype for value in stored.values()} == {np.dtype(np.float16)}
    large = [weight.numel() for weight in net.parameters() if weight.numel() >= weights_folder.MIN_SIZE]
    assert sorted(value.size for value in stored.values()) == sorted(large)
    first = net.first.weight.detach().numpy().ravel()
    first_stored = next(value for value in stored.values() if value.size == first.size)
    np.testing.assert_allclose(np.sort(first_stored.ravel()), np.sort(first), atol=1e-3)
    assert (folder / "graph.onnx").stat().st_size < 8000


def test_the_card_describes_the_folder(folder: Path) -> None:
    card = weights.card("net")
    assert set(card.sha256) == {"model.safetensors", "graph.onnx"}
    assert card.setting("kind") == "tiny"
    assert card.parameters == 8 * 32 + 32 * 3
    assert json.loads((folder / "metrics.json").read_text()) == {"rows": 3}
    assert (folder / "README.md").read_text() == "# net\n"


def test_the_graph_tells_nothing_of_the_machine_that_wrote_it(folder: Path) -> None:
    data = (folder / "graph.onnx").read_bytes()
    for path in (Path(__file__).parents[3], Path(torch.__file__).parent, Path.home()):
        assert str(path).encode() not in data
    assert b".py" not in data


def test_tensors_alone_and_further_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(tmp_path))
    (tmp_path / "table").mkdir()
    (tmp_path / "table" / "words.txt").write_text("we")
    rows = np.arange(6, dtype=np.float16).reshape(2, 3)
    config = {"sha256": {"words.txt": weights.sha256(tmp_path / "table" / "words.txt")}}
    weights_folder.write("table", config=config, metrics={}, readme="", tensors={"rows": rows.T})
    card = weights.card("table")
    assert set(card.sha256) == {"words.txt", "model.safetensors"}
    np.testing.assert_array_equal(weights.tensor(card, "rows"), rows.T)
    assert card.parameters == 6


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.head = nn.Conv2d(3, 64, 5, stride=4), nn.Linear(64, 100)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.head(self.convolution(pixels).relu().mean((2, 3)))


def test_eight_bits_are_small_and_close(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(tmp_path))
    torch.manual_seed(0)
    module, sizes = Small().eval(), {}
    pixels = torch.randn(3, 3, 32, 32)
    with torch.no_grad():
        expected = module(pixels).numpy()
    for name, bits in (("half", 16), ("eight", 8)):
        graph = weights_folder.trace(
            module, [torch.randn(2, 3, 32, 32)], names=["pixels"], outputs=["logits"], dynamic={"pixels": {0: "batch"}}
        )
        weights_folder.write(name, config={}, metrics={}, readme="x", graph=graph, bits=bits)
        [outputs] = weights.session(weights.card(name)).run(None, {"pixels": pixels.numpy()})
        assert np.abs(outputs - expected).max() < 0.02 * np.abs(expected).max(), name
        sizes[name] = (tmp_path / name / "model.safetensors").stat().st_size
    assert sizes["eight"] < 0.62 * sizes["half"]
