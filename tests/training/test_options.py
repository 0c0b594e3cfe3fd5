"""Every option of every command of `python -m training` changes something, or is refused in a sentence."""

from __future__ import annotations

import argparse
import importlib
import inspect
from pathlib import Path
from typing import Any

import pytest

from models import weights
from training import cli
from training.datasets import download, emotic
from training.evaluation import run as evaluation
from training.multitask import compare
from training.robustness import run as robustness
from training.tasks import registry

MULTITASK = "training.multitask.train"
RUNS = [*cli.FITS, "hate_cross_attention --profile clip", "memotion_gmu"]  # all multitask models are fitted alike
VALUES = {
    "data": "DATA", "out": "OUT", "resume": None, "seed": "99", "epochs": "98", "folds": "3", "limit": "5", "dry_run": None,
    "weights_out": "ELSEWHERE", "devices": "2", "strategy": "ddp", "profile": "clip", "model": "RN50", "pretrained": "laion",
    "revision": "abc", "device": "cpu", "ablations": None, "json": "FILE", "predictions": "FILE", "save_predictions": None,
    "modality": "text", "captions": "ocr", "rows": "7", "queries": "9", "variant": "late", "threads": "2", "kaggle_json": "KEY",
}  # fmt: skip
IN_CONFIG = ("seed", "epochs", "folds")


class Reached(Exception):
    """Carries what a command came to before it would have begun to work."""


def options(command: str) -> list[str]:
    """The names of all options of a command."""
    (commands,) = (action for action in cli.parser()._actions if isinstance(action, argparse._SubParsersAction))
    actions = commands.choices[command]._actions
    return [action.dest for action in actions if action.option_strings and action.dest != "help"]


def words(option: str, value: str | None = None) -> list[str]:
    value = value or VALUES[option]
    return [f"--{option.replace('_', '-')}", *([value] if value is not None else [])]


def outcome(argv: list[str], capsys: pytest.CaptureFixture[str]) -> Any:
    """What the command came to, or the sentence by which it was refused."""
    try:
        assert cli.main(argv) == 2, "it neither began nor was refused"
    except Reached as reached:
        return reached.args[0]
    return capsys.readouterr().err


def module_of(run: str) -> Any:
    name = "training.hate.train_clip" if "clip" in run else cli.FITS.get(run, MULTITASK)
    return importlib.import_module(name)


def test_all_options_are_known_here() -> None:
    commands = ("fit", "compare", "evaluate", "robustness", "download", "convert-emotic")
    assert {option for command in commands for option in options(command)} == VALUES.keys()


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("option", options("fit"))
def test_options_of_fit(
    run: str, option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run gets other arguments, writes elsewhere, or loads another configuration; what it gets it reads."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    name, *profile = run.split()
    begun = ["fit", name, *profile] + (["--data", str(tmp_path / "data")] if option != "data" else [])
    module = module_of(run)
    if option in IN_CONFIG:
        loaded = importlib.import_module("training.multitask.config") if module.__name__ == MULTITASK else module
        load = loaded.load_config

        def config(*args: Any, **kwargs: Any) -> None:
            raise Reached(load(*args, **kwargs))

        monkeypatch.setattr(loaded, "load_config", config)
    else:

        def fit(args: argparse.Namespace) -> None:
            values = {key: value for key, value in vars(args).items() if key not in {"run", "names"}}
            raise Reached((values, weights.output_folder(name)))

        monkeypatch.setattr(importlib.import_module(cli.FITS.get(name, MULTITASK)), "fit", fit)
    value = "mini" if option == "profile" and profile else None
    before, after = outcome(begun, capsys), outcome([*begun, *words(option, value)], capsys)
    assert not isinstance(before, str), before
    if isinstance(after, str):
        assert f"--{option.replace('_', '-')}" in after
        assert after.rstrip().endswith(".")
        assert after.startswith("Leave out "), "it would be refused only when the runs named before it have trained"
    else:
        assert after != before
        if option in {"data", "resume", "limit", "devices", "strategy", "model", "pretrained", "revision", "device"}:
            assert f"args.{option}" in inspect.getsource(module)


def test_of_several_runs_none_begins_when_one_refuses_an_option(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.import_module(MULTITASK), "fit", lambda _: pytest.fail("a run began"))
    assert cli.main(["fit", "memotion_gmu", "joint_emotic", "--folds", "3"]) == 2
    assert capsys.readouterr().err == "Leave out --folds: joint_emotic does not use them.\n"


@pytest.mark.parametrize("task", [*registry.TASKS, "memotion_gmu"])
@pytest.mark.parametrize("option", [option for option in options("evaluate") if option not in {"data", "json"}])
def test_options_of_evaluate(
    task: str, option: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def evaluate(args: argparse.Namespace) -> None:
        raise Reached({key: value for key, value in vars(args).items() if key != "run"})

    monkeypatch.setattr(evaluation, "evaluate", evaluate)
    begun = ["evaluate", task, "--data", "FILE", "--json", "FILE"]
    given = words(option, "memotion_early" if option == "model" else None)
    before, after = outcome(begun, capsys), outcome([*begun, *given], capsys)
    if isinstance(after, str):
        assert f"{task} does not use" in after and given[0] in after
        assert option in cli.TASK_OPTIONS
    else:
        assert after != before


@pytest.mark.parametrize(
    ("command", "function", "option"),
    [
        *((["compare", "memotion_gmu"], (compare, "compare"), option) for option in options("compare")),
        *((["robustness", "robustness_hate"], (robustness, "run"), option) for option in options("robustness")),
        *((["download", "memotion"], (download, "download"), option) for option in options("download")),
    ],
)
def test_options_of_the_other_commands(
    command: list[str],
    function: tuple[Any, str],
    option: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def record(*args: Any) -> None:
        raise Reached({key: value for key, value in vars(args[-1]).items() if key != "run"})

    module, name = function
    source = inspect.getsource(module)
    monkeypatch.setattr(module, name, record)
    before, after = outcome(command, capsys), outcome([*command, *words(option)], capsys)
    assert after != before
    assert f"args.{option}" in source or f'"{option}"' in source


def test_convert_emotic_takes_no_options(monkeypatch: pytest.MonkeyPatch) -> None:
    assert options("convert-emotic") == []
    taken: list[str] = []
    monkeypatch.setattr(emotic, "convert", lambda *paths: taken.extend(paths) or [])
    assert cli.main(["convert-emotic", "Annotations.mat", "images", "out"]) == 0
    assert taken == ["Annotations.mat", "images", "out"]
