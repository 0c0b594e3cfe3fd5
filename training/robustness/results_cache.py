"""Results of a study, line by line on the disk: a run that was killed goes on from where it stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Result = dict[str, Any]


class ResultsCache:
    """Results by key in a file of JSON lines; results under another `stamp` (settings, weights) are discarded."""

    def __init__(self, path: Path, stamp: Result) -> None:
        self._path = path
        self._results: dict[str, Result] = {}
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        entries = [entry for entry in map(_parse, lines) if entry is not None]
        if entries and entries[0] == {"stamp": stamp}:
            self._results = {entry["key"]: entry["found"] for entry in entries[1:] if "key" in entry}
        path.parent.mkdir(parents=True, exist_ok=True)
        # Written anew, so that half a line from a killed run does not swallow the next one.
        entries = [{"stamp": stamp}, *({"key": key, "found": result} for key, result in self._results.items())]
        path.write_text("".join(json.dumps(entry) + "\n" for entry in entries), encoding="utf-8")

    def get(self, key: str, compute: Callable[[], Result]) -> Result:
        """The stored result under `key`, else what `compute` gives, which is stored."""
        if key not in self._results:
            self._results[key] = compute()
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"key": key, "found": self._results[key]}) + "\n")
        return self._results[key]


def _parse(line: str) -> Result | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None
