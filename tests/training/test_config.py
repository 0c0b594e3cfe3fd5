"""Configurations are typed: what a dataclass does not declare, or declares otherwise, is refused in a sentence."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from models.errors import BadInput
from training.config import Config, load_config, overrides_of


@dataclass(frozen=True)
class Stage(Config):
    epochs: int = 1
    lr: float = 0.1


@dataclass(frozen=True)
class Schedule(Config):
    folds: int = 5
    epochs: int = 3
    optimizer: Literal["adam", "adamw"] = "adamw"

    def __post_init__(self) -> None:
        if self.folds < 1:
            raise ValueError(f"folds={self.folds} is less than 1")


@dataclass(frozen=True)
class Toy(Config):
    name: str
    seed: int
    sizes: tuple[int, ...] = ()
    zoom: tuple[float, float] = (0.9, 1.1)
    stages: tuple[Stage, ...] = ()
    schedule: Schedule | None = None
    weights: Mapping[str, float] = field(default_factory=dict)
    pretrained: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)


@pytest.fixture
def load(tmp_path: Path) -> Any:
    def of(text: str, config_class: type = Toy, **overrides: Any) -> Any:
        (tmp_path / "toy.toml").write_text(text)
        return load_config("toy", config_class, overrides, folder=tmp_path)

    return of


def test_tables_become_dataclasses_and_arrays_tuples(load: Any) -> None:
    config = load(
        'seed = 7\nsizes = [1, 2]\nzoom = [1, 1.5]\npretrained = false\noptions = { any = [1, "two"] }\n'
        '[[stages]]\nepochs = 2\n[[stages]]\nlr = 1\n[schedule]\nfolds = 2\noptimizer = "adam"\n[weights]\na = 2\n'
    )
    assert config == Toy(
        "toy", 7, (1, 2), (1.0, 1.5), (Stage(epochs=2), Stage(lr=1.0)), Schedule(2, 3, "adam"), {"a": 2.0}, False,
        {"any": [1, "two"]},
    )  # fmt: skip
    assert isinstance(config.weights["a"], float)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("seed = 7\nsized = [1]\n", "The configuration toy has no setting 'sized'. Did you mean 'sizes'"),
        ("seed = 7\n[schedule]\nfold = 1\n", "toy.schedule has no setting 'fold'. Did you mean 'folds'"),
        ("seed = 7\n[[stages]]\nlr = 1.0\n[[stages]]\nlearn = 1\n", r"toy.stages\[1\] has no setting 'learn'"),
        ("sizes = [1]\n", r"The configuration lacks toy\.seed\."),
        ('seed = "7"\n', "The configuration's toy.seed is '7': it should be a valid integer"),
        ("seed = true\n", "toy.seed is True: it should be a valid integer"),
        ("seed = 7\npretrained = 1\n", "toy.pretrained is 1: it should be a valid boolean"),
        ("seed = 7\nsizes = [1, 2.5]\n", r"toy.sizes\[1\] is 2.5: it should be a valid integer"),
        ("seed = 7\nzoom = [1.0]\n", r"The configuration lacks toy\.zoom\[1\]"),
        ("seed = 7\nschedule = 3\n", "toy.schedule is 3"),
        (
            'seed = 7\n[schedule]\noptimizer = "sgd"\n',
            "toy.schedule.optimizer is 'sgd': it should be 'adam' or 'adamw'",
        ),
        ("seed = 7\n[weights]\na = true\n", "toy.weights.a is True: it should be a valid number"),
        ("seed = 7\n[schedule]\nfolds = 0\n", "toy.schedule does not fit: folds=0 is less than 1"),
        ("seed == 7\n", "toy.toml is not TOML"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(text: str, sentence: str, load: Any) -> None:
    with pytest.raises(BadInput, match=sentence):
        load(text)


def test_an_unknown_configuration_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "memotion.toml").write_text("seed = 7\n")
    with pytest.raises(BadInput, match=r"no configuration 'memotoin'. Did you mean 'memotion'"):
        load_config("memotoin", Toy, folder=tmp_path)


def test_options_override_the_field_wherever_the_configuration_has_it(load: Any) -> None:
    text = "seed = 7\n[[stages]]\n[[stages]]\nepochs = 9\n"
    assert load(text, seed=3, epochs=None).seed == 3
    assert [stage.epochs for stage in load(text, epochs=4).stages] == [4, 4]
    config = load(text + "[schedule]\n", epochs=4, folds=2)
    assert config.stages[0].epochs == 4  # the first that has the field
    assert config.schedule == Schedule(folds=2)


def test_an_option_that_the_configuration_does_not_use_is_refused(load: Any) -> None:
    with pytest.raises(BadInput, match=r"toy has no setting 'folds': leave out --folds"):
        load("seed = 7\n", folds=3)
    with pytest.raises(BadInput, match=r"toy\.schedule does not fit: folds=0"):
        load("seed = 7\n[schedule]\n", folds=0)


def test_overrides_come_from_the_command_line() -> None:
    assert overrides_of(Namespace(seed=3, epochs=None)) == {"seed": 3, "epochs": None, "folds": None}
