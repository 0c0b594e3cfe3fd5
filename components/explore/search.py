"""The search page's parts: what to search, what to look for, and what was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from PIL import Image

from components.shared import failures, highlighted_words, pictures
from components.shared.escaping import for_markdown, shorten
from components.shared.intake import KINDS
from components.shared.verdict import percent
from models.analysis import Bands, Caption, Meme
from models.errors import BadInput
from models.io.images import open_picture
from models.io.samples import samples
from models.io.uploads import MAX_FILE_MB, MEGABYTE, UPLOADS, VISITOR_BYTES
from models.runtime.turns import BATCH_S, patient
from models.search import collection as library
from models.search.collection import File, Library

if TYPE_CHECKING:
    from models.analyzer import Analyzer
    from models.search.joint_space import JointSpace, MiniSpace, SearchHit

MAX_SHOWN = 12
MAX_NAMES = 3  # files that the title of the problems names
BATCH_SIZE = 16  # memes that are scored together
_KEY = "search"


@dataclass
class Search:
    """One visitor's pictures and query; `number` counts collections, so that each has widgets of its own."""

    library: Library | None = None
    problem: str = ""
    number: int = 0
    vectors: dict[str, np.ndarray] = field(default_factory=dict)  # of the last query, by what was asked
    titles: dict[str, str] = field(default_factory=dict)  # what is shown in the place of a sample's file name


def current() -> Search:
    """The search of whoever is looking."""
    search: Search = st.session_state.setdefault(_KEY, Search())
    return search


def forget() -> None:
    """Starts anew: the collection and its index are dropped."""
    st.session_state[_KEY] = Search(number=current().number + 1)


def ask() -> tuple[list[File], bool] | None:
    """Draws the ways to give pictures; returns the files and whether to read their words once a button was pressed."""
    search = current()
    st.title("Search pictures by what is on them", anchor=False)
    st.markdown(
        "Give a collection; then type words or drop a picture, and the closest pictures and captions come first. "
        "The collection is kept for this visit only."
    )
    if search.problem:
        failures.tell(search.problem)
    files, folder = st.columns(2, gap="medium")
    with files, st.container(border=True, height="stretch"):
        uploads = st.file_uploader(
            "Files or a ZIP",
            type=[*KINDS, "zip", "txt", "csv", "tsv"],
            accept_multiple_files=True,
            max_upload_size=MAX_FILE_MB,
            key=f"search-files-{search.number}",
            help=f"Pictures, or a ZIP of up to {MAX_FILE_MB} MB; {VISITOR_BYTES // MEGABYTE} MB together. A table of NAME and "
            "CAPTION (.txt, .csv) beside them is used too.",
        )
    with folder, st.container(border=True, height="stretch"):
        folder_files = st.file_uploader(
            "A folder",
            accept_multiple_files="directory",
            max_upload_size=MAX_FILE_MB,
            key=f"search-folder-{search.number}",
            help="All pictures in it and in the folders below.",
        )
    given = [*uploads, *folder_files]
    how = "About half a second a picture. The words become captions that can be searched, and count for the hate score."
    read_words = st.toggle("Read the words on the pictures", key=f"search-ocr-{search.number}", help=how)
    with st.container(horizontal=True):
        if st.button("Index them", type="primary", icon=":material/database:", disabled=not given):
            search.titles = {}
            try:
                return [File(file.name, UPLOADS.source(file.getvalue())) for file in given], read_words
            except BadInput as error:
                search.problem = str(error)
                st.rerun()
        if st.button("Use the sample memes", icon=":material/photo_library:"):
            return _sample_files(), read_words
    return None


def _sample_files() -> list[File]:
    """The sample memes with the words on them as captions, as the other pages judge them, shown under their titles."""
    gallery = {sample.file.name: sample for sample in samples()}
    current().titles = {name: sample.label for name, sample in gallery.items()}
    table = "\n".join(f"{name}\t{' '.join((item.caption or item.alt).split())}" for name, item in gallery.items())
    files = [File(name, sample.file.read_bytes()) for name, sample in gallery.items()]
    return [File("captions.txt", table.encode()), *files]


def index(files: Sequence[File], read_words: bool, analyzer: Analyzer, space: JointSpace | MiniSpace) -> None:
    """Builds the collection with a progress bar. A stop keeps what was indexed: the script ends at the bar's next step."""
    search = current()
    search.problem, built = "", Library()
    bar = st.progress(0.0, "Looking at the files")
    st.button("Stop and search what is there", icon=":material/stop_circle:")

    def show(done: int, count: int) -> None:
        if len(built) and search.library is None:
            search.library = built  # from here on a stop has something to search
        if done % 4 == 0 or done == count:
            bar.progress(done / count, f"{done:,} of {count:,} pictures")

    def words_on(image: Image.Image) -> str:
        return " ".join(line.text for line in analyzer.reader.read(image) if line.text)

    try:
        with patient(BATCH_S):
            search.library = library.build(
                built, files, space, read_words=words_on if read_words else None, on_done=show
            )
    except Exception as error:
        search.library, search.problem = None, failures.sentence(error)
    st.rerun()


def query(space: JointSpace | MiniSpace) -> np.ndarray | None:
    """Draws both ways to ask; returns the vector of the query, None before there is one. Words count before a picture."""
    search = current()
    left, right = st.columns([3, 2], gap="medium")
    key = f"search-words-{search.number}"
    content = UPLOADS.content
    words = left.text_input("Words", placeholder="a dog in the snow", max_chars=500, key=key).strip()
    key = f"search-picture-{search.number}"
    file = right.file_uploader("Or a picture", type=KINDS, max_upload_size=10, key=key)
    if words and file is not None:
        st.caption(":material/info: The words count as long as there are any: clear them to search by the picture.")
    if words:
        query, embed = f"words:{words}", lambda: space.embed_texts([words])
    elif file is not None:
        query, embed = (
            f"picture:{file.file_id}",
            lambda: space.embed_images([open_picture(content(file.getvalue())).image]),
        )
    else:
        return None
    if query not in search.vectors:
        search.vectors = {query: embed()[0]}
    return search.vectors[query]


def score(rows: Sequence[int], library: Library, analyzer: Analyzer) -> None:
    """Computes the hate scores of the entries that have none yet, with a bar where that takes long."""
    missing = [library.entries[row] for row in rows if library.entries[row].score is None]
    bar = st.progress(0.0, "Judging the pictures") if len(missing) > 4 * BATCH_SIZE else None
    for start in range(0, len(missing), BATCH_SIZE):
        batch = missing[start : start + BATCH_SIZE]
        memes = [Meme(entry.picture(), Caption(" ".join(entry.captions), "override")) for entry in batch]
        for entry, verdict in zip(batch, analyzer.score(memes), strict=True):
            entry.score = verdict.probability
        if bar is not None:
            done = start + len(batch)
            bar.progress(done / len(missing), f"Judged {done:,} of {len(missing):,}")
    if bar is not None:
        bar.empty()


def filtered(library: Library, analyzer: Analyzer) -> list[int] | None:
    """The entries whose hate score lies in the range of the slider; None while the range is everything."""
    meaning = (
        "The calibrated probability that the picture with its caption is hateful. Narrowing the range judges all pictures, "
        "which takes a few hundredths of a second each."
    )
    key = f"search-range-{current().number}"
    low, high = st.slider("Hate score", 0, 100, (0, 100), format="%d%%", key=key, help=meaning)
    st.caption(
        "Judged are the picture and the caption that came with it. Words that only the picture shows count where they were "
        "read at indexing; without them the score is rough, and Analyze may say another."
    )
    if (low, high) == (0, 100):
        return None
    score(range(len(library)), library, analyzer)
    return [row for row, entry in enumerate(library.entries) if low <= 100 * (entry.score or 0.0) <= high]


def explained(hits: Sequence[SearchHit], count: int, what: str, more: str = "") -> str:
    """What is shown and what its numbers mean."""
    return (
        f"The closest {len(hits):,} of {count:,} {what}{more}; they come even where nothing fits. The number is the cosine: "
        "1 is the same, and words and a picture that fit lie far lower than two pictures do."
    )


def thumbnails(hits: Sequence[SearchHit], library: Library, bands: Bands, place: str, *, alike: bool = False) -> None:
    """A grid of pictures with similarity and score. A picture above the review threshold stays blurred until clicked,
    and so does every picture while the sidebar's switch is on.

    Of pictures that are `alike`, one above the threshold blurs them all: a near-copy would show what the other hides.
    """
    all_risky = alike and any((library.entries[hit.row].score or 0.0) >= bands.review_from for hit in hits)
    with st.grid(columns=4, min_column_width=150, gap="small") as grid:
        for hit in hits:
            entry = library.entries[hit.row]
            key = f"search-{current().number}-{hit.row}"
            risky = all_risky or (entry.score or 0.0) >= bands.review_from
            image = entry.picture()
            with grid.cell(), st.container(gap="xsmall"):
                if pictures.hidden(key, always=risky):
                    button, icon = f"show-{place}-{key}", ":material/visibility:"
                    st.image(pictures.blurred(image), alt="A blurred picture", width="stretch")
                    st.button("Show", key=button, icon=icon, on_click=pictures.reveal, args=(key,))
                else:
                    described = shorten(hit.caption or (entry.captions[0] if entry.captions else entry.name), 120)
                    st.image(image, alt=described, width="stretch", output_format="JPEG")
                if hit.caption:
                    st.html(highlighted_words.plain(shorten(hit.caption, 140), size="1rem"))
                labels = [] if hit.similarity is None else [f"**{hit.similarity:.2f}**"]
                if entry.score is not None:
                    labels.append(f"hate {percent(entry.score)}")
                labels.append(for_markdown(shorten(current().titles.get(entry.name, entry.name), 28)))
                st.caption(" · ".join(labels))


def duplicates(library: Library, space: JointSpace | MiniSpace, analyzer: Analyzer, bands: Bands) -> None:
    """Groups of pictures that are nearly the same."""
    groups = library.near_duplicates(space.same)
    if not groups:
        st.info("No two pictures are nearly the same.", icon=":material/check:")
    shown = groups[:10]
    score([row for group in shown for row in group[:MAX_SHOWN]], library, analyzer)
    for number, group in enumerate(shown, start=1):
        nearest = library.pictures.search(library.pictures.vector(group[0]), len(group) + 1, among=group)
        st.markdown(f"**Group {number}**: {len(group):,} pictures")
        thumbnails(nearest[:MAX_SHOWN], library, bands, f"same-{number}", alike=True)
    if len(groups) > len(shown):
        st.caption(f"The {len(shown)} largest of {len(groups):,} groups.")


def unread(names: Sequence[str]) -> str:
    """The title of the problems, as Markdown: which files could not be used, the first `MAX_NAMES` of them by name."""
    if not names:
        return "Something could not be read"  # the OCR cannot run, which is no file's fault
    listed = ", ".join(for_markdown(shorten(name, 40)) for name in names[:MAX_NAMES])
    return f"Could not be used: {listed}{f' and {len(names) - MAX_NAMES:,} more' if len(names) > MAX_NAMES else ''}"


def problems(library: Library) -> None:
    """What could not be read: the names in sight, the reasons in an expander."""
    if library.problems:
        with st.expander(unread(library.unread), icon=":material/info:"):
            for line in library.problems[:20]:
                st.markdown(f"- {for_markdown(shorten(line, 300))}")
            if len(library.problems) > 20:
                st.caption(f"and {len(library.problems) - 20:,} more")
