"""Memotion through Kaggle's own package against a server on this machine, and what a wrong kaggle.json is told."""

from __future__ import annotations

import base64
import io
import json
import os
import threading
import zipfile
from argparse import Namespace
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from models.errors import BadInput
from training.datasets import download

GOOD = "Basic " + base64.b64encode(b"somebody:secret").decode()


def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("memotion_dataset_7k/labels.csv", "image_name\n")
    return buffer.getvalue()


class Handler(BaseHTTPRequestHandler):
    paths: list[str] = []  # noqa: RUF012 # of the one server of a test

    def do_POST(self) -> None:
        self.paths.append(self.path)
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Authorization") != GOOD:
            self._send(401, b"{}", "application/json")
        elif self.path.endswith("DownloadDataset"):
            self._send(200, archive(), "application/zip")
        else:
            self._send(200, b"{}", "application/json")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            "Last-Modified": "Wed, 01 Jan 2025 00:00:00 GMT",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[type[Handler]]:
    pytest.importorskip("kaggle")
    from kaggle.api.kaggle_api_extended import KaggleApi
    from kagglesdk import kaggle_env

    Handler.paths = []
    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setattr(KaggleApi, "args", ["--local"])  # the package's own way to ask a server of this machine
    monkeypatch.setitem(
        kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.LOCAL, f"http://127.0.0.1:{running.server_port}"
    )
    yield Handler
    running.shutdown()
    thread.join()


def token(path: Path, **content: object) -> str:
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)


def test_downloads_and_unpacks(server: type[Handler], tmp_path: Path) -> None:
    name = token(tmp_path / "kaggle.json", username="somebody", key="secret")
    table = download.download(Namespace(name="memotion", kaggle_json=name, data=str(tmp_path / "data")))
    assert table == tmp_path / "data" / "memotion_dataset_7k" / "labels.csv"
    assert table.read_text() == "image_name\n"
    assert any(path.endswith("DownloadDataset") for path in server.paths)
    assert not list((tmp_path / "data").glob("*.zip"))
    assert "KAGGLE_KEY" not in os.environ


def test_a_refused_token_is_one_sentence(server: type[Handler], tmp_path: Path) -> None:
    name = token(tmp_path / "kaggle.json", username="somebody", key="wrong")
    with pytest.raises(BadInput, match=r"refuses this kaggle\.json") as caught:
        download.download(Namespace(name="memotion", kaggle_json=name, data=str(tmp_path / "data")))
    assert "wrong" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [("not json", "is no kaggle.json"), ('{"username": "a"}', "is no kaggle.json"), ("[1]", "is no kaggle.json"),
     ('{"username": "a", "key": " "}', "is empty")],
)  # fmt: skip
def test_a_wrong_file_is_one_sentence(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "kaggle.json").write_text(content)
    with pytest.raises(BadInput, match=message):
        download.credentials(tmp_path / "kaggle.json")


def test_a_missing_file_names_where_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"kaggle\.com, under Settings"):
        download.credentials(tmp_path / "none.json")
