"""Flickr8k (Hodosh et al. 2013): photographs with five captions each, from Parquet or from the official files.

Official layout, all in one folder or beside each other: `Flickr8k.token.txt` (lines of `NAME.jpg#0<tab>caption`), the
split lists `Flickr_8k.trainImages.txt`, `.devImages.txt`, `.testImages.txt`, and the pictures in `Flicker8k_Dataset/`.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from models.errors import BadInput
from training.datasets.base import Row
from training.datasets.parquet import read_part

LISTS = {"train": "trainImages", "validation": "devImages", "test": "testImages"}
TOKENS = "Flickr8k.token.txt"


def read(part: str, folder: str | Path | None = None) -> list[Row]:
    """No label; `details["captions"]` holds the five sentences."""
    return read_part("flickr8k", part, folder, label=None, details=("captions",), needed=("image", "captions"))


def read_official(part: str, folder: str | Path) -> list[Row]:
    """The same from the official files, in the order of the split list; `BadInput` names what is missing.

    Names listed without a picture or without captions are passed over: the official text files name one picture
    (2258277193_586949ec62.jpg.1) that was never published.
    """
    if part not in LISTS:
        raise BadInput(f"Flickr8k has the parts {', '.join(LISTS)}, not {part!r}.")
    folder = Path(folder)
    tokens, names = _find(folder, TOKENS), _find(folder, f"Flickr_8k.{LISTS[part]}.txt")
    captions: dict[str, list[str]] = defaultdict(list)
    for number, line in enumerate(tokens.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        name, tab, caption = line.partition("\t")
        if not tab or "#" not in name:
            raise BadInput(f"{tokens}, line {number}, is not NAME#NUMBER<tab>CAPTION: take the official file.")
        captions[name.rpartition("#")[0]].append(caption.strip())
    pictures = {path.name: path for path in folder.rglob("*.jpg")}
    listed = names.read_text(encoding="utf-8").split()
    rows = [
        Row("flickr8k", name, image=pictures[name].read_bytes(), details={"captions": captions[name]})
        for name in listed
        if name in pictures and captions.get(name)
    ]
    if not rows:
        raise BadInput(f"None of the {len(listed):,} pictures of {names.name} lies under {folder}: unpack them there.")
    return rows


def _find(folder: Path, name: str) -> Path:
    found = sorted(folder.rglob(name)) if folder.is_dir() else []
    if not found:
        raise BadInput(f"{name} is missing under {folder}: unpack Flickr8k's official files there.")
    return found[0]
