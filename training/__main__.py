"""python -m training fit NAME… | evaluate TASK | compare RECIPE…"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from models import weights
from models.errors import BadInput, SubtextError

ROBUSTNESS = ("robustness_flickr8k", "robustness_hate", "robustness_oasis")
FITS = {
    "hate_cross_attention": "training.hate.train:fit",
    "mini_words": "training.backbones.mini_words:fit",
    "mini_towers": "training.backbones.mini_towers:fit",
    "text_emotions": "training.emotions.text:fit",
    "face_expressions": "training.emotions.faces:fit",
    "joint_flickr8k": "training.retrieval.train:fit",
    "joint_emotic": "training.emotic.train:fit",
    "picture_emotions": "training.emotions.pictures:fit",
}
TASKS = (
    "hate", "harm", "text-emotions", "face-expressions",
    "memotion-sentiment", "memotion-types", "memotion-intensity", "memotion-polarity", "stress", "stress-domain", "target",
    "axiom", "restore", "flickr8k", "oasis", "emotic",
)  # fmt: skip
RECIPES = Path(__file__).parent / "configs"
SYSTEMS = tuple(
    sorted(file.stem for file in RECIPES.glob("*.toml") if "\ntasks = " in file.read_text(encoding="utf-8"))
)
"""Recipes that name tasks: all of them are fitted by `training.multitask.train`, evaluated and compared alike."""


def parser() -> argparse.ArgumentParser:
    """Both commands with their options."""
    whole = argparse.ArgumentParser(prog="python -m training", description="Fit what is in weights/, and measure it.")
    commands = whole.add_subparsers(dest="command", required=True)

    fit = commands.add_parser("fit", help="train one folder of weights/, or several in a row")
    fit.add_argument(
        "names", nargs="+", choices=sorted([*FITS, *SYSTEMS]), metavar="NAME", help=", ".join([*FITS, *SYSTEMS])
    )
    fit.add_argument(
        "--data",
        help="the folder with NAME.train.parquet (default: SUBTEXT_DATA, else data/); for joint_emotic that of convert-emotic",
    )
    fit.add_argument(
        "--out", help="where checkpoints and curves go, with several names OUT/NAME for each (default: runs/NAME)"
    )
    fit.add_argument("--resume", action="store_true", help="go on with the same run from the last checkpoint in --out")
    fit.add_argument("--seed", type=int, help="instead of the recipe's")
    fit.add_argument("--epochs", type=positive, help="instead of the recipe's; of a system a try, as with --limit")
    fit.add_argument("--profile", choices=("mini", "clip"), default="mini")
    clip = fit.add_argument_group("with --profile clip, where --data may also be a data set of the Hub")
    clip.add_argument("--model", default="ViT-B-32", help="any of open_clip's, or hf-hub:ORGANISATION/NAME")
    clip.add_argument("--pretrained", default="openai", help="which of the model's weights")
    clip.add_argument("--revision", default="", help="a commit of the weights' repository (default: the pinned one)")
    clip.add_argument("--device", default="auto", choices=("auto", "cuda", "mps", "cpu"))
    fit.add_argument("--limit", type=positive, help="use this many rows, to try things out: weights/ stays as it is")
    fit.add_argument("--folds", type=positive, help="instead of the recipe's; of a system a try, as with --limit")
    fit.add_argument(
        "--devices",
        help="how many GPUs (2), or which (0,1), for recipes of systems (default: auto, what Lightning finds)",
    )
    fit.add_argument("--strategy", help="Lightning's strategy over several GPUs, such as ddp")

    compare = commands.add_parser("compare", help="systems side by side, or a system and its ablations")
    compare.add_argument("names", nargs="+", choices=SYSTEMS, metavar="RECIPE", help=", ".join(SYSTEMS))
    compare.add_argument(
        "--ablations", action="store_true", help="train each recipe's ablations and set them beside it"
    )
    compare.add_argument("--data", help="as for fit; what learned from other rows is then not shown, but trained anew")
    compare.add_argument("--out", default="runs", help="the folder of runs, tries in NAME--try (default: runs)")
    compare.add_argument("--json", help="where the table goes as JSON")
    compare.add_argument("--limit", type=positive, help="use this many rows, to try things out")
    compare.add_argument("--folds", type=positive, help="instead of the recipe's")
    compare.add_argument("--epochs", type=positive, help="instead of the recipe's")

    download = commands.add_parser("download", help="fetch a data set from Kaggle")
    download.add_argument("name", choices=["memotion"])
    download.add_argument("--kaggle-json", help="the token file from kaggle.com (default: ~/.kaggle/kaggle.json)")
    download.add_argument("--data", default="data", help="the folder to unpack it into (default: data)")

    evaluate = commands.add_parser("evaluate", help="figures for the shipped weights on one file")
    evaluate.add_argument(
        "task", choices=[*TASKS, *SYSTEMS], metavar="TASK", help=", ".join(TASKS) + ", or a recipe's name"
    )
    evaluate.add_argument("--system", choices=SYSTEMS, metavar="RECIPE", help="this system instead of the task's best")
    evaluate.add_argument(
        "--data",
        required=True,
        help="a Parquet file with columns image and/or text, and label; for emotic PART.csv of convert-emotic; for memotion-*, "
        "stress, stress-domain, target, axiom and restore also their owners' .json, .jsonl or .csv",
    )
    evaluate.add_argument("--json", required=True, help="where the figures go")
    evaluate.add_argument("--predictions", help="a Parquet file for one prediction a row, in the order of the rows")
    evaluate.add_argument(
        "--keep", action="store_true", help="keep the predictions beside the weights, for the app's Evaluation page"
    )
    evaluate.add_argument("--modality", choices=("image", "text"), help="show the model this half only")
    evaluate.add_argument(
        "--captions", choices=("given", "ocr"), default="given", help="the column text, or what the app reads itself"
    )
    evaluate.add_argument("--profile", default="auto")
    evaluate.add_argument("--limit", type=positive, help="the first rows only")

    _pictures(commands)
    return whole


def _pictures(commands: Any) -> None:
    """The commands of the joint space's studies."""
    robust = commands.add_parser("robustness", help="attack by pixels, and poison the training rows with them")
    robust.add_argument("configs", nargs="+", choices=ROBUSTNESS, metavar="RECIPE", help=", ".join(ROBUSTNESS))
    robust.add_argument("--data", help="as for fit")
    robust.add_argument("--out", default="runs/robustness", help="where features and example pairs go")
    robust.add_argument("--rows", type=positive, help="attack this many rows instead of the recipe's")
    robust.add_argument("--queries", type=positive, help="try about this many pictures a row instead of the recipe's")
    robust.add_argument(
        "--variant", action="append", help="this one only (may be given again); the others stay as they are"
    )
    robust.add_argument("--threads", type=positive, help="of the networks (default: one a core)")

    convert = commands.add_parser("convert-emotic", help="EMOTIC's Annotations.mat and pictures to npy arrays and csv")
    convert.add_argument("annotations", help="Annotations.mat, as its owners give it by request")
    convert.add_argument("images", help="the folder that the pictures' paths in it start from")
    convert.add_argument("out", help="where the arrays go")


def positive(text: str) -> int:
    """A whole number from 1 on."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 on")
    return value


def several(args: argparse.Namespace) -> None:
    """`BadInput` where `--devices` is nothing that Lightning knows, or where a recipe trains without Lightning's choice."""
    if args.devices and not re.fullmatch(r"auto|-1|\d+|\d+(,\d+)*,?", args.devices):
        raise BadInput(
            f"--devices {args.devices} is not a number of devices (2), their numbers (0,1), all of them (-1) or auto."
        )
    alone = [name for name in args.names if name in FITS]
    if alone and (args.devices or args.strategy):
        raise BadInput(f"--devices and --strategy are for recipes of systems: {', '.join(alone)} trains on one device.")


@contextmanager
def aside(out: Path) -> Iterator[None]:
    """A try writes into a copy of the weights, `out`/weights, and `weights/` stays as it is."""
    copy, named = out / "weights", os.environ.get("SUBTEXT_WEIGHTS")
    shutil.copytree(weights.root(), copy, dirs_exist_ok=True)
    os.environ["SUBTEXT_WEIGHTS"] = str(copy)
    try:
        yield
    finally:
        if named is None:
            del os.environ["SUBTEXT_WEIGHTS"]
        else:
            os.environ["SUBTEXT_WEIGHTS"] = named
    print(
        f"Trained on a few rows, to try things out: what it writes is in {copy}, and {weights.root()} stays as it was."
    )


def main(words: Sequence[str] | None = None) -> int:
    """Runs one command; what the user can mend is told in a sentence, with exit status 2."""
    args = parser().parse_args(words)
    try:
        if args.command == "fit":
            several(args)
            for name in args.names:
                alone = args.out if len(args.names) == 1 else None
                out = alone or str(Path(args.out or "runs") / name)
                one = argparse.Namespace(**vars(args) | {"name": name, "out": out})
                module, function = FITS.get(name, "training.multitask.train:fit").split(":")
                with aside(Path(out)) if name in FITS and args.limit else nullcontext():  # a system sees to it itself
                    getattr(importlib.import_module(module), function)(one)
        elif args.command == "download":
            from training.datasets.download import download

            print(f"Memotion is in {download(args)}")
        elif args.command == "compare":
            from training.multitask.compare import compare

            print(compare(args))
        elif args.command == "robustness":
            from training.robustness.run import run

            for recipe in args.recipes:
                print(json.dumps(run(recipe, args), indent=2))
        elif args.command == "convert-emotic":
            from training.datasets.emotic import convert

            for part in convert(args.annotations, args.images, args.out):
                print(
                    f"{part.part}: {part.people:,} people", *(f"{count:,} {why}" for why, count in part.skipped.items())
                )
        else:
            from training.evaluation.run import evaluate

            print(json.dumps(evaluate(args), indent=2))
    except SubtextError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
