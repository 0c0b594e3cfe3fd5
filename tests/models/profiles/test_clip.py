"""The clip profile from end to end, on tiny models in the hub's format; its GPU is a fake that runs out of memory."""

from __future__ import annotations

import gc
import json
import shutil
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from models.analysis import Analysis, Caption, Meme
from models.analyzer import CPU_FALLBACK, Analyzer
from models.emotions.expressions import LABELS as EXPRESSIONS
from models.emotions.pretrained import RobertaEmotions, VitExpressions
from models.encoders.clip import ClipEncoder, ClipSource
from models.errors import BadInput, BadWeights, PartUnavailable
from models.legacy_checkpoint.convert import checkpoint_path
from models.profiles import registry
from models.runtime import device
from models.runtime.device import Device, Placed
from tests import models_for_tests
from tests.weights_for_tests import SHIPPED

CPU = Device("cpu", "float32")
FACES = SHIPPED.parent / "assets" / "gallery" / "went_first.webp"


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained head's folder, exported once."""
    shelf = tmp_path_factory.mktemp("weights")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SUBTEXT_WEIGHTS", str(shelf))
        encoder = ClipEncoder(ClipSource(f"local-dir:{models_for_tests.shared() / 'org' / 'clip'}"))
        return models_for_tests.write_head(
            encoder.identity, image_width=encoder.image_width, text_width=encoder.text_width
        )


@pytest.fixture
def full(head: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """weights/ with a trained head, and the three models where SUBTEXT_MODELS names them; no hub to ask."""
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("SUBTEXT_MODELS", str(models_for_tests.shared()))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(device, "cpu_dtype", lambda: "float32")
    (tmp_path / "face_detector").symlink_to(SHIPPED / "face_detector")
    shutil.copytree(head, tmp_path / registry.HEAD)
    return tmp_path


def meme(words: str = "when the tests pass", picture: bool = True) -> Meme:
    image = Image.open(FACES).convert("RGB") if picture else None
    return Meme(image, Caption(words, "override") if words else Caption())


def test_everything_comes_out_and_survives_the_json(full: Path) -> None:
    analyzer = Analyzer("clip", threads=1)
    analysis = analyzer.analyze(meme())
    assert analysis.profile.name == "clip"
    assert [stage.status for stage in analysis.stages] == ["ok"] * len(analysis.stages)
    assert len(analysis.emotions.text.scores) == 28
    assert {expression.label for expression in analysis.emotions.faces.faces[0].expressions} == set(EXPRESSIONS)
    assert len(analysis.attention.regions) == 7
    assert [word.text for word in analysis.attention.words] == ["when", "the", "tests", "pass"]
    assert len(analysis.evidence.regions) == 16
    assert analysis.harm is None
    assert "probability" in analysis.explanation.text
    assert Analysis.from_dict(json.loads(json.dumps(analysis.to_dict()))) == analysis
    assert registry.identities(registry.PROFILES["clip"]).items() <= analysis.profile.weights.items()
    assert analysis.profile.weights.keys() >= {registry.HEAD, "SamLowe/roberta-base-go_emotions", "face_detector"}
    assert analysis.profile.parameters > 3_000_000


@pytest.mark.parametrize(("words", "picture"), [("only words", False), ("", True)])
def test_a_missing_side_is_said(full: Path, words: str, picture: bool) -> None:
    analysis = Analyzer("clip", threads=1).analyze(meme(words, picture))
    assert analysis.emotions.text.status == ("ok" if words else "no_text")
    assert analysis.emotions.faces.status == ("ok" if picture else "no_image")
    assert analysis.evidence.shapley is not None


def test_batches_score_as_single_memes_do(full: Path) -> None:
    analyzer = Analyzer("clip", threads=1)
    memes = [meme("one"), meme("", True), meme("a rather longer caption than the others", False)]
    together = [verdict.logit for verdict in analyzer.score(memes)]
    alone = [analyzer.analyze(item, explain=False).verdict.logit for item in memes]
    np.testing.assert_allclose(together, alone, atol=1e-4)
    with pytest.raises(BadInput, match="trained for hate alone"):
        analyzer.harm(memes)


def test_auto_takes_clip_where_its_models_are_here_and_mini_where_not(
    full: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert registry.select() == registry.Choice(
        registry.PROFILES["clip"], "There is a trained head in weights/, and its models are here."
    )
    monkeypatch.setenv("SUBTEXT_MODELS", str(tmp_path / "empty"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    chosen = registry.select()
    assert chosen.profile.name == "mini"
    assert "roberta-base-go_emotions is not on this machine and the hub cannot be reached" in chosen.why


def test_a_damaged_head_is_said_and_mini_is_taken(full: Path) -> None:
    (full / registry.HEAD / "config.json").write_text('{"encoder": ')
    chosen = registry.select()
    assert chosen.profile.name == "mini"
    assert "config.json is damaged: train it again" in chosen.why


def test_without_emotion_models_there_is_still_a_verdict(
    full: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUBTEXT_MODELS", str(tmp_path / "empty"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    analysis = Analyzer("clip", threads=1).analyze(meme())
    assert analysis.verdict.probability > 0
    assert analysis.emotions.text.status == analysis.emotions.faces.status == "failed"
    assert "SUBTEXT_MODELS" in analysis.emotions.text.detail


def test_no_head_and_other_weights_are_said(full: Path) -> None:
    card = full / registry.HEAD / "config.json"
    settings = json.loads(card.read_text())
    settings["encoder"]["weights"] = "0" * 64
    card.write_text(json.dumps(settings))
    with pytest.raises(BadWeights, match="trained on other weights"):
        Analyzer("clip")
    card.unlink()
    with pytest.raises(PartUnavailable, match=r"no trained head yet: train one .* import-checkpoint"):
        Analyzer("clip")


def test_roberta_answers_as_transformers_does(full: Path) -> None:
    from transformers import pipeline

    texts = ["i hate mondays", "", "a" * 500, "so happy!"]
    emotions = RobertaEmotions(CPU).classify(texts)
    assert [item.status for item in emotions] == ["ok", "no_text", "ok", "ok"]
    folder = str(models_for_tests.shared() / "SamLowe" / "roberta-base-go_emotions")
    reference = pipeline("text-classification", folder, top_k=None, function_to_apply="sigmoid", device="cpu")
    for at in (0, 3):
        expected = {item["label"]: item["score"] for item in reference([texts[at]])[0]}
        assert {item.label: item.probability for item in emotions[at].scores} == pytest.approx(expected, abs=1e-5)
    assert all(item.present == (item.probability >= 0.5) for item in emotions[0].scores)


def test_the_vit_answers_as_transformers_does(full: Path) -> None:
    from transformers import pipeline

    faces = [Image.open(FACES).convert("L").crop((at, at, at + 90, at + 90)) for at in range(0, 100, 10)]
    predictions = VitExpressions(CPU).predict(faces)
    reference = pipeline(
        "image-classification", str(models_for_tests.shared() / "trpakov" / "vit-face-expression"), device="cpu"
    )
    for face, mine in zip(faces, predictions, strict=True):
        expected = {item["label"]: item["score"] for item in reference(face.convert("RGB"), top_k=7)}
        assert {item.label: item.probability for item in mine} == pytest.approx(expected, abs=1e-5)
        assert sum(item.probability for item in mine) == pytest.approx(1)


def test_a_model_that_lacks_tensors_is_not_filled_with_random_ones(
    full: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import load_file, save_file

    folder = models_for_tests.write_roberta(tmp_path / "models" / "SamLowe" / "roberta-base-go_emotions")
    state = load_file(folder / "model.safetensors")
    del state["classifier.dense.weight"]
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    monkeypatch.setenv("SUBTEXT_MODELS", str(tmp_path / "models"))
    with pytest.raises(BadWeights, match=r"lacks 1 tensors .* classifier\.dense\.weight"):
        RobertaEmotions(CPU)
    (folder / "model.safetensors").write_bytes(b"cut")
    with pytest.raises(BadWeights, match="does not hold SamLowe"):
        RobertaEmotions(CPU)


class FullGpu(torch.nn.Module):
    """A layer on a pretended GPU, whose memory is full whenever it is there."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(2, 2)
        self.at = "cpu"
        self.calls = 0

    def to(self, place: str, dtype: torch.dtype) -> FullGpu:  # type: ignore[override]
        self.at = place
        return self

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        if self.at == "cuda":
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
        return self.layer(given)


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tensors that are sent to the GPU stay where they are."""
    real = torch.Tensor.to
    monkeypatch.setattr(
        torch.Tensor, "to", lambda self, *given, **named: self if given == ("cuda",) else real(self, *given, **named)
    )


def test_a_full_gpu_gives_way_to_the_cpu_and_nothing_is_lost(pretended: None, caplog: pytest.LogCaptureFixture) -> None:
    placed = Placed(FullGpu(), Device("cuda", "float16"))
    given = torch.ones(1, 2)
    output = placed.run(lambda module, put: module(put(given)))
    assert torch.equal(output, placed.module.layer(given))
    assert (placed.module.at, placed.device, placed.fell_back, placed.module.calls) == ("cpu", CPU, True, 2)
    assert "memory of cuda is full" in caplog.text
    placed.run(lambda module, put: module(put(given)))
    assert placed.module.calls == 3


def test_many_threads_meet_a_full_gpu_and_all_get_their_answer(pretended: None) -> None:
    placed = Placed(FullGpu(), Device("cuda", "float16"))
    outputs: list[torch.Tensor] = []
    threads = [
        threading.Thread(target=lambda: outputs.append(placed.run(lambda module, put: module(put(torch.ones(1, 2))))))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outputs) == 8


def test_other_errors_are_not_taken_for_a_full_gpu(pretended: None) -> None:
    placed = Placed(FullGpu(), Device("cuda", "float16"))
    with pytest.raises(RuntimeError, match="something else"):
        placed.run(lambda module, put: (_ for _ in ()).throw(RuntimeError("something else")))
    assert not placed.fell_back


def test_the_page_hears_that_the_gpu_was_left(full: Path) -> None:
    analyzer = Analyzer("clip", threads=1)
    assert CPU_FALLBACK not in analyzer.analyze(meme()).explanation.cautions
    analyzer._models.placed[0].fell_back = True
    assert CPU_FALLBACK in analyzer.analyze(meme()).explanation.cautions
    assert analyzer.info.device == "cpu"


@pytest.mark.parametrize(
    ("cuda", "mps", "named", "expected"),
    [
        (True, False, "auto", ("cuda", "float16")),
        (False, True, "auto", ("mps", "float32")),
        (False, False, "auto", ("cpu", "bfloat16")),
        (True, False, "cpu", ("cpu", "bfloat16")),
    ],
)
def test_the_device_and_its_precision(
    monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool, named: str, expected: tuple[str, str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    monkeypatch.setattr(device, "cpu_dtype", lambda: "bfloat16")
    assert device.choose(named) == Device(*expected)


def test_a_device_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BadInput, match="no cuda device on this machine"):
        device.choose("cuda")
    with pytest.raises(BadInput, match="choose one of auto, cuda"):
        device.choose("tpu")


@pytest.mark.parametrize(
    ("capabilities", "dtype"),
    [
        ({"avx512_bf16": True}, "bfloat16"),
        ({"amx_bf16": True, "avx2": True}, "bfloat16"),
        ({"avx512_f": True}, "float32"),
    ],
)
def test_bfloat16_where_the_cpu_has_instructions_for_it(
    monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, bool], dtype: str
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert device.cpu_dtype() == dtype


def test_bfloat16_gives_nearly_the_same_verdict(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exact = Analyzer("clip", threads=1).analyze(meme(), explain=False)
    monkeypatch.setattr(device, "cpu_dtype", lambda: "bfloat16")
    rounded = Analyzer("clip", threads=1).analyze(meme(), explain=False)
    assert rounded.profile.dtype == "bfloat16"
    assert rounded.verdict.probability == pytest.approx(exact.verdict.probability, abs=0.05)


def test_a_closed_analyzer_lets_its_models_go_and_says_so(full: Path) -> None:
    analyzer = Analyzer("clip", threads=1)
    module = weakref.ref(analyzer._models.placed[0].module)
    analyzer.close()
    gc.collect()
    assert module() is None
    with pytest.raises(PartUnavailable, match="Another profile was chosen"):
        analyzer.score([meme()])
    assert analyzer.info.name == "clip"


def test_closing_waits_for_whoever_is_inside(full: Path) -> None:
    analyzer = Analyzer("clip", threads=1)
    inside, go_on = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        inside.set()
        go_on.wait(30)

    analyses: list[Analysis] = []
    busy = threading.Thread(target=lambda: analyses.append(analyzer.analyze(meme(), explain=False, on_stage=hold)))
    busy.start()
    inside.wait(30)
    closing = threading.Thread(target=analyzer.close)
    closing.start()
    closing.join(0.2)
    assert closing.is_alive()
    go_on.set()
    busy.join(60)
    closing.join(60)
    assert len(analyses) == 1


def test_the_earlier_checkpoint_is_used_where_it_was_dropped(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.models.legacy_checkpoint.test_convert import built

    (full / registry.HEAD / "config.json").unlink()
    torch.save(built().state_dict(), checkpoint_path())
    assert registry.select().profile.name == "clip"
    analysis = Analyzer("clip", threads=1).analyze(meme())
    assert analysis.attention.status == "off"
    assert "1.0 by construction" in analysis.attention.detail
    assert analysis.evidence.gradient is not None
    assert len(analysis.evidence.gradient.regions) == 7
    assert len(analysis.evidence.regions) == 16
    assert analysis.evidence.shapley is not None
    assert analysis.evidence.shapley.text == pytest.approx(0, abs=1e-5)
    assert "the picture alone" in analysis.explanation.cautions[0]
    assert Analysis.from_dict(json.loads(json.dumps(analysis.to_dict()))) == analysis
    with pytest.raises(BadInput, match="judges pictures only"):
        Analyzer("clip", threads=1).analyze(meme("only words", picture=False))
