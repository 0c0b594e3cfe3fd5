"""A searchable collection of a visitor's pictures: thumbnails, captions, their index and scores.

Pictures come from files, folders and ZIPs and are opened one at a time; only a thumbnail of each stays in memory, so that
10,000 of them take about 100 MB. Captions come with the pictures (`captions.txt`, `captions.csv` or Flickr8k's token
file) or from an OCR reader.
"""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Literal

import numpy as np
from PIL import Image

from models.encoders.mini import IMAGE_BATCH_SIZE
from models.errors import BadInput, BadPicture, PartUnavailable
from models.io import archives, graphemes
from models.io.archives import Archive
from models.io.images import IN_FLIGHT, MAX_BYTES, SUFFIXES, area_of, open_picture, squash
from models.search.joint_space import Index, JointSpace, MiniSpace, SearchHit

TEXT_KINDS = (".txt", ".csv", ".tsv")
THUMBNAIL = 256  # pixels of the longer side
MAX_PICTURES = 20_000
MAX_CAPTION = 1_000  # characters
MAX_CAPTIONS = 10  # of one picture
MAX_TABLES = 10 * 1024**2  # bytes of all tables of captions together


@dataclass(frozen=True)
class File:
    """A file that a visitor gave: a picture, a ZIP of pictures, or a table of captions. `data` is all of it, or its path."""

    name: str
    data: bytes | Path

    def open(self) -> BinaryIO:
        """To be read."""
        return io.BytesIO(self.data) if isinstance(self.data, bytes) else self.data.open("rb")

    def bytes(self, most: int = -1) -> bytes:
        """All of it in memory, or its first `most` bytes."""
        with self.open() as file:
            return file.read(most)


@dataclass
class Entry:
    """One picture: `thumbnail` JPEG bytes; `score` the calibrated probability of hate once it was computed."""

    name: str
    thumbnail: bytes
    captions: tuple[str, ...] = ()
    score: float | None = None

    def picture(self) -> Image.Image:
        """The thumbnail as an RGB picture."""
        return Image.open(io.BytesIO(self.thumbnail)).convert("RGB")


@dataclass
class Library:
    """Grows while it is built and can be searched at any time. Not safe to share between visitors."""

    entries: list[Entry] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)  # names of the files among the problems
    pictures: Index = field(default_factory=Index)
    captions: Index = field(default_factory=Index)
    _texts: list[tuple[int, str]] = field(default_factory=list)  # the entry and the words of each row of `captions`
    _groups: tuple[int, float, list[list[int]]] = (
        0,
        0.0,
        [],
    )  # the near-duplicates, of how many pictures and for which cosine

    def __len__(self) -> int:
        return len(self.entries)

    def pass_over(self, name: str, sentence: str) -> None:
        """Notes a file that could not be used, by its last name, and why in a sentence."""
        self.unread.append(_last(name))
        self.problems.append(sentence)

    def add(self, entries: Sequence[Entry], pictures: Sequence[Image.Image], space: JointSpace | MiniSpace) -> None:
        """Puts pictures and their captions into both indices."""
        texts = [(row, text) for row, entry in enumerate(entries, len(self.entries)) for text in entry.captions]
        vectors, words = space.embed_images(pictures), space.embed_texts([text for _, text in texts])
        self.pictures.add(vectors)
        self.captions.add(words)
        self.entries += entries
        self._texts += texts

    def near_duplicates(self, threshold: float) -> list[list[int]]:
        """As `Index.near_duplicates`; compared once, since each picture is compared with all others."""
        if self._groups[:2] != (len(self.pictures), threshold):
            self._groups = len(self.pictures), threshold, self.pictures.near_duplicates(threshold)
        return self._groups[2]

    def search_captions(
        self, vector: np.ndarray, count: int = 24, *, among: Sequence[int] | None = None
    ) -> list[SearchHit]:
        """The captions nearest to a vector [512]."""
        allowed = None if among is None else set(among)
        rows = None if allowed is None else [row for row, (entry, _) in enumerate(self._texts) if entry in allowed]
        hits = self.captions.search(vector, count, among=rows)
        return [SearchHit(self._texts[hit.row][0], hit.similarity, self._texts[hit.row][1]) for hit in hits]


def pictures_in(
    files: Sequence[File], library: Library
) -> tuple[int, Iterator[tuple[str, bytes]], dict[str, list[str]]]:
    """The number of pictures, an iterator of their names and bytes, and the captions by lower-case name.

    A ZIP is checked as a whole before anything is read. Files that are no pictures go to `library.problems`. Raises
    `BadArchive` for a ZIP that is not read at all, `BadInput` where there is no picture or there are too many.
    """
    zips: list[Archive] = []
    singles: list[File] = []
    captions: dict[str, list[str]] = {}
    room = MAX_TABLES  # bytes

    def take_table(name: str, data: bytes) -> None:
        nonlocal room
        if len(data) > room:
            most = f"{MAX_TABLES // 1024**2} MB"
            library.pass_over(name, f"{_last(name)} was passed over: all tables of captions may have {most} together.")
            return
        room -= len(data)
        _take_captions(name, data, captions, library)

    for file in files:
        ending = PurePosixPath(file.name.replace("\\", "/")).suffix.lower()
        if archives.is_zip(file.bytes(4)) or ending == ".zip":
            archive = Archive(file.open(), kinds=(*SUFFIXES, *TEXT_KINDS))
            zips.append(archive)
            for member in [member for member in archive.members if member.filename.lower().endswith(TEXT_KINDS)]:
                take_table(member.filename, archive.open(member))
                archive.members.remove(member)
        elif ending in TEXT_KINDS:
            take_table(file.name, file.bytes(MAX_TABLES + 1))
        elif ending in SUFFIXES:
            singles.append(file)
        else:
            library.pass_over(file.name, f"{_last(file.name)} is neither a picture nor a ZIP and was passed over.")
    count = len(singles) + sum(len(archive) for archive in zips)
    if not count:
        raise BadInput(
            "There is no picture in what you gave: choose a folder, a ZIP or files with JPEG, PNG, WebP, GIF or BMP."
        )
    if count > MAX_PICTURES:
        raise BadInput(f"There are {count:,} pictures, and at most {MAX_PICTURES:,} can be searched: give fewer.")

    def read() -> Iterator[tuple[str, bytes]]:
        for file in singles:
            yield file.name, file.bytes(MAX_BYTES + 1)  # more are refused when the picture is opened
        for archive in zips:
            with archive:
                for member, data in archive.read(lambda bad, error: library.pass_over(bad.filename, str(error))):
                    yield member.filename, data

    return count, read(), captions


def build(
    library: Library,
    files: Sequence[File],
    space: JointSpace | MiniSpace,
    *,
    read_words: Callable[[Image.Image], str] | None = None,
    on_done: Callable[[int, int], None] | None = None,
) -> Library:
    """Fills the library from files; what was read stays in it if `on_done` (done, all) ends the work by raising.

    `read_words` gives the words on a picture that has no caption of its own; where it cannot run, pictures go without.
    Raises `BadInput` where nothing could be read.
    """
    count, pictures, captions = pictures_in(files, library)
    entries: list[Entry] = []
    views: list[Image.Image] = []
    for done, (name, data) in enumerate(pictures, start=1):
        texts = captions.get(_last(name).lower(), [])
        with IN_FLIGHT.take(area_of(data)):
            try:
                image = open_picture(data).image
                if not texts and read_words is not None:
                    texts = list(filter(str.strip, [graphemes.first(read_words(image), MAX_CAPTION)]))
            except BadPicture as error:
                library.pass_over(name, f"{_last(name)}: {error}")
                image = None
            except PartUnavailable as error:
                library.problems.append(str(error))
                read_words = None
            if image is not None:
                entries.append(Entry(_last(name), _thumbnail(image), tuple(texts)))
                views.append(squash(image, space.side))
        if len(views) >= IMAGE_BATCH_SIZE:
            library.add(entries, views, space)
            entries, views = [], []
        if on_done is not None:
            on_done(done, count)
    if views:
        library.add(entries, views, space)
    if not library.entries:
        first = f" The first: {library.problems[0]}" if library.problems else ""
        raise BadInput(f"None of the {count:,} pictures could be opened.{first}")
    return library


def _take_captions(name: str, data: bytes, captions: dict[str, list[str]], library: Library) -> None:
    """Lines `NAME<tab>CAPTION` or `NAME,CAPTION`; Flickr8k writes `NAME#0`. Lines without a picture's name are no captions.

    A picture keeps its first `MAX_CAPTIONS`, and `MAX_CAPTION` characters of each.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        library.pass_over(name, f"{_last(name)} is not text in UTF-8, so its captions were passed over.")
        return
    delimiter = "\t" if "\t" in text[:10_000] else ","
    # In tables with tabs a quotation mark is a mark like any other, as in Flickr8k's own file.
    quoting: Literal[0, 3] = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    lost = 0
    try:
        for row in csv.reader(io.StringIO(text), delimiter=delimiter, quoting=quoting):
            picture = _last(row[0]).partition("#")[0].strip().lower() if row else ""
            words = row[1].strip() if len(row) > 1 else ""
            if words and picture.endswith(SUFFIXES):
                texts = captions.setdefault(picture, [])
                lost += len(texts) >= MAX_CAPTIONS or len(words) > MAX_CAPTION
                if len(texts) < MAX_CAPTIONS:
                    texts.append(graphemes.first(words, MAX_CAPTION))
    except csv.Error:
        library.pass_over(name, f"{_last(name)} is not a table of names and captions and was passed over.")
    if lost:
        limits = f"a picture keeps its first {MAX_CAPTIONS}, and {MAX_CAPTION:,} characters of each"
        library.problems.append(f"{_last(name)}: {lost:,} captions were cut or left out, since {limits}.")


def _thumbnail(image: Image.Image) -> bytes:
    small = image.copy()
    small.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.BICUBIC, reducing_gap=2.0)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=82)
    return buffer.getvalue()


def _last(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).name
