"""What a data set declares about itself, and the one way in which all of them are loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from training.datasets.base import LoadResult, Row, data_folder
from training.datasets.parquet import parquet_path, read_file


@dataclass(frozen=True)
class Dataset:
    """A data set: the columns of its Parquet files, and readers for its official layout, where it has one.

    label, identity, details: columns of the label, the row's name and further official values. required: columns that a
    published split must have. official_split: rows of a split from the official files under the data folder, None where
    there are no such files. official_file: rows of one official file. on_request: its owners give it out on request.
    """

    name: str
    required: tuple[str, ...] = ()
    label: str | None = "label"
    identity: str = "id"
    details: tuple[str, ...] = ()
    official_split: Callable[[Path, str], LoadResult | None] | None = None
    official_file: Callable[[Path], LoadResult] | None = None
    on_request: bool = False

    def load(self, split: str, folder: str | Path | None = None) -> LoadResult:
        """Rows of a split and problems: from Parquet if the training split is there, else from the official files.

        A split that the official layout does not have is empty. Raises `BadInput` for files or columns that are missing.
        """
        root = data_folder(folder)
        if self.official_split and not (root / f"{self.name}.train.parquet").is_file():
            result = self.official_split(root, split)
            if result is not None:
                return result
        return self.read_parquet(parquet_path(self.name, split, root), self.required, source=self.name), []

    def read_parquet(
        self, path: Path, required: Iterable[str] = (), *, source: str | None = None, limit: int | None = None
    ) -> list[Row]:
        """Rows of any Parquet file with this data set's columns; see `parquet.read_file`."""
        return read_file(
            path,
            source=source,
            label=self.label,
            identity=self.identity,
            details=self.details,
            required=required,
            limit=limit,
        )
