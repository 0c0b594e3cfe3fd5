"""Flickr8k (Hodosh et al. 2013): photographs with five captions each (`details["captions"]`), without labels.

Parquet splits, or the official files anywhere under `DATA/flickr8k`: `Flickr8k.token.txt` (lines of
`NAME.jpg#0<tab>caption`), the lists `Flickr_8k.trainImages.txt`, `.devImages.txt`, `.testImages.txt`, and the pictures.
"""

from collections import defaultdict
from pathlib import Path

from models.errors import BadInput
from training.datasets.base import Dataset, LoadResult, Row
from training.datasets.tables import find_file

LISTS = {"train": "trainImages", "validation": "devImages", "test": "testImages"}


def read_official(folder: Path, split: str) -> list[Row]:
    """Rows in the order of the split's list; `BadInput` names a file that is missing or malformed.

    Listed names without a picture or without captions are left out: the official text files name one picture
    (2258277193_586949ec62.jpg.1) that was never published.
    """
    if split not in LISTS:
        raise BadInput(f"Flickr8k has the splits {', '.join(LISTS)}, not {split!r}.")
    tokens = find_file(folder, "Flickr8k.token.txt", "Flickr8k")
    names = find_file(folder, f"Flickr_8k.{LISTS[split]}.txt", "Flickr8k")
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


def _read_split(root: Path, split: str) -> LoadResult | None:
    folder = root / "flickr8k"
    return (read_official(folder, split), []) if folder.is_dir() else None


FLICKR8K = Dataset("flickr8k", ("image", "captions"), label=None, details=("captions",), official_split=_read_split)
