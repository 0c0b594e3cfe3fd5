"""What a study has found so far, line by line on the disk: a run that was killed goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Found = dict[str, Any]


class Kept:
    """Findings by key in a file of JSON lines; those made under another `stamp` (settings, weights) are thrown away."""

    def __init__(self, path: Path, stamp: Found) -> None:
        self._path = path
        self._found: dict[str, Found] = {}
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        held = [one for one in map(_read, lines) if one is not None]
        if held and held[0] == {"stamp": stamp}:
            self._found = {one["key"]: one["found"] for one in held[1:] if "key" in one}
        path.parent.mkdir(parents=True, exist_ok=True)
        # Written anew, so that half a line from a killed run does not swallow the next one.
        whole = [{"stamp": stamp}, *({"key": key, "found": found} for key, found in self._found.items())]
        path.write_text("".join(json.dumps(one) + "\n" for one in whole), encoding="utf-8")

    def get(self, key: str, find: Callable[[], Found]) -> Found:
        """What was found under `key` before, else what `find` finds now."""
        if key not in self._found:
            self._found[key] = find()
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"key": key, "found": self._found[key]}) + "\n")
        return self._found[key]


def remembered(folder: Path, name: str, of: bytes, compute: Callable[[], np.ndarray]) -> np.ndarray:
    """An array from `folder`, or computed and left there; `of` is hashed and tells what it was computed from."""
    file = folder / f"{name}-{hashlib.sha256(of).hexdigest()[:20]}.npy"
    if file.is_file():
        return np.asarray(np.load(file))
    found = compute()
    folder.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part.npy")
    np.save(part, found)
    part.replace(file)  # only a whole file has the name that is looked for
    return found


def _read(line: str) -> Found | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
