"""Downloads against a hub on this machine that serves good, slow, cut and corrupt files."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from models.errors import BadInput, BadWeights, SubtextError
from models.io import hub
from models.io.downloads import Progress, Unreachable
from tests import hub_for_tests
from tests.hub_for_tests import Hub

COMMIT = "a" * 40
REPO = hub.Repo("org/model", COMMIT, (("config.json",), ("model.safetensors", "pytorch_model.bin")), ("vocab.json",))


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "config.json").write_text('{"a": 1}')
    (folder / "model.safetensors").write_bytes(np.random.default_rng(0).bytes(60_000))
    with hub_for_tests.running() as running:
        running.serve("org/model", folder, COMMIT)
        monkeypatch.setenv("HF_ENDPOINT", running.address)
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        monkeypatch.delenv("SUBTEXT_MODELS", raising=False)
        monkeypatch.setattr("models.io.downloads.time.sleep", lambda _: None)
        monkeypatch.setattr("models.io.downloads.REPORT_EVERY", 5000)
        yield running


def weights_of(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def served(server: Hub) -> bytes:
    return weights_of(server.folders["org/model"])


def test_a_download_ends_in_the_hubs_own_cache_and_happens_once(server: Hub, tmp_path: Path) -> None:
    from huggingface_hub import try_to_load_from_cache

    assert not hub.is_local(REPO)
    folder = hub.fetch(REPO)
    assert weights_of(folder) == served(server)
    known = try_to_load_from_cache("org/model", "model.safetensors", cache_dir=tmp_path / "cache", revision=COMMIT)
    assert known == str(folder / "model.safetensors")
    assert hub.is_local(REPO)
    requests = dict(server.requests)
    assert hub.fetch(REPO) == folder
    assert dict(server.requests) == requests


def test_progress_is_reported_from_nothing_to_all_of_it(server: Hub) -> None:
    server.manner["model.safetensors"] = "slow"
    reports: list[Progress] = []
    hub.fetch(REPO, reports.append)
    of_weights = [report for report in reports if report.file == "model.safetensors"]
    assert of_weights[0].done == 0
    assert of_weights[-1] == Progress("model.safetensors", 60_000, 60_000)
    assert [report.done for report in of_weights] == sorted(report.done for report in of_weights)


def test_a_cut_connection_is_taken_up_again_within_the_call(server: Hub) -> None:
    server.manner["model.safetensors"] = "cut once"
    assert weights_of(hub.fetch(REPO)) == served(server)
    assert server.ranges == ["bytes=30000-"]
    assert server.sent["model.safetensors"] == 60_000


def test_a_download_that_broke_off_goes_on_in_the_next_call(server: Hub, tmp_path: Path) -> None:
    server.manner["model.safetensors"] = "cut"
    with pytest.raises(Unreachable, match=r"model\.safetensors of org/model broke off: try again"):
        hub.fetch(REPO)
    (part,) = (tmp_path / "cache").rglob("*.subtext-part")
    received = part.stat().st_size
    assert 30_000 <= received < 60_000
    server.manner.clear()
    server.ranges.clear()
    before = server.sent["model.safetensors"]
    assert weights_of(hub.fetch(REPO)) == served(server)
    assert server.ranges == [f"bytes={received}-"]
    assert server.sent["model.safetensors"] - before == 60_000 - received
    assert not part.exists()


def test_a_corrupt_download_is_removed_and_fetched_anew(server: Hub, tmp_path: Path) -> None:
    server.manner["model.safetensors"] = "corrupt"
    with pytest.raises(BadWeights, match=r"model\.safetensors of org/model arrived damaged .* try again"):
        hub.fetch(REPO)
    assert not list((tmp_path / "cache").rglob("*.subtext-part"))
    assert not hub.is_local(REPO)
    server.manner.clear()
    assert weights_of(hub.fetch(REPO)) == served(server)


def test_a_file_that_rots_in_the_cache_is_removed_and_fetched_anew(server: Hub) -> None:
    blob = (hub.fetch(REPO) / "model.safetensors").resolve()
    blob.write_bytes(b"rot")
    with pytest.raises(BadWeights, match="damaged"):
        hub.fetch(REPO)
    assert weights_of(hub.fetch(REPO)) == served(server)


def test_the_second_name_is_taken_where_the_first_is_missing(server: Hub) -> None:
    folder = server.folders["org/model"]
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert (hub.fetch(REPO) / "pytorch_model.bin").is_file()


@pytest.mark.parametrize(
    ("repo", "sentence"),
    [
        (hub.Repo("org/model", "b" * 40, REPO.files), "has no revision b+: name another one"),
        (hub.Repo("org/mode", COMMIT, REPO.files), "no repository org/mode on the hub"),
        (hub.Repo("org/model", COMMIT, (("tensors.bin",),)), r"has no file tensors\.bin"),
    ],
)
def test_what_does_not_exist_is_said(server: Hub, repo: hub.Repo, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        hub.fetch(repo)


def test_an_unreachable_hub_is_a_sentence(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert not hub.reachable()
    with pytest.raises(
        Unreachable, match=r"cannot be reached: check the connection, or name a folder .* SUBTEXT_MODELS"
    ):
        hub.fetch(REPO)


def test_offline_uses_what_is_here_and_asks_nobody(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.fetch(REPO)
    assert hub.reachable()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    requests = dict(server.requests)
    assert weights_of(hub.fetch(REPO)) == served(server)
    assert not hub.reachable()
    with pytest.raises(Unreachable, match="HF_HUB_OFFLINE forbids"):
        hub.fetch(hub.Repo("org/other", COMMIT, REPO.files))
    assert dict(server.requests) == requests


@pytest.mark.parametrize("name", ["org/model", "org--model", "model"])
def test_a_local_folder_comes_first(server: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    mine = tmp_path / "mine" / name
    mine.mkdir(parents=True)
    monkeypatch.setenv("SUBTEXT_MODELS", str(tmp_path / "mine"))
    (mine / "config.json").write_text("{}")
    with pytest.raises(BadInput, match=r"lacks model\.safetensors: copy the whole of org/model there"):
        hub.fetch(REPO)
    (mine / "model.safetensors").write_bytes(b"mine")
    assert hub.fetch(REPO) == mine
    assert hub.is_local(REPO)
    assert not server.requests


def test_a_zip_is_unpacked_once_and_checked(server: Hub, tmp_path: Path) -> None:
    zips, folder, data = tmp_path / "zips", tmp_path / "easy" / "model", b"tensors" * 5000
    zips.mkdir()
    server.folders["zips"] = zips
    with zipfile.ZipFile(zips / "craft.zip", "w") as archive:
        archive.writestr("craft.pth", data)
    url, md5 = f"{server.address}/zips/craft.zip", hashlib.md5(data).hexdigest()
    server.manner["craft.zip"] = "corrupt"
    with pytest.raises(SubtextError, match="damaged"):
        hub.fetch_zipped(url, "craft.pth", md5, folder, None)
    server.manner.clear()
    assert hub.fetch_zipped(url, "craft.pth", md5, folder, None).read_bytes() == data
    requests = server.requests["craft.zip"]
    hub.fetch_zipped(url, "craft.pth", md5, folder, None)
    assert server.requests["craft.zip"] == requests
    with pytest.raises(BadWeights, match="MD5"):
        hub.fetch_zipped(url, "craft.pth", "0" * 32, folder, None)
