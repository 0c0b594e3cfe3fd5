"""What visitors upload: files on disk, counted against what one visitor and all together may have here at a time.

Streamlit keeps each upload in memory until its visitor leaves. Here it keeps a token instead (`serving.uploads` puts it there),
and `source` gives the file for the token.
"""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from models.errors import BadInput, PartUnavailable
from models.io.temporary import TemporaryFolder

MEGABYTE = 1024**2
MAX_FILE_MB = 200  # of one file; `.streamlit/config.toml` says the same to Streamlit
MAX_CONTENT_MB = 10  # of one that is read whole: a picture, or a suite of cases
VISITOR_BYTES = 512 * MEGABYTE  # of all files that one visitor has here at a time
TOTAL_BYTES = 1024 * MEGABYTE  # of all files of all visitors
TTL_S = 7200.0  # while its page stays open
LEFT_TTL_S = 120.0  # after its page was closed; a connection that broke comes back within a minute
_MARK = b"subtext-upload:"


class NoRoom(PartUnavailable):
    """The visitor, or all visitors together, have as many bytes here as they may."""


@dataclass(eq=False)
class Upload:
    """A file: `visitor` pays for its bytes, `session` is the open page and `name` what Streamlit calls the file there."""

    visitor: str
    session: str
    name: str
    path: Path
    size: int = 0
    token: bytes = field(default_factory=lambda: _MARK + secrets.token_hex(16).encode())
    begun_at: float = field(default_factory=time.monotonic)
    open_at: float = field(default_factory=time.monotonic)  # when its page was last known to be open


class Uploads:
    """The uploads of this process. Thread-safe."""

    def __init__(self) -> None:
        self.folder = TemporaryFolder()
        self.refusals: dict[str, str] = {}  # by session: the sentence that Streamlit's uploader does not show
        self._lock = threading.Lock()
        self._uploads: dict[bytes, Upload] = {}
        self._sizes: Counter[str] = Counter()  # bytes of each visitor

    def begin(self, visitor: str, session: str, name: str) -> Upload:
        """An upload whose bytes are going to arrive."""
        upload = Upload(visitor, session, name, self.folder.path / secrets.token_hex(16))
        with self._lock:
            self._uploads[upload.token] = upload
        return upload

    def count(self, upload: Upload, size: int) -> None:
        """Count bytes that have arrived. Raises `NoRoom`."""
        with self._lock:
            if self._sizes[upload.visitor] + size > VISITOR_BYTES:
                most = f"{VISITOR_BYTES // MEGABYTE} MB"
                raise NoRoom(
                    f"You may have {most} of files here at a time: remove some, or wait until a batch is done."
                )
            if self._sizes.total() + size > TOTAL_BYTES:
                raise NoRoom("This server has as many files as it can hold: try again later.")
            self._sizes[upload.visitor] += size
            upload.size += size

    @staticmethod
    def write(upload: Upload, content: IO[bytes]) -> None:
        """Put what has arrived on disk."""
        with upload.path.open("xb") as file:
            shutil.copyfileobj(content, file, MEGABYTE)

    def source(self, data: bytes) -> bytes | Path:
        """The file of a token, or `data` itself where it is none: files that did not come over the network, as in tests.

        Raises `BadInput` if the file is gone.
        """
        if not data.startswith(_MARK):
            return data
        with self._lock:
            upload = self._uploads.get(data)
        if upload is None or not upload.path.is_file():
            raise BadInput("This file is not kept here any more: remove it and choose it again.")
        return upload.path

    def content(self, data: bytes) -> bytes:
        """As `source`, all of it in memory; `BadInput` also for more than `MAX_CONTENT_MB`."""
        source = self.source(data)
        size = len(source) if isinstance(source, bytes) else source.stat().st_size
        if size > MAX_CONTENT_MB * MEGABYTE:
            raise BadInput(f"The file has more than {MAX_CONTENT_MB} MB: give a smaller one.")
        return source if isinstance(source, bytes) else source.read_bytes()

    def hand_over(self, paths: Collection[Path]) -> list[Upload]:
        """The uploads with these files. Their pages lose them; who called must `remove` them."""
        with self._lock:
            uploads = [upload for upload in self._uploads.values() if upload.path in paths]
            for upload in uploads:
                del self._uploads[upload.token]
        return uploads

    def remove(self, *uploads: Upload) -> None:
        """Remove files; their bytes count no more. Those that are removed already stay so."""
        for upload in uploads:
            with self._lock:
                self._uploads.pop(upload.token, None)
                self._sizes[upload.visitor] -= upload.size
                upload.size = 0
                self._sizes += Counter()  # drops visitors without files
            upload.path.unlink(missing_ok=True)

    def remove_named(self, session: str, name: str) -> None:
        """Remove the file that a page calls by this name."""
        self._remove_if(lambda upload: (upload.session, upload.name) == (session, name))

    def expire(self, is_open: Callable[[str], bool]) -> None:
        """Remove the files of pages that were closed, and of those that have been open for too long."""
        now = time.monotonic()

        def is_old(upload: Upload) -> bool:
            if is_open(upload.session):
                upload.open_at = now
            return now - upload.open_at > LEFT_TTL_S or now - upload.begun_at > TTL_S

        self._remove_if(is_old)
        for session in [session for session in self.refusals if not is_open(session)]:
            self.refusals.pop(session, None)

    def _remove_if(self, condition: Callable[[Upload], bool]) -> None:
        with self._lock:
            uploads = list(self._uploads.values())
        self.remove(*filter(condition, uploads))


UPLOADS = Uploads()
