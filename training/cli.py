"""The command line of `python -m training`: commands, their options, and which of them go together."""

import argparse
import importlib
import json
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from models import weights
from models.errors import BadInput, SubtextError
from training.config import FOLDER
from training.tasks import registry

MULTITASK = tuple(
    sorted(file.stem for file in FOLDER.glob("*.toml") if "tasks" in tomllib.loads(file.read_text(encoding="utf-8")))
)
"""Configurations that name tasks: `training.multitask.train` fits all of them."""

COMMANDS = tomllib.loads(Path(__file__).with_name("commands.toml").read_text(encoding="utf-8"))
FITS: dict[str, str] = COMMANDS["fit"]["modules"]
ROBUSTNESS = ("robustness_flickr8k", "robustness_hate", "robustness_oasis")
TASK_OPTIONS = ("modality", "captions", "profile", "model")  # of `evaluate`: a task says which of them it uses
CLIP_DEFAULTS = {"model": "ViT-B-32", "pretrained": "openai", "revision": "", "device": "auto"}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command. An error that the user can mend is printed as a sentence, with exit status 2."""
    args = parser().parse_args(argv)
    try:
        args.run(args)
    except SubtextError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def parser() -> argparse.ArgumentParser:
    """All commands with their options, as `commands.toml` declares them; `run` is the function of the command."""
    program = argparse.ArgumentParser(
        prog="python -m training", description="Train what is in weights/, and measure it."
    )
    commands = program.add_subparsers(dest="command", required=True)
    run = {
        "fit": _fit, "compare": _compare, "evaluate": _evaluate, "robustness": _robustness, "download": _download,
        "convert-emotic": _convert_emotic,
    }  # fmt: skip
    for name, declared in COMMANDS.items():
        command = commands.add_parser(name, help=declared["help"])
        command.set_defaults(run=run[name])
        _add_arguments(command, declared["arguments"])
        for title, arguments in declared.get("groups", {}).items():
            _add_arguments(command.add_argument_group(title), arguments)
    return program


def _add_arguments(command: Any, arguments: Mapping[str, Mapping[str, Any]]) -> None:
    lists = {
        "trainable": [*FITS, *MULTITASK],
        "multitask": MULTITASK,
        "robustness": ROBUSTNESS,
        "measured": registry.TASKS,
        "tasks": [*registry.TASKS, *MULTITASK],
    }
    names = {key: ", ".join(each) for key, each in lists.items()}
    types = {"integer": int, "positive": positive}
    for name, declared in arguments.items():
        settings = {**declared, "help": declared.get("help", "").format_map(names)}
        if isinstance(choices := settings.get("choices"), str):
            settings["choices"] = lists[choices]
        if "type" in settings:
            settings["type"] = types[settings["type"]]
        command.add_argument(name, **settings)


def positive(text: str) -> int:
    """An integer from 1 on."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 on")
    return value


def _fit(args: argparse.Namespace) -> None:
    check_fit_options(args)
    for name in args.names:
        out = Path(args.out) if args.out and len(args.names) == 1 else Path(args.out or "runs") / name
        dry_run = args.dry_run or args.limit or (name in MULTITASK and (args.epochs or args.folds))
        weights_out = Path(args.weights_out or out / "weights") if args.weights_out or dry_run else None
        run_args = argparse.Namespace(**vars(args) | CLIP_DEFAULTS | _given(args, CLIP_DEFAULTS))
        run_args.name, run_args.out = name, str(out)
        with weights.writing_to(weights_out) if weights_out else nullcontext():
            importlib.import_module(FITS.get(name, "training.multitask.train")).fit(run_args)
        if weights_out:
            print(f"The trained weights are in {weights_out}; {weights.root()} is unchanged.")


def check_fit_options(args: argparse.Namespace) -> None:
    """Raises `BadInput` for options that one of the training runs does not use, and for devices unknown to Lightning."""
    if single_device := ", ".join(name for name in args.names if name in FITS):
        reason = f"{single_device} trains on one device; they are for multitask models"
        refuse(args, ("devices", "strategy"), reason)
    if args.devices and not re.fullmatch(r"auto|-1|\d+|\d+(,\d+)*,?", args.devices):
        raise BadInput(
            f"--devices {args.devices} is not a number of devices (2), their numbers (0,1), all of them (-1) or auto."
        )
    if args.profile and (others := [name for name in args.names if name != "hate_cross_attention"]):
        refuse(args, ("profile",), f"only hate_cross_attention is trained for a profile, not {', '.join(others)}")
    if args.profile != "clip":
        refuse(args, CLIP_DEFAULTS, "they belong to --profile clip")
    for name in args.names:  # before the first one trains
        config = f"{name}_clip" if args.profile == "clip" else name
        unused = set(COMMANDS["fit"]["unused"].get(config, ()))
        if len(args.names) > 1:
            unused.discard("resume")  # of several runs those that take minutes begin anew
        refuse(args, sorted(unused), f"{config} does not use them")


def refuse(args: argparse.Namespace, options: Iterable[str], reason: str) -> None:
    """Raises `BadInput` with the reason if the user gave any of these options."""
    if given := _given(args, options):
        raise BadInput(f"Leave out {' and '.join('--' + name.replace('_', '-') for name in given)}: {reason}.")


def _given(args: argparse.Namespace, options: Iterable[str]) -> dict[str, Any]:
    """Those of the options that the user gave, with their values."""
    return {name: value for name in options if (value := getattr(args, name)) is not None and value is not False}


def _compare(args: argparse.Namespace) -> None:
    from training.multitask.compare import compare

    print(compare(args))


def _evaluate(args: argparse.Namespace) -> None:
    from training.evaluation.run import evaluate

    used = registry.TASKS[args.task].options if args.task in registry.TASKS else ("modality", "captions")
    refuse(args, [name for name in TASK_OPTIONS if name not in used], f"{args.task} does not use them")
    args.captions, args.profile = args.captions or "given", args.profile or "auto"
    print(json.dumps(evaluate(args), indent=2))


def _robustness(args: argparse.Namespace) -> None:
    from training.robustness.run import run

    for name in args.names:
        print(json.dumps(run(name, args), indent=2))


def _download(args: argparse.Namespace) -> None:
    from training.datasets.download import download

    print(f"Memotion is in {download(args)}")


def _convert_emotic(args: argparse.Namespace) -> None:
    from training.datasets.emotic import convert

    for done in convert(args.annotations, args.images, args.out):
        print(f"{done.split}: {done.people:,} people", *(f"{count:,} {why}" for why, count in done.skipped.items()))
