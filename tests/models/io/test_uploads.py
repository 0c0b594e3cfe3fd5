"""Uploads on disk: what a visitor and all together may have, and when they go."""

from __future__ import annotations

import io
import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from models.errors import BadInput
from models.io import uploads as module
from models.io.uploads import NoRoom, Upload, Uploads

ROOT = Path(__file__).resolve().parents[3]
Arrive = Callable[..., Upload]


@pytest.fixture
def uploads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Uploads:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return Uploads()


@pytest.fixture
def arrive(uploads: Uploads) -> Arrive:
    def arrive(data: bytes = b"data", visitor: str = "v", session: str = "s", name: str = "f") -> Upload:
        upload = uploads.begin(visitor, session, name)
        uploads.count(upload, len(data))
        uploads.write(upload, io.BytesIO(data))
        return upload

    return arrive


def files(uploads: Uploads) -> int:
    return len(list(uploads.folder.path.iterdir()))


def test_a_token_stands_for_its_file_until_it_is_removed(
    uploads: Uploads, arrive: Arrive, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = arrive(b"a picture")
    assert uploads.content(upload.token) == b"a picture"
    assert uploads.content(b"not a token") == b"not a token"
    monkeypatch.setattr(module, "MAX_CONTENT_MB", 0)
    with pytest.raises(BadInput, match="give a smaller one"):
        uploads.content(upload.token)
    uploads.remove_named("another session", "f")
    assert uploads.source(upload.token) == upload.path
    uploads.remove_named("s", "f")
    with pytest.raises(BadInput, match="choose it again"):
        uploads.source(upload.token)
    assert files(uploads) == 0


def test_a_visitor_and_all_together_have_a_limit(
    uploads: Uploads, arrive: Arrive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "VISITOR_BYTES", 10)
    monkeypatch.setattr(module, "TOTAL_BYTES", 15)
    first = arrive(b"12345678")
    with pytest.raises(NoRoom, match="remove some"):
        arrive(b"123")
    arrive(b"1234567", visitor="w")
    with pytest.raises(NoRoom, match="later"):
        arrive(b"1", visitor="x")
    uploads.remove(first)
    uploads.remove(first)  # counts once
    arrive(b"12345678", visitor="x")


def test_files_go_when_their_page_was_closed_or_open_for_too_long(
    uploads: Uploads, arrive: Arrive, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrive(session="open"), arrive(session="left")
    now = module.time.monotonic()
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    now += module.LEFT_TTL_S - 10
    uploads.expire(lambda session: session == "open")
    assert files(uploads) == 2  # it may come back
    now += 20
    uploads.expire(lambda session: session == "open")
    assert files(uploads) == 1
    now += module.TTL_S
    uploads.expire(lambda _: True)
    assert files(uploads) == 0


def test_who_takes_files_over_removes_them(uploads: Uploads, arrive: Arrive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "VISITOR_BYTES", 4)
    upload = arrive()
    (taken,) = uploads.hand_over({upload.path, Path("another")})
    uploads.remove_named("s", "f")
    assert upload.path.is_file()
    with pytest.raises(NoRoom):  # it still counts
        arrive()
    uploads.remove(taken)
    arrive()


def test_streamlit_is_told_the_same_limit() -> None:
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert config["server"]["maxUploadSize"] == module.MAX_FILE_MB
