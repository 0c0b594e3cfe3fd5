"""The command line of `python -m training`: commands, their options, and which of them go together."""

from __future__ import annotations

import argparse
import importlib
import json
import re
import sys
import tomllib
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from models import weights
from models.errors import BadInput, SubtextError
from training.config import FOLDER
from training.tasks import registry

FITS = {
    "hate_cross_attention": "training.hate.train",
    "mini_words": "training.backbones.mini_words",
    "mini_towers": "training.backbones.mini_towers",
    "text_emotions": "training.emotions.text",
    "face_expressions": "training.emotions.faces",
    "joint_flickr8k": "training.retrieval.train",
    "joint_emotic": "training.emotic.train",
    "picture_emotions": "training.emotions.pictures",
}
"""What `fit` trains beside the multitask models: each module has a function `fit(args)`."""

MULTITASK = tuple(
    sorted(file.stem for file in FOLDER.glob("*.toml") if "tasks" in tomllib.loads(file.read_text(encoding="utf-8")))
)
"""Configurations that name tasks: `training.multitask.train` fits all of them."""

ROBUSTNESS = ("robustness_flickr8k", "robustness_hate", "robustness_oasis")
TASK_OPTIONS = ("modality", "captions", "profile", "model")  # of `evaluate`: a task says which of them it uses
UNUSED = {"mini_towers": ("resume",), "picture_emotions": ("resume",), "joint_emotic": ("resume",)}
"""The options of `fit` that a training run has no use for; `load_config` refuses a `--seed`, `--epochs` or `--folds` itself."""

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
    """All commands with their options; `run` is the function of the command."""
    program = argparse.ArgumentParser(
        prog="python -m training", description="Train what is in weights/, and measure it."
    )
    commands = program.add_subparsers(dest="command", required=True)
    for add in (_add_fit, _add_compare, _add_evaluate, _add_robustness, _add_download, _add_convert_emotic):
        add(commands)
    return program


def _add_fit(commands: Any) -> None:
    names = [*FITS, *MULTITASK]
    fit = commands.add_parser("fit", help="train one folder of weights/, or several in a row")
    fit.set_defaults(run=_fit)
    fit.add_argument("names", nargs="+", choices=sorted(names), metavar="NAME", help=", ".join(names))
    fit.add_argument(
        "--data",
        help="the folder with NAME.train.parquet (default: SUBTEXT_DATA, else data/); for joint_emotic that of convert-emotic",
    )
    fit.add_argument(
        "--out", help="the folder for checkpoints and curves; OUT/NAME for several names (default: runs/NAME)"
    )
    fit.add_argument("--resume", action="store_true", help="continue the same run from the last checkpoint in --out")
    fit.add_argument("--seed", type=int, help="instead of the configuration's")
    fit.add_argument("--epochs", type=positive, help="instead of the configuration's; for a multitask model a dry run")
    fit.add_argument("--folds", type=positive, help="instead of the configuration's; for a multitask model a dry run")
    fit.add_argument("--limit", type=positive, help="use this many rows of each split, as a dry run")
    fit.add_argument(
        "--dry-run",
        action="store_true",
        help="leave weights/ as it is and write to --weights-out (default: OUT/weights)",
    )
    fit.add_argument("--weights-out", help="write the trained weights below this folder instead of weights/")
    fit.add_argument("--devices", help="for multitask models: how many GPUs (2), or which (0,1) (default: auto)")
    fit.add_argument("--strategy", help="for multitask models: Lightning's strategy over several GPUs, such as ddp")
    fit.add_argument("--profile", choices=("mini", "clip"), help="of hate_cross_attention (default: mini)")
    clip = fit.add_argument_group("with --profile clip, where --data may also be a data set of the Hub")
    clip.add_argument("--model", help="any of open_clip's, or hf-hub:ORGANISATION/NAME (default: ViT-B-32)")
    clip.add_argument("--pretrained", help="which of the model's weights (default: openai)")
    clip.add_argument("--revision", help="a commit of the weights' repository (default: the pinned one)")
    clip.add_argument("--device", choices=("auto", "cuda", "mps", "cpu"), help="(default: auto)")


def _add_compare(commands: Any) -> None:
    compare = commands.add_parser("compare", help="compare multitask models, or a model and its ablations")
    compare.set_defaults(run=_compare)
    compare.add_argument("names", nargs="+", choices=MULTITASK, metavar="NAME", help=", ".join(MULTITASK))
    compare.add_argument("--ablations", action="store_true", help="also train and show each model's ablations")
    compare.add_argument("--data", help="as for fit; a run on other rows is then not shown but trained anew")
    compare.add_argument("--out", default="runs", help="the folder of runs, dry runs in NAME--dry-run (default: runs)")
    compare.add_argument("--json", help="where the table goes as JSON")
    compare.add_argument("--limit", type=positive, help="use this many rows of each split, as a dry run")
    compare.add_argument("--folds", type=positive, help="instead of the configuration's, as a dry run")
    compare.add_argument("--epochs", type=positive, help="instead of the configuration's, as a dry run")


def _add_evaluate(commands: Any) -> None:
    evaluate = commands.add_parser("evaluate", help="measure the weights on one file")
    evaluate.set_defaults(run=_evaluate)
    evaluate.add_argument(
        "task", choices=[*registry.TASKS, *MULTITASK], metavar="TASK",
        help=", ".join(registry.TASKS) + ", or the name of a multitask model, for all of its tasks",
    )  # fmt: skip
    evaluate.add_argument(
        "--model", choices=MULTITASK, metavar="NAME", help="this multitask model instead of the task's best"
    )
    evaluate.add_argument(
        "--data",
        required=True,
        help="a Parquet file with columns image and/or text, and label; for emotic SPLIT.csv of convert-emotic; for memotion-*, "
        "stress, stress-domain, target, axiom and restore also their owners' .json, .jsonl or .csv",
    )
    evaluate.add_argument("--json", required=True, help="where the metrics go")
    evaluate.add_argument(
        "--predictions", help="a Parquet file for the prediction of each row, in the order of the rows"
    )
    evaluate.add_argument(
        "--save-predictions",
        action="store_true",
        help="save predictions beside the weights, for the app's Evaluation page",
    )
    evaluate.add_argument("--modality", choices=("image", "text"), help="show the model this modality only")
    evaluate.add_argument(
        "--captions", choices=("given", "ocr"), help="the column text, or what the app reads itself (default: given)"
    )
    evaluate.add_argument("--profile", help="mini, clip or auto (default: auto)")
    evaluate.add_argument("--limit", type=positive, help="the first rows only")


def _add_robustness(commands: Any) -> None:
    robustness = commands.add_parser(
        "robustness", help="attack models by a few pixels, and poison training rows with them"
    )
    robustness.set_defaults(run=_robustness)
    robustness.add_argument("names", nargs="+", choices=ROBUSTNESS, metavar="NAME", help=", ".join(ROBUSTNESS))
    robustness.add_argument("--data", help="as for fit")
    robustness.add_argument("--out", default="runs/robustness", help="the folder for features and example pairs")
    robustness.add_argument("--rows", type=positive, help="attack this many rows instead of the configuration's")
    robustness.add_argument(
        "--queries", type=positive, help="score about this many pictures a row instead of the configuration's"
    )
    robustness.add_argument(
        "--variant", action="append", help="this variant only (repeatable); the others keep their results"
    )
    robustness.add_argument("--threads", type=positive, help="of the networks (default: one a core)")


def _add_download(commands: Any) -> None:
    download = commands.add_parser("download", help="fetch a data set from Kaggle")
    download.set_defaults(run=_download)
    download.add_argument("name", choices=["memotion"])
    download.add_argument("--kaggle-json", help="the token file from kaggle.com (default: ~/.kaggle/kaggle.json)")
    download.add_argument("--data", default="data", help="the folder to unpack it into (default: data)")


def _add_convert_emotic(commands: Any) -> None:
    convert = commands.add_parser("convert-emotic", help="EMOTIC's Annotations.mat and pictures to npy arrays and csv")
    convert.set_defaults(run=_convert_emotic)
    convert.add_argument("annotations", help="Annotations.mat, as its owners give it by request")
    convert.add_argument("images", help="the folder that the pictures' paths in it start from")
    convert.add_argument("out", help="where the arrays go")


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
    single_device = [name for name in args.names if name in FITS]
    if single_device:
        refuse(
            args,
            ("devices", "strategy"),
            f"{', '.join(single_device)} trains on one device; they are for multitask models",
        )
    if args.devices and not re.fullmatch(r"auto|-1|\d+|\d+(,\d+)*,?", args.devices):
        raise BadInput(
            f"--devices {args.devices} is not a number of devices (2), their numbers (0,1), all of them (-1) or auto."
        )
    if args.profile and (others := [name for name in args.names if name != "hate_cross_attention"]):
        refuse(args, ("profile",), f"only hate_cross_attention is trained for a profile, not {', '.join(others)}")
    if args.profile != "clip":
        refuse(args, CLIP_DEFAULTS, "they belong to --profile clip")
    for name in args.names:
        refuse(args, UNUSED.get(name, ()), f"{name} does not use them")


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
