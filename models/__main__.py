"""python -m models analyze MEME [--caption TEXT] [--json] | profiles | import-checkpoint FILE

It runs what the page runs: `captions.read`, then `Analyzer.analyze`. An error that the user can fix is a sentence on stderr
with exit status 2.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from models.analysis import Caption, Meme, Stage, Status
from models.errors import BadInput, BadPicture, EmptyMeme, PartUnavailable, SubtextError, error_location
from models.io import captions
from models.io.images import MAX_BYTES, Picture, open_picture
from models.io.terminal import describe, printable
from models.ocr.registry import ENGINES
from models.profiles import registry
from models.runtime.device import NAMES

if TYPE_CHECKING:
    from models.analyzer import Analyzer
    from models.io.hub import Progress

USER_ERROR, UNFORESEEN, INTERRUPTED = 2, 1, 130


def build_parser() -> argparse.ArgumentParser:
    """The commands with their options."""
    parser = argparse.ArgumentParser(prog="python -m models", description="Reads a meme, here on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    analyze = commands.add_parser("analyze", help="is it hateful, what does it carry, and what moved the answer")
    analyze.add_argument("meme", nargs="?", type=Path, help="a picture: JPEG, PNG, WebP, GIF or BMP, at most 10 MB")
    analyze.add_argument("--caption", metavar="TEXT", help='instead of reading the picture; "" means "no words"')
    analyze.add_argument("--json", action="store_true", help="print the whole analysis as JSON (subtext/1)")
    analyze.add_argument("--no-explain", action="store_true", help="only the answers, not what moved them: quicker")
    analyze.add_argument("--profile", default="auto", help="which models answer (default: auto)")
    analyze.add_argument("--device", default="auto", choices=NAMES, help="where clip's models run (default: auto)")
    analyze.add_argument("--ocr", default="rapid", choices=ENGINES, help="what reads the picture (default: rapid)")
    commands.add_parser("profiles", help="which sets of models there are")
    checkpoint = commands.add_parser("import-checkpoint", help="convert the earlier system's checkpoint for clip")
    checkpoint.add_argument("file", type=Path, help="best_hateful_meme_model.pth, wherever it lies")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status."""
    args = build_parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a caption may hold what the terminal's encoding lacks
            stream.reconfigure(errors="replace", **({"encoding": "utf-8"} if getattr(args, "json", False) else {}))
    try:
        run = {"analyze": analyze, "profiles": list_profiles, "import-checkpoint": import_checkpoint}[args.command]
        for line in run(args):
            print(line)
        sys.stdout.flush()
    except SubtextError as error:
        print(error, file=sys.stderr)
        return USER_ERROR
    except BrokenPipeError:  # the reading process, such as `head`, has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # its message may quote the caption: only its kind and place are printed
        kind, location = type(error).__name__, error_location(error)
        print(f"Something went wrong that should not have ({kind} at {location}).", file=sys.stderr)
        return UNFORESEEN
    return 0


def list_profiles(_: argparse.Namespace) -> Iterator[str]:
    """One line a profile, and why `auto` takes the one it takes."""
    chosen = registry.select()
    for profile in registry.PROFILES.values():
        notes = ["default"] if profile == chosen.profile else []
        notes.append("downloads its weights" if profile.needs_download else "works without a connection")
        yield f"{profile.name}: {profile.summary} ({', '.join(notes)})"
    yield f"auto takes {chosen.profile.name}: {chosen.why}"


def import_checkpoint(args: argparse.Namespace) -> Iterator[str]:
    """Converts the file, and says where it went and what uses it."""
    from models.legacy_checkpoint import convert as checkpoint

    folder = checkpoint.import_checkpoint(args.file)
    yield f"{printable(str(args.file))} is now {printable(str(folder))}."
    if registry.head() == registry.HEAD:
        yield f"The clip profile goes on with its trained head: remove weights/{registry.HEAD} to use the checkpoint."
    else:
        yield "Use it with `python -m models analyze MEME --profile clip`, or choose clip in the app."


def analyze(args: argparse.Namespace) -> Iterator[str]:
    """The analysis as lines of text or as JSON. Bad input is refused before the models are loaded."""
    if args.meme is None and args.caption is None:
        raise EmptyMeme("There is nothing to analyze: name a picture, give some words with --caption, or both.")
    picture = open_picture(read_bytes(args.meme)) if args.meme is not None else None
    override = captions.from_override(args.caption) if args.caption is not None else None
    if picture is None and override is not None:
        Meme(None, override)  # raises `EmptyMeme` where the words are blank
    profile = registry.choose(args.profile)

    from models.analyzer import Analyzer  # heavy: a wrong file name is refused before

    analyzer = Analyzer(profile, args.device, reader=args.ocr, on_progress=DownloadLine(sys.stderr))
    caption, reading = (override, None) if override is not None else read_words(analyzer, picture, sys.stderr)
    meme = Meme(picture.image, caption, picture.format, picture.sha256) if picture else Meme(None, caption)
    analysis = analyzer.analyze(meme, explain=not args.no_explain)
    if reading is not None:
        analysis = replace(analysis, stages=(reading, *analysis.stages))
    if args.json:
        yield json.dumps(analysis.to_dict(), indent=2, ensure_ascii=False)
    else:
        yield from describe(analysis)


class DownloadLine:
    """Shows the progress of a download on one line of a terminal."""

    def __init__(self, notes: TextIO) -> None:
        self._notes = notes

    def __call__(self, progress: Progress) -> None:
        """Overwrites the line; prints nothing where the output is no terminal."""
        if not self._notes.isatty():
            return
        total = f" of {progress.total / 1e6:,.0f}" if progress.total else ""
        end = "\n" if progress.total and progress.done >= progress.total else ""
        print(f"\r{progress.file}: {progress.done / 1e6:,.0f}{total} MB", end=end, file=self._notes, flush=True)


def read_bytes(path: Path) -> bytes:
    """A file's bytes, no more than a picture may have; raises `BadInput` with a sentence that names the file."""
    shown = printable(str(path))
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise BadInput(f"There is no file {shown}: check its name and its folder.") from error
    except IsADirectoryError as error:
        raise BadInput(f"{shown} is a folder: name one picture in it.") from error
    except PermissionError as error:
        raise BadInput(f"{shown} may not be read by you: change its permissions or copy it.") from error
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise BadInput(f"{shown} cannot be read: check the name and the disk, or copy the file elsewhere.") from error
    if len(data) > MAX_BYTES:
        limit = f"{MAX_BYTES // 1024**2} MB"
        raise BadPicture(f"{shown} has more than {limit}, which is the most that can be read: save it smaller.")
    return data


def read_words(analyzer: Analyzer, picture: Picture | None, notes: TextIO) -> tuple[Caption, Stage]:
    """The words on the picture and how long reading took; without an OCR there are none, and `notes` says why."""
    status: Status = "ok"
    start = time.perf_counter()
    try:
        caption = captions.read(picture.image if picture else None, None, analyzer.reader)
    except PartUnavailable as error:
        print(error, file=notes)
        caption, status = Caption(), "failed"
    return caption, Stage("ocr", round((time.perf_counter() - start) * 1000, 1), status)


if __name__ == "__main__":
    sys.exit(main())
