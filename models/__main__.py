"""python -m models analyze MEME [--caption TEXT] [--json] | profiles | import-checkpoint FILE

It runs what the page runs: `captions.read`, then `Analyzer.analyze`, and prints the analysis as text or JSON.
An error that the user can fix is a sentence on stderr with exit status 2.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import textwrap
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from models.analysis import Analysis, Caption, Evidence, Face, FaceEmotions, Label, Meme, Stage, Status, TextEmotions
from models.errors import BadInput, BadPicture, EmptyMeme, PartUnavailable, SubtextError, error_location
from models.io import captions, language
from models.io.images import MAX_BYTES, Picture, open_picture
from models.ocr.registry import ENGINES
from models.profiles import registry
from models.runtime.device import NAMES

if TYPE_CHECKING:
    from models.analyzer import Analyzer
    from models.io.downloads import Progress

USER_ERROR, UNFORESEEN, INTERRUPTED = 2, 1, 130
UNREADABLE: dict[type[Exception], str] = {
    FileNotFoundError: "There is no file {}: check its name and its folder.",
    IsADirectoryError: "{} is a folder: name one picture in it.",
    PermissionError: "{} may not be read by you: change its permissions or copy it.",
}
WIDTH = 88  # columns
MAX_EMOTIONS, MAX_EXPRESSIONS, MAX_WORDS = 5, 3, 8
LABELS: dict[Label, str] = {"hateful": "Hateful", "needs_review": "Needs a human look", "not_hateful": "Not hateful"}
SOURCES = {"ocr": "read from the picture", "override": "given by you", "none": "none"}
ABSENT: dict[Status, str] = {
    "no_text": "there are no words",
    "no_image": "there is no picture",
    "no_face": "no face was found",
    "off": "not asked for",
}


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
    """One line for each profile, and why `auto` takes the one it takes."""
    chosen = registry.select()
    for profile in registry.PROFILES.values():
        default = "default, " if profile == chosen.profile else ""
        needs = "downloads its weights" if profile.needs_download else "works without a connection"
        yield f"{profile.name}: {profile.summary} ({default}{needs})"
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
    profile = registry.select(args.profile).profile

    from models.analyzer import Analyzer  # heavy: a wrong file name is refused before

    analyzer = Analyzer(profile, args.device, reader=args.ocr, on_progress=show_download)
    caption, reading = (override, None) if override is not None else read_words(analyzer, picture)
    meme = picture.meme(caption) if picture else Meme(None, caption)
    analysis = analyzer.analyze(meme, explain=not args.no_explain)
    if reading is not None:
        analysis = replace(analysis, stages=(reading, *analysis.stages))
    if args.json:
        yield json.dumps(analysis.to_dict(), indent=2, ensure_ascii=False)
    else:
        yield from describe(analysis)


def show_download(progress: Progress) -> None:
    """Shows the progress of a download on one line of stderr, if that is a terminal."""
    if sys.stderr.isatty():
        total = f" of {progress.total / 1e6:,.0f}" if progress.total else ""
        end = "\n" if progress.total and progress.done >= progress.total else ""
        print(f"\r{progress.file}: {progress.done / 1e6:,.0f}{total} MB", end=end, file=sys.stderr, flush=True)


def read_bytes(path: Path) -> bytes:
    """A file's bytes, no more than a picture may have; raises `BadInput` with a sentence that names the file."""
    shown = printable(str(path))
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        otherwise = "{} cannot be read: check the name and the disk, or copy the file elsewhere."
        raise BadInput(UNREADABLE.get(type(error), otherwise).format(shown)) from error
    if len(data) > MAX_BYTES:
        limit = f"{MAX_BYTES // 1024**2} MB"
        raise BadPicture(f"{shown} has more than {limit}, which is the most that can be read: save it smaller.")
    return data


def read_words(analyzer: Analyzer, picture: Picture | None) -> tuple[Caption, Stage]:
    """The words on the picture and how long reading took. Where the OCR cannot run there are none, and stderr says why."""
    status: Status = "ok"
    start = time.perf_counter()
    try:
        caption = captions.read(picture.image if picture else None, None, analyzer.reader)
    except PartUnavailable as error:
        print(error, file=sys.stderr)
        caption, status = Caption(), "failed"
    return caption, Stage("ocr", round((time.perf_counter() - start) * 1000, 1), status)


def describe(analysis: Analysis) -> Iterator[str]:
    """The analysis for people, a line at a time."""
    verdict, bands = analysis.verdict, analysis.verdict.bands
    yield f"{LABELS[verdict.label]}, probability {verdict.probability:.2f}"
    review = f"a human look from {bands.review_from:.2f}, " if bands.review_from < bands.hateful_from else ""
    yield f"  {review}hateful from {bands.hateful_from:.2f}"
    yield from wrapped(verdict.meaning)
    if analysis.harm is not None:
        yield f"  harmful, as HarMeme's annotators would judge it: {analysis.harm.probability:.2f}"
    for title, lines in sections(analysis).items():
        yield from ("", title, *lines)


def sections(analysis: Analysis) -> dict[str, list[str]]:
    """The lines under each heading: only emotions that are present, and the words that change the logit most."""
    text, faces, evidence = analysis.emotions.text, analysis.emotions.faces, analysis.evidence
    source = SOURCES[analysis.caption.source]
    if analysis.caption.language in language.NAMES:
        source += f", {language.NAMES[analysis.caption.language]}"
    lines = {f"Words ({source})": _paragraphs(analysis.caption.text.splitlines())}
    if analysis.explanation.text:
        lines["Why"] = _paragraphs(analysis.explanation.text.splitlines())
    if evidence.status != "off":
        strongest = sorted(evidence.words, key=lambda word: -abs(word.effect))[:MAX_WORDS]
        effects = [f"  {word.effect:+.2f}  {printable(word.text)}" for word in strongest]
        lines["Words that moved it (logits, plus is toward hateful)"] = effects or _absent(evidence, "none")
    present = [f"  {score.probability:.2f}  {score.label}" for score in text.scores if score.present]
    unclear = "none is clearly there" if text.status == "ok" else ""
    lines["Emotions in the words"] = present[:MAX_EMOTIONS] or _absent(text, unclear)
    lines["Faces"] = [_face(number, face) for number, face in enumerate(faces.faces, 1)] or _absent(faces)
    if analysis.explanation.cautions:
        lines["Keep in mind"] = _paragraphs(analysis.explanation.cautions, "- ")
    times = ", ".join(f"{stage.name} {stage.ms or 0.0:.0f}" for stage in analysis.stages)
    total = sum(stage.ms or 0.0 for stage in analysis.stages)
    times += f"; together {total:.0f} ({analysis.profile.name} on {analysis.profile.device})"
    return lines | {"Times in milliseconds": wrapped(times)}


def _paragraphs(texts: Iterable[str], mark: str = "") -> list[str]:
    return [line for text in texts for line in wrapped(text, mark)]


def _absent(part: Evidence | TextEmotions | FaceEmotions, otherwise: str = "") -> list[str]:
    return wrapped(part.detail or ABSENT.get(part.status, otherwise))


def _face(number: int, face: Face) -> str:
    """A face's likeliest expressions and its box."""
    likeliest = ", ".join(f"{item.label} {item.probability:.2f}" for item in face.expressions[:MAX_EXPRESSIONS])
    return f"  {number}: {likeliest}, at {', '.join(f'{edge:.0f}' for edge in face.box)}"


def wrapped(text: str, mark: str = "") -> list[str]:
    """One paragraph, indented, in lines of at most `WIDTH` columns where its words allow it."""
    indent = "  " + " " * len(mark)
    return textwrap.wrap(
        printable(text), WIDTH, initial_indent="  " + mark, subsequent_indent=indent, break_long_words=False
    )


def printable(text: str) -> str:
    """On one line, without control and direction characters, which a terminal would obey."""
    spaced = (" " if c.isspace() else c for c in text)
    return "".join(c for c in spaced if c.isprintable() or c == "\N{ZERO WIDTH JOINER}")


if __name__ == "__main__":
    sys.exit(main())
