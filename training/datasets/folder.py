"""Where the data sets lie."""

from __future__ import annotations

import os
from pathlib import Path

from models.errors import BadInput


def data_folder(named: str | Path | None = None) -> Path:
    """The folder named, else `SUBTEXT_DATA`, else `data/`; `BadInput` where there is none."""
    folder = Path(named or os.environ.get("SUBTEXT_DATA") or "data")
    if not folder.is_dir():
        raise BadInput(f"There is no data folder at {folder}: name it with --data or in SUBTEXT_DATA (see the README).")
    return folder
