"""The earlier system's checkpoint: imported, and compared with a rebuild that shares no code with the importer."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPVisionConfig, CLIPVisionModel

from models import weights
from models.__main__ import main
from models.analysis import Caption, Meme
from models.classifiers.hate import HateClassifier
from models.errors import BadInput, BadWeights
from models.legacy_checkpoint.convert import CAUTION, LEGACY_CHECKPOINT, import_checkpoint
from models.legacy_checkpoint.model import LegacyModel, onto_picture
from models.profiles import registry
from models.runtime.device import Device

TINY = (
    {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 1, "image_size": 224},
    {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 1},
    64,
)
FULL = (
    {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12},
    {"hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 12, "num_attention_heads": 8},
    512,
)


class AsDescribed(nn.Module):
    """From the description: pooled CLIP towers, projected; the text is the query, the picture key and value."""

    def __init__(self, vision: dict, text: dict, width: int) -> None:
        super().__init__()
        self.vision_model = CLIPVisionModel(CLIPVisionConfig(**({"patch_size": 32, "image_size": 224} | vision)))
        self.text_model = CLIPTextModel(CLIPTextConfig(**text))
        self.vision_projection = nn.Linear(vision["hidden_size"], width)
        self.text_projection = nn.Linear(text["hidden_size"], width)
        self.cross_attention = nn.MultiheadAttention(embed_dim=width, num_heads=8, batch_first=True)
        self.classifier = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Dropout(0.5), nn.Linear(width, 1))

    def forward(
        self, pixel_values: torch.Tensor, input_ids: torch.Tensor, attention_mask: torch.Tensor
    ) -> torch.Tensor:
        picture = self.vision_projection(self.vision_model(pixel_values).pooler_output).unsqueeze(1)
        words = self.text_projection(self.text_model(input_ids, attention_mask).pooler_output).unsqueeze(1)
        attended, share = self.cross_attention(query=words, key=picture, value=picture)
        assert torch.allclose(share, torch.ones_like(share))
        return self.classifier(attended.squeeze(1)).squeeze(1)


def built(size: tuple = TINY) -> AsDescribed:
    torch.manual_seed(11)
    model = AsDescribed(*size).eval()
    with torch.no_grad():  # so that pictures differ in their logits
        model.vision_projection.weight.mul_(4)
        model.classifier[0].weight.mul_(4)
        model.classifier[3].weight.mul_(8)
    return model


def as_the_processor_feeds(pictures: list[Image.Image], captions: list[str]) -> dict[str, torch.Tensor]:
    """CLIPProcessor's own steps: image processor of transformers, text padded and cut at 77 by open_clip's tokenizer."""
    import open_clip
    from transformers import CLIPImageProcessor

    ids = open_clip.tokenize(captions)
    ends = ids.argmax(1)
    mask = torch.arange(77)[None] <= ends[:, None]
    ids[~mask] = 49407  # CLIP's tokenizer in transformers pads with the mark of the end
    pixels = CLIPImageProcessor()(images=pictures, return_tensors="pt")["pixel_values"]
    return {"pixel_values": pixels, "input_ids": ids, "attention_mask": mask.long()}


def pictures() -> list[Image.Image]:
    rng = np.random.default_rng(3)
    sizes = [(224, 224), (320, 240), (200, 333), (640, 480)]
    rough = [rng.integers(0, 255, (9, 9, 3), dtype=np.uint8) for _ in sizes]
    return [
        Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)
        for pixels, size in zip(rough, sizes, strict=True)
    ]


CAPTIONS = ["i hate mondays", "", "a much longer caption, with punctuation! and UPPER case", "word " * 200]


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(tmp_path / "weights"))
    (tmp_path / "weights").mkdir()
    return tmp_path


def saved(state: object, path: Path) -> Path:
    torch.save(state, path)
    return path


def classifier(folder: Path) -> HateClassifier:
    card = weights.card(folder.name)
    model = LegacyModel(card, Device("cpu", "float32"))
    return HateClassifier(model, model, card)


@torch.inference_mode()
def test_imported_logits_are_those_of_the_system_as_described(shelf: Path) -> None:
    model = built()
    folder = import_checkpoint(saved(model.state_dict(), shelf / "best_hateful_meme_model.pth"))
    expected = model(**as_the_processor_feeds(pictures(), CAPTIONS)).numpy()
    scored = classifier(folder).score(pictures(), CAPTIONS)
    np.testing.assert_allclose(scored.hate, expected, atol=2e-3)
    assert np.ptp(expected) > 0.1
    assert scored.harm is None


@pytest.mark.slow
@torch.inference_mode()
def test_full_size_towers_agree_too(shelf: Path) -> None:
    model = built(FULL)
    folder = import_checkpoint(saved(model.state_dict(), shelf / "best_hateful_meme_model.pth"))
    expected = model(**as_the_processor_feeds(pictures(), CAPTIONS)).numpy()
    np.testing.assert_allclose(classifier(folder).score(pictures(), CAPTIONS).hate, expected, atol=5e-3)


def test_whatever_the_words_say_the_logit_stays(shelf: Path) -> None:
    folder = import_checkpoint(saved(built().state_dict(), shelf / "any.pth"))
    scored = classifier(folder).score([pictures()[1]] * 4, CAPTIONS)
    assert np.ptp(scored.hate) == pytest.approx(0, abs=1e-5)
    assert CAUTION in classifier(folder).cautions


def version_4(name: str) -> str:
    tower = name.split(".", maxsplit=1)[0]
    return f"{tower}.{name}" if tower in ("vision_model", "text_model") else name


@pytest.mark.parametrize("rename", [version_4, lambda name: f"module.{name}", lambda name: f"module.{version_4(name)}"])
@pytest.mark.parametrize("wrap", [lambda state: state, lambda state: {"epoch": 3, "model_state_dict": state}])
def test_names_of_other_versions_mean_the_same(
    shelf: Path, rename: Callable[[str], str], wrap: Callable[[dict], dict]
) -> None:
    from safetensors.numpy import load_file

    state = built().state_dict()
    plain = load_file(import_checkpoint(saved(state, shelf / "plain.pth")) / "model.safetensors")
    renamed = {rename(name): value for name, value in state.items()}
    renamed[rename("text_model.embeddings.position_ids")] = torch.arange(77)[None]  # which version 4 stored
    other = load_file(import_checkpoint(saved(wrap(renamed), shelf / "other.pth")) / "model.safetensors")
    assert plain.keys() == other.keys()
    assert all(np.array_equal(plain[name], other[name]) for name in plain)


class Runs:
    """What a malicious pickle does: it names a function to be called."""

    def __reduce__(self) -> tuple:
        return os.mkdir, ("pickle-was-run",)


@pytest.mark.parametrize(
    ("spoil", "kind", "said"),
    [
        (
            lambda s: {k: v for k, v in s.items() if k != "classifier.0.bias"},
            BadWeights,
            r"1 missing \(classifier\.0\.bias\)",
        ),
        (lambda s: s | {"extra.weight": torch.zeros(2)}, BadWeights, r"1 extra \(extra\.weight\)"),
        (lambda s: s | {"classifier.0.bias": torch.zeros(3)}, BadWeights, r"The shape of classifier\.0\.bias"),
        (
            lambda s: {k: v for k, v in s.items() if "text" not in k},
            BadWeights,
            "is not the earlier system's checkpoint",
        ),
        (lambda s: {"fc.weight": torch.zeros(3)}, BadWeights, "is not the earlier system's checkpoint"),
        (lambda s: [1, 2], BadInput, "holds no state dict"),
        (lambda s: s | {"run": Runs()}, BadInput, "would not be safe: save the state dict alone"),
    ],
)
def test_what_does_not_fit_is_said_and_nothing_is_written(
    shelf: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[dict], object], kind: type, said: str
) -> None:
    monkeypatch.chdir(shelf)
    with pytest.raises(kind, match=said):
        import_checkpoint(saved(spoil(built().state_dict()), shelf / "spoilt.pth"))
    assert not (shelf / "pickle-was-run").exists()
    assert not (weights.root() / LEGACY_CHECKPOINT).exists()


def test_a_plain_pickle_that_holds_code_is_not_run(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shelf)
    (shelf / "evil.pth").write_bytes(pickle.dumps(Runs(), protocol=2))
    with pytest.raises(BadInput, match="would not be safe"):
        import_checkpoint(shelf / "evil.pth")
    assert not (shelf / "pickle-was-run").exists()


@pytest.mark.parametrize("data", [b"", b"not a checkpoint at all", None])
def test_a_damaged_file_is_said(shelf: Path, data: bytes | None) -> None:
    path = shelf / "damaged.pth"
    if data is None:
        saved(built().state_dict(), path)
        data = path.read_bytes()[: path.stat().st_size // 2]
    path.write_bytes(data)
    with pytest.raises(BadInput, match=r"damaged\.pth"):
        import_checkpoint(path)


def test_the_command_says_what_it_did(shelf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(built().state_dict(), shelf / "mine.pth")
    assert main(["import-checkpoint", str(path)]) == 0
    assert "--profile clip" in capsys.readouterr().out
    assert registry.head() == LEGACY_CHECKPOINT
    card = json.loads((weights.root() / LEGACY_CHECKPOINT / "config.json").read_text())
    assert card["source"] == {"file": "mine.pth", "sha256": weights.sha256(path)}
    assert main(["import-checkpoint", str(shelf / "none.pth")]) == 2
    assert "There is no file" in capsys.readouterr().err


def test_the_gradient_is_that_of_the_logit_and_no_word_has_any(shelf: Path) -> None:
    folder = import_checkpoint(saved(built().state_dict(), shelf / "any.pth"))
    model = classifier(folder).encoder
    assert isinstance(model, LegacyModel)
    picture = pictures()[0]
    gradient = model.gradient(Meme(picture, Caption("two words", "override")))
    assert [word.effect for word in gradient.words] == [0.0, 0.0]
    # Along the line from the mean colour the gradient is what the logit changes by.
    pixels, step = model.prepare(picture)[None], 1e-2
    logits = []
    for scale in (1 - step, 1 + step):
        image_state = model._image_tokens(scale * pixels)[1]
        text_state = model.encode_texts(["two words"]).pooled
        network = model.placed.module
        logits.append(float(network.classify(torch.from_numpy(image_state), torch.from_numpy(text_state))))
    slope = (logits[1] - logits[0]) / (2 * step)
    assert sum(map(sum, gradient.regions)) == pytest.approx(slope, rel=0.05, abs=1e-3)
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_cells_of_the_centre_lie_in_the_centre_of_the_picture() -> None:
    cells = np.zeros((7, 7))
    cells[0, 0], cells[3, 3] = 1.0, 5.0
    wide = np.array(onto_picture(cells, (1400, 700)))
    assert wide.sum() == pytest.approx(6)
    assert wide[:, :1].sum() == 0
    assert wide[3, 3] == pytest.approx(5)
    assert wide[0, 1:3].sum() == pytest.approx(1)
    np.testing.assert_allclose(onto_picture(cells, (300, 300)), cells)
