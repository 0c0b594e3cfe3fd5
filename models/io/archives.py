"""Untrusted ZIP files: read in memory, never unpacked to the disk, every limit checked before it costs anything.

The sizes that a ZIP announces are checked first and not trusted afterwards: reading stops where a member turns out larger
than announced (a "bomb", Fifield 2019). Names that climb out of their folder are refused although nothing is written:
later code may take them for paths.
"""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO
from zipfile import ZipInfo

from models.errors import BadInput
from models.io.images import SUFFIXES

MEGABYTE = 1024 * 1024
DIRECTORY_ENTRY = 300  # bytes of a ZIP's directory for a file: 46 and its path, on average
ENCRYPTED = 0x1  # bit 0 of a member's flags (APPNOTE.TXT, section 4.4.4)


class BadArchive(BadInput):
    """The bytes are not a ZIP file that can be read safely."""


@dataclass(frozen=True)
class Limits:
    """What is read at most: sizes in bytes, unpacked; `ratio` is unpacked to packed of one member."""

    members: int = 20_000
    member: int = 10 * MEGABYTE
    total: int = 2048 * MEGABYTE
    file: int = 500 * MEGABYTE
    ratio: float = 200.0


class Archive:
    """The members of a ZIP whose names end in one of `kinds`, without hidden files; `skipped` names the other members.

    Opening it checks names, number and announced sizes, so that a bad ZIP is refused before anything is unpacked. Not
    thread-safe.

    >>> with Archive(uploaded) as archive:
    ...     for member, data in archive.read():
    ...         ...
    """

    def __init__(
        self, source: bytes | BinaryIO, *, kinds: tuple[str, ...] = SUFFIXES, limits: Limits | None = None
    ) -> None:
        self.limits = limits or Limits()
        file = io.BytesIO(source) if isinstance(source, bytes) else source
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        if size > self.limits.file:
            most = _size(self.limits.file)
            raise BadArchive(f"The ZIP has {_size(size)}, and at most {most} can be read: split it into several.")
        self._zip = open_zip(file, self.limits.members)
        self.members: list[ZipInfo] = []
        self.skipped: list[str] = []
        try:
            self._check(kinds)
        except BadArchive:
            self._zip.close()
            raise

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def __len__(self) -> int:
        return len(self.members)

    def read(self, on_bad: Callable[[ZipInfo, BadArchive], None] | None = None) -> Iterator[tuple[ZipInfo, bytes]]:
        """Each member with its bytes. One that cannot be unpacked goes to `on_bad`, or is raised where there is none;
        when all together grow past the limit, `BadArchive` is raised in any case."""
        total = 0
        for member in self.members:
            try:
                data = self.open(member)
            except BadArchive as error:
                if on_bad is None:
                    raise
                on_bad(member, error)
                continue
            total += len(data)
            self._check_total(total)
            yield member, data

    def open(self, member: ZipInfo) -> bytes:
        """The bytes of one member; `BadArchive` if it is damaged or larger than it said."""
        try:
            with self._zip.open(member) as packed:
                data = packed.read(self.limits.member + 1)
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError) as error:
            raise BadArchive(f"{_short(member.filename)} in the ZIP is damaged: pack it anew.") from error
        self._check_size(member.filename, len(data))
        return data

    def _check(self, kinds: tuple[str, ...]) -> None:
        entries = [entry for entry in self._zip.infolist() if not entry.is_dir()]
        if len(entries) > self.limits.members:
            most = f"{self.limits.members:,}"
            raise BadArchive(f"The ZIP holds {len(entries):,} files, and at most {most} can be read: split it.")
        for entry in entries:
            name = entry.filename.replace("\\", "/")
            parts = PurePosixPath(name).parts
            if "\0" in entry.orig_filename or ".." in parts or (parts and parts[0].endswith(("/", ":"))):
                raise BadArchive(
                    f"The ZIP holds a path that climbs out of its folder ({_short(name)}), so none of it is read: "
                    "pack the pictures alone."
                )
            if stat.S_ISLNK(entry.external_attr >> 16) or not name.lower().endswith(kinds) or is_hidden(name):
                self.skipped.append(entry.filename)
                continue
            if entry.flag_bits & ENCRYPTED:
                raise BadArchive("The ZIP is locked with a password: pack it without one.")
            self._check_size(name, entry.file_size)
            ratio = entry.file_size / max(1, entry.compress_size)
            if entry.file_size > MEGABYTE and ratio > self.limits.ratio:
                raise BadArchive(
                    f"{_short(name)} would unpack to {ratio:,.0f} times its size, "
                    "as no picture does, so the ZIP is not read: pack the pictures anew."
                )
            self.members.append(entry)
        self._check_total(sum(entry.file_size for entry in self.members))

    def _check_size(self, name: str, size: int) -> None:
        if size > self.limits.member:
            most = _size(self.limits.member)
            raise BadArchive(
                f"{_short(name)} in the ZIP has {_size(size)}, and at most {most} can be read: make it smaller."
            )

    def _check_total(self, total: int) -> None:
        if total > self.limits.total:
            raise BadArchive(
                f"The ZIP would unpack to {_size(total)}, and at most {_size(self.limits.total)} can be read: "
                "split it into several."
            )


def open_zip(file: BinaryIO, members: int = Limits.members) -> zipfile.ZipFile:
    """The ZIP with its directory read. Raises `BadArchive` for no ZIP, and for a directory of far more than `members` files
    before anything is built of it: 47 bytes of it become an object of hundreds."""
    try:
        end = zipfile._EndRecData(file)  # type: ignore[attr-defined]  # as ZipFile itself will find it, also in ZIP64
        directory = end[zipfile._ECD_SIZE] if end else 0  # type: ignore[attr-defined]
        if directory <= members * DIRECTORY_ENTRY:
            return zipfile.ZipFile(file)
    except Exception as error:  # zipfile raises BadZipFile, and more where the directory is forged
        raise BadArchive(
            "This is not a ZIP file, or it is damaged or cut off: pack the pictures into a new ZIP and try again."
        ) from error
    raise BadArchive(f"The ZIP lists far more than the {members:,} files that can be read: split it.")


def is_zip(data: bytes | BinaryIO) -> bool:
    """Whether it begins as a ZIP does, whatever its name says."""
    start = data[:4] if isinstance(data, bytes) else data.read(4)
    if not isinstance(data, bytes):
        data.seek(0)
    return start in (b"PK\3\4", b"PK\5\6")


def is_hidden(path: str) -> bool:
    """Whether macOS or a file manager added the file or its folder: `__MACOSX/`, `._name`, `.name`."""
    return any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(path).parts)


def is_picture(path: str) -> bool:
    """Whether a file of a folder or a ZIP is a picture by the suffix of its name, and not hidden."""
    return path.lower().endswith(SUFFIXES) and not is_hidden(path)


def _short(name: str) -> str:
    name = "".join(character if character.isprintable() else "?" for character in name)
    return name if len(name) <= 60 else f"…{name[-59:]}"


def _size(count: int) -> str:
    return f"{count / 1024**3:,.1f} GB" if count >= 1024**3 else f"{count / MEGABYTE:,.1f} MB"
