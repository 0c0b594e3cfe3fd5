"""A meme's answer as one flat row: what a batch writes and a table shows. Nothing here computes."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from models.analysis import Harm, Label, Meme, Source, Verdict


@dataclass(frozen=True)
class Row:
    """`status` is `error` where the meme could not be used; then `error` is its sentence and the rest is empty.

    id: the file's name or what the input called it. language: the caption's, as in `Caption`. read_as: the reading that decided,
    if not the words as written. systems: the category that each further system gave, by name.
    """

    id: str
    status: Literal["ok", "error"]
    label: Label | None = None
    probability: float | None = None
    logit: float | None = None
    harm: float | None = None
    caption: str = ""
    caption_source: Source = "none"
    sha256: str | None = None
    error: str = ""
    language: str | None = None
    read_as: str = ""
    systems: Mapping[str, str] = field(default_factory=dict)

    def flat(self) -> dict[str, Any]:
        """Column by column, in the order of the columns; a further system's column has its name."""
        plain = {name: getattr(self, name) for name in COLUMNS}
        return plain | {name.replace("-", "_"): category for name, category in self.systems.items()}


COLUMNS = tuple(column.name for column in fields(Row) if column.name != "systems")


def good(name: str, meme: Meme, verdict: Verdict, harm: Harm | None, systems: Mapping[str, str]) -> Row:
    """The row of a meme that was judged."""
    answers = verdict.label, verdict.probability, verdict.logit, None if harm is None else harm.probability
    caption, reading = meme.caption, verdict.reading
    read_as = reading.text if reading is not None and reading.decided else ""
    words = caption.text, caption.source
    return Row(name, "ok", *answers, *words, meme.sha256, language=caption.language, read_as=read_as, systems=systems)
