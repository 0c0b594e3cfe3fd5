"""`evaluate` for the tasks of multitask models: from a file to metrics, and training rows recognised."""

from __future__ import annotations

import io
import json
import shutil
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from models import evaluation_files
from models.errors import BadInput, BadWeights
from training.evaluation import run as evaluating
from training.tasks import hate, registry

ROWS = 24


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    from tests import systems_for_tests

    names = ("memotion_gmu", "mental_health_target", "mental_health_stress", "mental_health_restore")
    folder = systems_for_tests.weights_with(tmp_path_factory.mktemp("tasks"), names)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SUBTEXT_WEIGHTS", str(folder))
        yield folder


def columns() -> dict[str, list[Any]]:
    buffer = io.BytesIO()
    Image.new("RGB", (20, 20), (90, 40, 40)).save(buffer, "PNG")
    kinds = np.arange(ROWS) % 3
    return {
        "image_name": [f"{number}.png" for number in range(ROWS)],
        "image": [buffer.getvalue()] * ROWS,
        "text": [f"we love the people {number}" for number in range(ROWS)],
        "humour": [("not_funny", "funny", "hilarious")[kind] for kind in kinds],
        "sarcasm": [("not_sarcastic", "general", "very_twisted")[kind] for kind in kinds],
        "offensive": [("not_offensive", "slight", "slight")[kind] for kind in kinds],
        "motivational": [("not_motivational", "motivational", "motivational")[kind] for kind in kinds],
        "overall_sentiment": [("very_negative", "neutral", "positive")[kind] for kind in kinds],
    }


def run(
    task: str, tmp_path: Path, table: dict[str, list[Any]] | None = None, name: str = "rows.parquet", **options: Any
) -> tuple[dict, dict]:
    pq.write_table(pa.table(table or columns()), tmp_path / name)
    return evaluate_file(task, tmp_path, name, **options)


def evaluate_file(task: str, tmp_path: Path, name: str, **options: Any) -> tuple[dict, dict]:
    """The report and the predictions of a file that is there."""
    args = Namespace(
        task=task, data=str(tmp_path / name), json=str(tmp_path / "out.json"),
        predictions=str(tmp_path / "out.parquet"),
        **{"modality": None, "captions": "given", "limit": None, "model": None, "save_predictions": False, "profile": "mini"}
        | options,
    )  # fmt: skip
    evaluating.evaluate(args)
    report = json.loads((tmp_path / "out.json").read_text())
    predictions = tmp_path / "out.parquet"
    return report, pq.read_table(predictions).to_pydict() if predictions.is_file() else {}


@pytest.mark.parametrize("task", ["memotion-sentiment", "memotion-types", "memotion-intensity", "memotion-polarity"])
def test_figures_are_flat_with_intervals_and_baselines(task: str, shelf: Path, tmp_path: Path) -> None:
    report, predictions = run(task, tmp_path)
    figures = report["metrics"]
    assert {"macro_f1", "macro_f1_low", "macro_f1_high", "macro_f1_majority", "accuracy"} <= set(figures)
    assert all(isinstance(value, float) for value in figures.values())
    assert report["system"] == "memotion_gmu"
    assert report["labelled"] == (16 if task == "memotion-polarity" else ROWS)
    assert {len(values) for values in predictions.values()} == {ROWS}


def test_each_language_is_measured_by_itself(shelf: Path, tmp_path: Path) -> None:
    report, _ = run("memotion-types", tmp_path)
    table = pq.read_table(tmp_path / "rows.parquet")
    languages = pa.array(["de" if number % 2 else None for number in range(len(table))])
    pq.write_table(table.append_column("language", languages), tmp_path / "with.parquet")
    by_language, _ = evaluate_file("memotion-types", tmp_path, "with.parquet")
    metrics = by_language["metrics"]
    assert {name: metrics[name] for name in report["metrics"]} == report["metrics"]
    assert {"macro_f1_de", "macro_f1_de_low", "macro_f1_humour_de", "macro_f1_humour_de_majority"} <= set(metrics)
    assert by_language["languages"] == {"de": len(table) // 2}


def test_the_mean_over_the_labels(shelf: Path, tmp_path: Path) -> None:
    from sklearn.metrics import f1_score

    report, predictions = run("memotion-types", tmp_path)
    every = [
        f1_score(predictions[f"{name}_target"], predictions[f"{name}_label"], average="macro", zero_division=0)
        for name in ("humour", "sarcasm", "offence", "motivation")
    ]
    assert report["metrics"]["macro_f1"] == pytest.approx(np.mean(every))
    assert report["metrics"]["macro_f1_humour"] == pytest.approx(every[0])


def test_half_of_a_meme_and_an_unreadable_picture(
    shelf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = columns()
    table["image"][0] = b"broken"
    report, whole = run("memotion-sentiment", tmp_path, table)
    assert report["unreadable_pictures"] == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["Row 0.png"]
    _, words = run("memotion-sentiment", tmp_path, table, modality="text")
    assert words["probability"][0] == pytest.approx(whole["probability"][0])  # it had its words alone in both
    assert words["probability"] != whole["probability"]


def test_the_first_unreadable_pictures_are_named_and_the_others_counted(
    shelf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = columns()
    for number in range(10, 17):
        table["image"][number] = b"broken"
    report, _ = run("memotion-sentiment", tmp_path, table)
    assert report["unreadable_pictures"] == 7
    *named, rest = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in named] == [f"Row {number}.png" for number in range(10, 15)]
    assert rest == "... and 2 more pictures that cannot be read."


def test_rows_that_were_learned_from_are_answered_out_of_fold(shelf: Path, tmp_path: Path) -> None:
    report, before = run("memotion-sentiment", tmp_path)
    assert "out_of_fold" not in report
    table = columns()
    folder = shelf / "memotion_gmu"
    was = (folder / "predictions.npz").read_bytes()
    try:
        with np.load(folder / "predictions.npz") as file:
            arrays = {name: file[name] for name in file.files}
        keys = np.array(
            [evaluation_files.row_key(text, image) for text, image in zip(table["text"], table["image"], strict=True)],
            np.uint64,
        )
        arrays["memotion-sentiment:key"] = np.concatenate([keys[:10], arrays["memotion-sentiment:key"][10:]])
        arrays["memotion-sentiment:given"][:10] = np.arange(10)[:, None] % 3
        arrays[evaluation_files.LEARNED] = keys[:14]
        np.savez(folder / "predictions.npz", **arrays)
        report, after = run("memotion-sentiment", tmp_path)
        _, half = run("memotion-sentiment", tmp_path, modality="text")
    finally:
        (folder / "predictions.npz").write_bytes(was)
    assert (report["out_of_fold"], report["learned_from"]) == (10, 4)
    assert after["probability"][:10] != before["probability"][:10]
    assert after["probability"][10:] == before["probability"][10:]
    saved = [("negative", "neutral", "positive")[number % 3] for number in range(10)]
    assert after["label"][:10] == saved  # decided by rules that did not see them, as the card's figures are
    assert after["label"][10:] == before["label"][10:]
    assert half["label"][:10] != saved  # which were of whole memes


def test_a_missing_column_is_one_sentence(shelf: Path, tmp_path: Path) -> None:
    table = columns()
    del table["sarcasm"]
    with pytest.raises(BadInput, match="no column 'sarcasm', which memotion-types needs"):
        run("memotion-types", tmp_path, table)


def owners_files(root: Path) -> dict[str, str]:
    """A file of three rows as its owners give it out for some of the tasks, the last row without its picture."""
    (root / "images").mkdir()
    names = ["1.png", "2.png", "3.png"]
    for name in names[:2]:
        (root / "images" / name).write_bytes(columns()["image"][0])
    words = ["we love the people", "we hate mondays", "the good people"]
    lines = [
        {"sample_id": name[0], "image_id": name, "ocr_text": text, "meme_depressive_categories": ["Self-Harm"]}
        for name, text in zip(names, words, strict=True)
    ]
    (root / "test.json").write_text(json.dumps(lines))
    memes = [
        {"id": name[0], "image": name, "labels": ["very harmful", "society"], "text": text}
        for name, text in zip(names, words, strict=True)
    ]
    (root / "test.jsonl").write_text("\n".join(json.dumps(meme) for meme in memes))
    head = "image_name,text_ocr,text_corrected,humour,sarcasm,offensive,motivational,overall_sentiment"
    rest = "funny,general,slight,motivational,positive"
    graded = [f"{name},,{text},{rest}" for name, text in zip(names, words, strict=True)]
    (root / "labels.csv").write_text("\n".join([head, *graded]))
    posts = [f"{forum},7,{text},1" for forum, text in zip(["ptsd", "ptsd", "cats"], words, strict=True)]
    (root / "dreaddit-test.csv").write_text("\n".join(["subreddit,post_id,text,label", *posts]))
    return {
        "restore": "test.json", "target": "test.jsonl", "memotion-sentiment": "labels.csv", "stress": "dreaddit-test.csv",
    }  # fmt: skip


@pytest.mark.parametrize("task", ["restore", "target", "memotion-sentiment", "stress"])
def test_a_file_is_taken_as_its_owners_give_it_out(
    task: str, shelf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = owners_files(tmp_path)[task]
    report, predictions = evaluate_file(task, tmp_path, name)
    rows = 2 if task == "memotion-sentiment" else 3  # whose loader leaves a meme without its picture out
    assert (report["rows"], report["labelled"], report["rows_not_whole"]) == (rows, rows, 1)
    assert "macro_f1" in report["metrics"]
    assert next(iter(predictions)) == "id" and len(predictions["id"]) == rows
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == [
        f"{name}, {'line 4' if task == 'memotion-sentiment' else 'row 3'}"
    ]
    report, predictions = evaluate_file(task, tmp_path, name, limit=1)
    assert (report["rows"], len(predictions["id"])) == (1, 1)


def test_an_owners_file_that_is_not_there_or_of_which_nothing_is_left_says_why(shelf: Path, tmp_path: Path) -> None:
    name = owners_files(tmp_path)["memotion-sentiment"]
    shutil.rmtree(tmp_path / "images")
    with pytest.raises(BadInput, match=r"There is no file .*label\.csv: check its name"):
        evaluate_file("memotion-sentiment", tmp_path, "label.csv")
    with pytest.raises(
        BadInput, match=r"labels\.csv has no rows that can be used\. labels\.csv, line 2: the picture 1\.png"
    ):
        evaluate_file("memotion-sentiment", tmp_path, name)


@pytest.mark.parametrize("task", [name for name, task in registry.TASKS.items() if task.head_tasks])
def test_each_task_s_data_set_reads_its_owners_files(task: str) -> None:
    dataset = registry.TASKS[task].dataset
    assert dataset.official_split is None or callable(dataset.official_file)


def test_a_label_outside_the_set_is_counted_and_the_rest_measured(
    shelf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = columns()
    table["overall_sentiment"][4] = "so_so"
    report, _ = run("memotion-sentiment", tmp_path, table)
    assert (report["labels_outside_the_set"], report["labelled"]) == (1, ROWS - 1)
    assert "Row 4.png: 'so_so'" in capsys.readouterr().out


def test_labels_that_are_all_outside_the_set_are_one_sentence(shelf: Path, tmp_path: Path) -> None:
    table = {"text": ["a", "b"], "stress": ["yes", "no"]}
    with pytest.raises(
        BadInput, match=r"^No row answers stress\. Row 0: 'yes' is no answer to stress, which knows 0, 1\.$"
    ):
        run("stress", tmp_path, table)
    report, predictions = run("stress", tmp_path, {"text": ["a", "b"], "stress": [None, None]})
    assert (report["labelled"], len(predictions["label"])) == (0, 2)  # rows without labels can be asked


def test_the_column_that_the_system_reads_is_required(shelf: Path, tmp_path: Path) -> None:
    table = columns()
    del table["text"]
    assert run("memotion-sentiment", tmp_path, table)[0]["rows"] == ROWS  # which looks at the pictures too
    with pytest.raises(BadInput, match=r"has no column 'text', which memotion_gmu needs: it has 'image_name'"):
        run("memotion-sentiment", tmp_path, table, modality="text")
    table = {"image": columns()["image"], "stress": [0] * ROWS}
    with pytest.raises(
        BadInput, match=r"has no column 'text', which mental_health_stress needs: it has 'image', 'stress'"
    ):
        run("stress", tmp_path, table)
    with pytest.raises(BadInput, match=r"has no column 'image', which mental_health_stress needs"):
        run("stress", tmp_path, {"text": ["a"], "stress": [0]}, captions="ocr")
    with pytest.raises(BadInput, match="mental_health_stress does not look at the image: leave out --modality image"):
        run("stress", tmp_path, {"text": ["a"], "stress": [0]}, modality="image")


def test_a_system_that_no_checkout_brings(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    table = {"text": ["a"], "label": ["restlessness"]}
    sentence = r"weights/ has no mental_health_axiom, which answers axiom: the owners .* on request; .* fit mental_health_axiom"
    for task in ("axiom", "mental_health_axiom"):
        with pytest.raises(BadInput, match=sentence):
            run(task, tmp_path, table)
    folder = tmp_path / "runs" / "mental_health_axiom"
    measured = {
        "image": "mini in its place (the configuration's open_clip:ViT-B-32 could not be fetched)",
        "text": "hf:bert",
    }
    folder.mkdir(parents=True)
    evaluation_files.update_evaluation(folder, measured_with={**measured, "text": "mini"})
    (folder / "metrics.json").write_text("{}")
    with pytest.raises(BadInput, match="on request"):
        run("axiom", tmp_path, table)
    evaluation_files.update_evaluation(folder, measured_with=measured)
    with pytest.raises(BadInput, match=r"trained with hf:bert, which the app cannot run, .*axiom/metrics\.json\.$"):
        run("axiom", tmp_path, table)


def test_a_recipe_s_name_asks_all_its_tasks(shelf: Path, tmp_path: Path) -> None:
    report, _ = run("memotion_gmu", tmp_path)
    assert set(report["tasks"]) == {"memotion-sentiment", "memotion-types", "memotion-intensity", "memotion-polarity"}


def test_another_system_and_one_that_is_not_there(shelf: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="does not answer memotion-sentiment"):
        run("memotion-sentiment", tmp_path, model="mental_health_target")
    with pytest.raises(BadWeights, match="There are no weights named 'memotion_early'"):
        run("memotion-sentiment", tmp_path, model="memotion_early")


def test_kept_predictions_are_the_app_s_own(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The verdict's predictions, as the Evaluation page then reads them: calibration undone and done again."""
    from components.evaluate import run_details, trained_models

    before = {model.name: model for model in trained_models.models()}
    assert "hate_cross_attention" not in before  # tiny weights have no figures
    table = {"text": ["we hate people", "we love mondays", "the good people"] * 4, "label": [1, 0, 0] * 4}
    report, predictions = run("hate", tmp_path, table, "mine.validation.parquet", save_predictions=True)
    (shelf / "hate_cross_attention" / "metrics.json").write_text(
        json.dumps({"validation, x": {"rows": 12, **report["metrics"]}})
    )
    verdict = {model.name: model for model in trained_models.models()}["hate_cross_attention"]
    predicted = evaluation_files.read_predictions(verdict.folder, "hate")
    assert predicted is not None
    assert predicted.rows == "mine, validation" and set(predicted.split) == {1}
    monkeypatch.setenv("SUBTEXT_DATA", str(tmp_path))
    assert run_details.rows_file(predicted, verdict.data("hate")) == tmp_path / "mine.validation.parquet"
    assert np.allclose(predicted.probs[0][:, 1], predictions["probability"], atol=2e-3)  # kept in float16
    assert predicted.head.rules[0].threshold() == pytest.approx(report["threshold"])
    assert predicted.y_true[:, 0].tolist() == table["label"]
    card = shelf / "hate_cross_attention" / "config.json"
    card.write_text(json.dumps(json.loads(card.read_text()) | {"bands": {"review_from": 0.1, "hateful_from": 0.9}}))
    trained_again = {model.name: model for model in trained_models.models()}["hate_cross_attention"]
    assert (
        evaluation_files.read_predictions(trained_again.folder, "hate") is None
    )  # other weights than those that predicted


@pytest.mark.parametrize(
    ("task", "name", "options", "sentence"),
    [
        ("hate", "mine.train.parquet", {}, r"holds rows to learn from.*mine\.validation\.parquet"),
        ("hate", "mine.parquet", {}, r"mine\.parquet does not say which rows it holds.*NAME\.validation\.parquet"),
        ("hate", "mine.validation.parquet", {"modality": "text"}, "leave out --modality, or --save-predictions"),
        (
            "harm",
            "mine.validation.parquet",
            {"captions": "ocr", "limit": 3},
            "leave out --captions ocr and --limit, or",
        ),
        ("text-emotions", "mine.validation.parquet", {"profile": "clip"}, "leave out --profile clip, or"),
        ("memotion-types", "mine.validation.parquet", {}, "when its model is fitted: leave out --save-predictions"),
        ("memotion_gmu", "mine.validation.parquet", {}, "when its model is fitted: leave out --save-predictions"),
    ],
)
def test_only_whole_rows_not_learned_from_are_kept(
    task: str, name: str, options: dict[str, Any], sentence: str, shelf: Path, tmp_path: Path
) -> None:
    def beside() -> list[Path]:
        return sorted([*shelf.glob("*/evaluation.json"), *shelf.glob("*/predictions.npz")])

    before = beside()
    with pytest.raises(BadInput, match=sentence):
        run(task, tmp_path, name=name, save_predictions=True, **options)
    assert beside() == before
    assert not (tmp_path / "out.parquet").exists()  # refused before anything was asked


def test_the_profile_of_itself_is_mini_where_predictions_are_kept(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`auto` would take a trained head for clip, whose answers are not those of the weights that they are kept beside."""
    profiles = []

    def analyzer(profile: str) -> Any:
        profiles.append(profile)
        raise BadInput("This is far enough.")

    monkeypatch.setattr(hate, "Analyzer", analyzer)
    for save in (True, False):
        with pytest.raises(BadInput, match="far enough"):
            run(
                "hate",
                tmp_path,
                {"text": ["a"], "label": [1]},
                "mine.validation.parquet",
                save_predictions=save,
                profile="auto",
            )
    assert profiles == ["mini", "auto"]
