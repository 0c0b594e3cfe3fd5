"""Collections from files and ZIPs over a space without models."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from PIL import Image

from models.errors import BadInput, PartUnavailable
from models.io.archives import BadArchive
from models.search.collection import MAX_CAPTION, MAX_CAPTIONS, MAX_TABLES, File, Library, build
from models.search.joint_space import Index
from tests import wordings
from tests.conftest import drawn
from tests.fakes import FakeSpace

COLOURS = {"red.png": (200, 20, 20), "green.png": (20, 200, 20), "blue.png": (20, 20, 200)}


@dataclass
class Colours(FakeSpace):
    """Counts how many pictures it is asked for at once."""

    calls: list[int] = field(default_factory=list)

    def embed_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        self.calls.append(len(images))
        return super().embed_images(images)


def plain(colour: tuple[int, int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (300, 200), colour).save(buffer, "PNG")
    return buffer.getvalue()


def files() -> list[File]:
    return [File(name, plain(colour)) for name, colour in COLOURS.items()]


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def test_words_find_pictures_and_captions() -> None:
    space, table = Colours(), b"red.png\ta red thing\nred.png#1\tred again\nblue.png\tsomething blue\n"
    library = build(Library(), [*files(), File("captions.txt", table)], space)
    assert [entry.name for entry in library.entries] == list(COLOURS)
    [query] = space.embed_texts(["the blue one"])
    assert library.entries[library.pictures.search(query, 1)[0].row].name == "blue.png"
    hits = library.search_captions(query, 3)
    assert (hits[0].caption, library.entries[hits[0].row].name) == ("something blue", "blue.png")
    assert library.entries[0].captions == ("a red thing", "red again")
    assert {hit.caption for hit in library.search_captions(query, 3, among=[0])} == {"a red thing", "red again"}


def test_a_zip_with_captions_in_folders() -> None:
    members = {f"memes/{name}": plain(colour) for name, colour in COLOURS.items()}
    members["memes/captions.csv"] = b'green.png,"grass, green"\n'
    library = build(Library(), [File("memes.zip", zipped(members))], Colours())
    assert len(library) == 3
    assert library.entries[1].captions == ("grass, green",)
    assert library.problems == []


def test_captions_are_capped_in_number_and_length_and_it_is_told() -> None:
    table = "".join(f"red.png#{n}\tcaption {n}\n" for n in range(MAX_CAPTIONS + 5)) + f"blue.png\t{'x' * 3_000}\n"
    library = build(Library(), [*files(), File("captions.txt", table.encode())], Colours())
    assert len(library.entries[0].captions) == MAX_CAPTIONS
    assert [len(text) for text in library.entries[2].captions] == [MAX_CAPTION]
    assert len(library.captions) == MAX_CAPTIONS + 1
    assert library.problems == [wordings.SIX_CAPTIONS_WERE_CUT_OR_LEFT_OUT]


def test_tables_of_captions_are_capped_together() -> None:
    table = b"red.png\tred\n" * (MAX_TABLES // 12 + 1)
    library = build(Library(), [*files(), File("large.txt", table), File("small.txt", b"red.png\tred")], Colours())
    assert library.entries[0].captions == ("red",)
    assert library.unread == ["large.txt"] and wordings.TABLES_OF_CAPTIONS_MAY_HAVE in library.problems[0]


def test_near_duplicates_are_compared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[float] = []
    monkeypatch.setattr(Index, "near_duplicates", lambda _, threshold: calls.append(threshold) or [[0, 1]])
    library = build(Library(), files(), Colours())
    assert library.near_duplicates(0.9) == library.near_duplicates(0.9) == [[0, 1]]
    library.add(library.entries[:1], [library.entries[0].picture()], Colours())
    library.near_duplicates(0.9)
    assert calls == [0.9, 0.9]


def test_progress_counts_every_picture_and_few_are_embedded_at_once() -> None:
    space, progress = Colours(), []
    build(
        Library(),
        [File(f"{n}.png", plain((n, n, n))) for n in range(10)],
        space,
        on_done=lambda *counts: progress.append(counts),
    )
    assert progress == [(n, 10) for n in range(1, 11)]
    assert space.calls == [4, 4, 2]


def test_stopping_keeps_what_is_there() -> None:
    library = Library()

    class Stopped(Exception):
        pass

    def stop(done: int, count: int) -> None:
        if done == 6:
            raise Stopped

    with pytest.raises(Stopped):
        build(library, [File(f"{n}.png", plain((n, 0, 0))) for n in range(10)], Colours(), on_done=stop)
    assert len(library) == len(library.pictures) == 4


def test_what_cannot_be_opened_is_told_and_the_rest_is_there() -> None:
    given = [*files(), File("broken.png", b"\x89PNG broken"), File("notes.docx", b"x")]
    library = build(Library(), given, Colours())
    assert len(library) == 3
    assert any("broken.png" in line for line in library.problems)
    assert any("notes.docx is neither" in line for line in library.problems)


def test_nothing_that_could_be_searched() -> None:
    with pytest.raises(BadInput, match="There is no picture in what you gave"):
        build(Library(), [File("a.txt", b"a.png\twords")], Colours())
    with pytest.raises(BadInput, match=r"None of the 1 pictures could be opened.*text file"):
        build(Library(), [File("a.png", b"just text")], Colours())
    with pytest.raises(BadInput, match="There is no picture"):
        build(Library(), [File("empty.zip", zipped({"notes.md": b"x"}))], Colours())
    with pytest.raises(BadArchive, match="not a ZIP file"):
        build(Library(), [File("fake.zip", b"not a zip")], Colours())
    with pytest.raises(BadArchive, match="climbs out"):
        build(Library(), [File("bad.zip", zipped({"../a.png": drawn()}))], Colours())


def test_words_are_read_only_where_no_caption_came() -> None:
    pictures: list[Image.Image] = []

    def read(image: Image.Image) -> str:
        pictures.append(image)
        return "read off it"

    library = build(Library(), [*files(), File("c.csv", b"red.png,red")], Colours(), read_words=read)
    assert [entry.captions for entry in library.entries] == [("red",), ("read off it",), ("read off it",)]
    assert len(pictures) == 2


def test_without_ocr_pictures_go_without_captions() -> None:
    def read(_: Image.Image) -> str:
        raise PartUnavailable("The OCR cannot run.")

    library = build(Library(), files(), Colours(), read_words=read)
    assert (len(library), library.problems) == (3, ["The OCR cannot run."])
