"""Every multitask model trains on drawn data: the loss falls, and what it writes is complete."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from models.classifiers.multitask import MultitaskModel
from models.errors import BadInput
from tests.multitask_for_tests import MEMOTION, drawn, small
from training.backbones import mini
from training.backbones import registry as backbones
from training.backbones.base import BackboneUnavailable
from training.cli import MULTITASK
from training.multitask import config, data, lit_module, model, train
from training.multitask.config import EncoderConfig, MultitaskConfig
from training.tasks import registry

if TYPE_CHECKING:
    from tests.weights_for_tests import Tiny

NAMES = MULTITASK


@pytest.mark.parametrize("name", NAMES)
def test_the_loss_falls_and_the_run_is_whole(name: str, shelf: Path, tmp_path: Path) -> None:
    settings = small(name)
    figures = train.run(settings, None, tmp_path / "run", rows=drawn(settings.data))
    evaluation = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    for curve in evaluation["curves"]:
        assert curve[-1]["loss"] < curve[0]["loss"]
    assert {"config.json", "metrics.json", "confusion.json", "predictions.npz", "README.md"} <= {
        file.name for file in (tmp_path / "run").iterdir()
    }
    measured = [row for row in figures.values() if isinstance(row, dict)]
    assert {"macro_f1", "macro_f1_low", "macro_f1_high", "macro_f1_majority"} <= set(measured[0])
    assert set(evaluation["parts"]) == {
        task.name for name_of_task in settings.tasks for task in registry.head_tasks(name_of_task)
    }
    assert "measured with" in (tmp_path / "run" / "README.md").read_text()
    _same_as_torch(name, settings, tmp_path / "run", shelf)


def _same_as_torch(name: str, settings: MultitaskConfig, run: Path, shelf: Path) -> None:
    """The shipped graph answers as the networks do, through the app's own way of feeding it."""
    made = model.build(settings, run.parent / "cache")
    rows = drawn(settings.data)[:6]
    loaded = data.load(made, None, rows=drawn(settings.data))
    import torch

    networks = []
    for number in range(settings.schedule.folds):
        network = made.network()
        network.load_state_dict(torch.load(run / f"fold{number}.pt", weights_only=True))
        networks.append(lit_module.predict(network, loaded.prepared, np.arange(6)))
    trained = MultitaskModel.load(name, mini.shipped())
    images = [Image.open(io.BytesIO(row.image or b"")).convert("RGB") for row in rows]
    logits = trained.logits(images, [row.text or "" for row in rows])
    assert np.allclose(logits, np.stack(networks), atol=0.05)  # weights are shipped in float16
    answers = trained.answers(logits)
    assert [len(answer) for answer in answers] == [sum(len(head.targets) for head in trained.heads)] * 6


def test_ablations_take_away_what_they_say(shelf: Path, tmp_path: Path) -> None:
    settings = small("mental_health_target")
    assert set(settings.ablations) == {
        "without experts", "without cross-attention", "without contrastive loss", "without the picture", "without the words"
    }  # fmt: skip
    assert settings.ablated("without the picture").image is None
    assert settings.ablated("without experts").fusion.options["experts"] == 0
    assert settings.ablated("without cross-attention").fusion.options["cross_attention"] is False
    assert settings.ablated("without contrastive loss").schedule.align_weight == 0
    for name in settings.ablations:
        ablated = settings.ablated(name)
        ablated = replace(ablated, schedule=replace(ablated.schedule, epochs=1))
        figures = train.run(
            ablated, None, tmp_path / ablated.name, train.RunOptions(ship=False), rows=drawn(settings.data)
        )
        assert any("macro_f1" in row for row in figures.values() if isinstance(row, dict))
        assert not (shelf / ablated.name).exists()  # figures only: ablations are not shipped


def test_training_resumes_and_repeats(shelf: Path, tmp_path: Path) -> None:
    settings, rows = small("memotion_gmu"), drawn("memotion")
    first = train.run(settings, None, tmp_path / "one", rows=rows)
    again = train.run(settings, None, tmp_path / "two", rows=rows)
    resumed = train.run(settings, None, tmp_path / "one", train.RunOptions(resume=True), rows=rows)
    for figures in (again, resumed):
        assert {k: v for k, v in figures.items() if k != "seconds"} == {
            k: v for k, v in first.items() if k != "seconds"
        }


def test_labels_outside_the_set_leave_the_rest(shelf: Path, tmp_path: Path) -> None:
    rows = drawn("axiom")
    rows[3] = replace(rows[3], label="Hunger")
    train.run(small("mental_health_axiom"), None, tmp_path / "run", rows=rows)
    problems = json.loads((tmp_path / "run" / "evaluation.json").read_text())["problems"]
    assert len(problems) == 1
    assert problems[0].startswith("axiom, train: Row 3: 'hunger' is no answer to anxiety")


def test_a_label_that_several_tasks_ask_for_is_told_once() -> None:
    rows = drawn("memotion")
    rows[3] = replace(rows[3], details={**rows[3].details, "humour": "rofl"})
    problems = data.read_rows(small("memotion_gmu"), None, rows=rows).problems  # types and the intensity of humour
    assert len(problems) == 1
    assert problems[0].startswith(f"memotion, train: Row {rows[3].id}: 'rofl' is no answer to humour")


def test_a_missing_column_is_told_before_anything_is_trained(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [row for row in drawn("memotion") if row.image]
    columns: dict[str, list[Any]] = {"image": [row.image for row in rows], "text": [row.text for row in rows]}
    columns |= {name: [row.details[name] for row in rows] for name in MEMOTION if name != "sarcasm"}
    columns["overall_sentiment"] = [row.label for row in rows]
    for part in ("train", "validation"):
        pq.write_table(pa.table(columns), tmp_path / f"memotion.{part}.parquet")
    monkeypatch.setattr(train, "train", lambda *_: pytest.fail("training began"))
    with pytest.raises(
        BadInput, match=r"memotion\.train\.parquet has no column 'sarcasm', which memotion needs: it has"
    ):
        train.run(small("memotion_gmu"), str(tmp_path), tmp_path / "run")


def test_an_aspect_that_no_row_answers_leaves_the_others(shelf: Path, tmp_path: Path) -> None:
    rows = [replace(row, details={**row.details, "sarcasm": None}) for row in drawn("memotion")]
    figures = train.run(small("memotion_gmu"), None, tmp_path / "run", rows=rows)
    row_counts = {name.split(",")[0]: metrics["rows"] for name, metrics in figures.items() if isinstance(metrics, dict)}
    assert (row_counts["memotion-sentiment"], row_counts["memotion-humour"], row_counts["memotion-sarcasm"]) == (
        len(rows),
        len(rows),
        0,
    )
    assert MultitaskModel.load("memotion_gmu", mini.shipped()).heads


HEAD = 'tasks = ["stress"]\ndata = "x"\ntitle = ""\nsummary = ""\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD, "neither .image. nor .text."),
        ('[text]\nencoder = "mini"\n[schedule]\nepoch = 3\n', "no setting 'epoch'. Did you mean 'epochs'"),
        (HEAD + '[text]\nencoder = "mini"\n[linear_branch]\nalhpa = 3\n', "no setting 'alhpa'. Did you mean 'alpha'"),
        ('[text]\nencodr = "mini"\n', "no setting 'encodr'. Did you mean 'encoder'"),
        ("tasks = [\n", "is not TOML"),
    ],
)
def test_a_wrong_settings_is_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(BadInput, match=message):
        config.load("mine", folder=tmp_path)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("minni", "Did you mean 'mini'"),
        ("hf:", "named like"),
        ("bilstm:x", "named like"),
        ("timm:no_such_net", "timm has no model"),
        ("hf:no/such/id", "names neither a model of the hub, which is written like hf:ORGANISATION/NAME, nor a local"),
        ("hf:roberta base!", "names neither a model of the hub"),
        ("open_clip:ViT-B-23", "open_clip has no tower 'ViT-B-23'. Did you mean 'ViT-B-"),
    ],
)
def test_an_unknown_encoder_is_one_sentence(spec: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=message):
        backbones.build("image" if spec.startswith("timm") else "text", EncoderConfig(spec), tmp_path)


def test_weights_that_open_clip_does_not_know_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no weights 'opnai' for ViT-B-32.*Did you mean 'openai'"):
        backbones.build("image", EncoderConfig("open_clip:ViT-B-32", options={"weights": "opnai"}), tmp_path)


GATED = "You are trying to access a gated repo.\nMake sure to have access to it at https://huggingface.co/mental/x."


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Hubs that give nothing out, and what they were asked for."""
    import timm
    import torchvision.models
    import transformers

    names: list[str] = []

    def refuse(name: str, *_: object, **__: object) -> None:
        names.append(name)
        raise OSError(GATED)

    monkeypatch.setattr(backbones, "unavailable", {})
    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", refuse)
    monkeypatch.setattr(torchvision.models, "get_model", refuse)
    monkeypatch.setattr(timm, "create_model", refuse)
    return names


@pytest.mark.parametrize("spec", ["hf:roberta-base", "torchvision:resnet50", "timm:resnet18"])
def test_an_encoder_that_cannot_be_had_says_why_and_the_way_out(spec: str, refused: list[str], tmp_path: Path) -> None:
    with pytest.raises(
        BackboneUnavailable, match=r"\(OSError: You are trying to access a gated repo\.\).*fallback"
    ) as error:
        backbones.build("text" if spec.startswith("hf") else "image", EncoderConfig(spec), tmp_path)
    assert "Make sure" not in str(error.value)


@pytest.mark.parametrize("spec", ["hf:roberta-base", "torchvision:resnet50", "timm:resnet18"])
def test_an_encoder_that_cannot_be_had_is_asked_for_once(spec: str, refused: list[str], tmp_path: Path) -> None:
    messages = []
    for options in ({}, {}, {"pretrained": True}, {}):
        with pytest.raises(BackboneUnavailable) as error:
            backbones.build(
                "text" if spec.startswith("hf") else "image", EncoderConfig(spec, options=options), tmp_path
            )
        messages.append(str(error.value))
    assert refused == [spec.partition(":")[2]] * 2  # with other options it may be there
    assert len(set(messages)) == 1


def test_a_setting_that_the_tower_does_not_have_is_no_reason_for_the_fallback(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"cannot be built with these options.*wdth"):
        backbones.build("image", EncoderConfig("timm:resnet18", options={"pretrained": True, "wdth": 3}), tmp_path)


def test_what_is_measured_is_said_before_training(
    tiny: Tiny, refused: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(tiny.root))
    mini.shipped.cache_clear()
    made = model.build(config.load("memotion_roberta"), tmp_path)
    why, what = capsys.readouterr().out.splitlines()
    assert why.startswith("hf:roberta-base cannot be fetched (OSError: You are trying to access a gated repo.)")
    assert what == f"Words are measured with {made.measured_with['text']}."
    assert "mini in its place" in what
    model.build(config.load("memotion_cross_attention"), tmp_path)
    said = capsys.readouterr().out.splitlines()
    mini.shipped.cache_clear()
    assert said == ["Pictures are measured with mini.", "Words are measured with mini."]
    typo = MultitaskConfig(
        "mine", "t", "s", "dreaddit", ("stress",), text=EncoderConfig("hf:no/such/id", fallback=EncoderConfig("mini"))
    )
    monkeypatch.undo()
    with pytest.raises(BadInput, match="names neither"):
        model.build(typo, tmp_path)
