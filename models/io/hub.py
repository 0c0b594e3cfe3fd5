"""The only place that downloads: pinned revisions, resumed where they stopped, checked by their hashes.

Files lie in huggingface_hub's own cache (`HF_HOME`, `HF_HUB_CACHE`), so that other programs share them; the endpoint and
the token are its own too (`HF_ENDPOINT`, `HF_TOKEN`), and `HF_HUB_OFFLINE` forbids downloads. `SUBTEXT_MODELS` names a
folder with ORGANISATION/NAME (or ORGANISATION--NAME, or NAME) in it that is used instead, as it is.

huggingface_hub throws a partial file away when a download fails, and checks its length only. So the bytes are fetched
here, by its own `http_get`, into the cache's folder of blobs, where a partial file stays to be continued; it gets its
final name, the hash that the hub tells, only when the bytes have that hash.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from models.errors import BadInput, BadWeights
from models.io.downloads import NoSuchFile, OnProgress, Progress, Unreachable, bar, sentences

__all__ = [
    "OnProgress",
    "Progress",
    "Repo",
    "Unreachable",
    "fetch",
    "fetch_dataset",
    "fetch_zipped",
    "is_local",
    "offline",
    "reachable",
]

GENEROUS = 10.0  # seconds that a hub may take to answer at all


@dataclass(frozen=True)
class Repo:
    """Files of one repository at one revision. Of each group of `files` the first that the hub has is taken.

    `optional` files are taken where they exist.
    """

    id: str
    revision: str
    files: tuple[tuple[str, ...], ...]
    optional: tuple[str, ...] = ()
    kind: Literal["model", "dataset"] = "model"

    def __str__(self) -> str:
        return f"{self.id} at {self.revision[:12]}"


def fetch(repo: Repo, on_progress: OnProgress | None = None) -> Path:
    """The folder with the repository's files, downloaded where they are not here yet.

    Raises `Unreachable` without a connection, `BadInput` for a repository, revision or file that does not exist,
    `BadWeights` where what arrived is not what the hub promised.
    """
    folder = local_folder(repo)
    if folder is not None:
        return folder
    for name in () if is_local(repo) else repo.optional:  # first, so that what is needed is there last
        try:
            _file(repo, name, on_progress)
        except NoSuchFile:
            continue
    found = [_first(repo, group, on_progress) for group in repo.files]
    name = next(group[0] for group in repo.files)
    return _root(found[0], name)


def is_local(repo: Repo) -> bool:
    """Whether all that is needed lies on this machine already."""
    if local_folder(repo) is not None:
        return True
    return all(any(_cached(repo, name) is not None for name in group) for group in repo.files)


def reachable() -> bool:
    """Whether the hub answers and downloads are allowed. Takes at most a few seconds."""
    import httpx2 as http
    from huggingface_hub import constants

    if offline():
        return False
    try:
        http.head(os.environ.get("HF_ENDPOINT") or constants.ENDPOINT, timeout=3.0)
    except http.HTTPError:
        return False
    return True


def offline() -> bool:
    """Whether `HF_HUB_OFFLINE` forbids downloads."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def local_folder(repo: Repo) -> Path | None:
    """The repository inside `SUBTEXT_MODELS`; raises `BadInput` where the folder lacks a file."""
    named = os.environ.get("SUBTEXT_MODELS")
    if not named:
        return None
    for name in (repo.id, repo.id.replace("/", "--"), repo.id.split("/")[-1]):
        folder = Path(named) / name
        if folder.is_dir():
            for group in repo.files:
                if not any((folder / file).is_file() for file in group):
                    raise BadInput(
                        f"{folder} lacks {group[0]}: copy the whole of {repo.id} there, or unset SUBTEXT_MODELS."
                    )
            return folder
    return None


def _first(repo: Repo, names: Sequence[str], on_progress: OnProgress | None) -> Path:
    for name in names:  # what is here already is preferred to what would have to be fetched
        found = _cached(repo, name)
        if found is not None:
            return _checked(repo, name, found)
    for name in names[:-1]:
        try:
            return _file(repo, name, on_progress)
        except NoSuchFile:
            continue
    return _file(repo, names[-1], on_progress)


def _file(repo: Repo, name: str, on_progress: OnProgress | None) -> Path:
    found = _cached(repo, name)
    if found is not None:
        return _checked(repo, name, found)
    if offline():
        raise Unreachable(
            f"{name} of {repo.id} is not on this machine and HF_HUB_OFFLINE forbids to download it: unset "
            "HF_HUB_OFFLINE, or name a folder that has it in SUBTEXT_MODELS."
        )
    with sentences(repo.id, repo.revision, name):
        return _download(repo, name, on_progress)


def _download(repo: Repo, name: str, on_progress: OnProgress | None) -> Path:
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import WeakFileLock, build_hf_headers

    named: Any = {"repo_type": repo.kind, "revision": repo.revision, "endpoint": os.environ.get("HF_ENDPOINT")}
    url = hf_hub_url(repo.id, name, **named)
    told = get_hf_file_metadata(url, timeout=GENEROUS, endpoint=named["endpoint"])
    if told.etag is None:
        raise BadWeights(f"The hub does not tell the hash of {name} of {repo.id}: check HF_ENDPOINT.")
    blob = _cache() / _repo_folder(repo) / "blobs" / told.etag
    part = blob.with_name(f"{blob.name}.subtext-part")
    part.parent.mkdir(parents=True, exist_ok=True)
    with WeakFileLock(blob.with_name(f"{blob.name}.lock")):
        if not blob.is_file():
            # The token goes to the hub itself only, not to the store that it points to.
            headers = build_hf_headers() if told.location == url else build_hf_headers(token=False)
            if part.is_file() and told.size is not None and part.stat().st_size > told.size:
                part.unlink()
            with part.open("ab") as file:
                http_get(
                    told.location,
                    file,
                    resume_size=part.stat().st_size,
                    headers=headers,
                    expected_size=told.size,
                    tqdm_class=bar(name, on_progress),
                )
            if digest(part, told.etag) != told.etag:
                part.unlink()
                raise _damaged(repo, name)
            part.replace(blob)
    return Path(hf_hub_download(repo.id, name, cache_dir=_cache(), **named))  # finds the blob and links to it


def _cached(repo: Repo, name: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repo.id, name, cache_dir=_cache(), revision=repo.revision, repo_type=repo.kind)
    return Path(found) if isinstance(found, str) else None


def _checked(repo: Repo, name: str, path: Path) -> Path:
    """The file, if its bytes have the hash that its blob is named by; a damaged one is removed first."""
    blob = path.resolve()
    if len(blob.name) in (40, 64) and digest(blob, blob.name) != blob.name:
        path.unlink()
        blob.unlink(missing_ok=True)
        raise _damaged(repo, name)
    return path


def digest(path: Path, like: str) -> str:
    """The hash of a file of the kind that `like` is: SHA-256, or git's SHA-1 of a blob, which small files have."""
    if len(like) == 64:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    if len(like) == 40:
        return hashlib.sha1(b"blob %d\0" % path.stat().st_size + path.read_bytes(), usedforsecurity=False).hexdigest()
    return like  # a mirror with hashes of its own: nothing to compare with


def _damaged(repo: Repo, name: str) -> BadWeights:
    return BadWeights(
        f"{name} of {repo.id} arrived damaged (its hash is not the one that the hub tells) and was removed: try again."
    )


def _cache() -> Path:
    from huggingface_hub import constants

    return Path(os.environ.get("HF_HUB_CACHE") or constants.HF_HUB_CACHE)


def _repo_folder(repo: Repo) -> str:
    return f"{repo.kind}s--{repo.id.replace('/', '--')}"


def _root(path: Path, name: str) -> Path:
    """The snapshot's folder of a file that may lie deeper."""
    return path.parents[name.count("/")]


def fetch_zipped(url: str, name: str, md5: str, folder: Path, on_progress: OnProgress | None = None) -> Path:
    """`folder`/`name` out of the archive at `url`, downloaded where it is not there yet; checked by its MD5.

    Raises `Unreachable` without a connection, `BadWeights` where the file is damaged.
    """
    file = folder / name
    if file.is_file():
        if _md5(file) == md5:
            return file
        raise BadWeights(f"{file} is damaged (its MD5 is not the one that EasyOCR names): remove it and try again.")
    if offline():
        raise Unreachable(
            f"{name} is not in {folder} and HF_HUB_OFFLINE forbids to download it: unset it, or copy it there."
        )
    from huggingface_hub.file_download import http_get

    archive = folder / f"{name}.zip.subtext-part"
    folder.mkdir(parents=True, exist_ok=True)
    if not (archive.is_file() and zipfile.is_zipfile(archive)):  # one that was whole already needs no more of it
        with sentences(url.split("/")[2], "", name), archive.open("ab") as part:
            http_get(url, part, resume_size=archive.stat().st_size, tqdm_class=bar(name, on_progress))
    try:
        with zipfile.ZipFile(archive) as opened:
            opened.extract(name, folder)
    except (zipfile.BadZipFile, KeyError, zlib.error) as error:
        file.unlink(missing_ok=True)  # what was unpacked up to there
        raise BadWeights(f"The archive of {name} arrived damaged and was removed: try again.") from error
    finally:
        archive.unlink()
    if _md5(file) != md5:
        file.unlink()
        raise BadWeights(
            f"{name} arrived damaged (its MD5 is not the one that EasyOCR names) and was removed: try again."
        )
    return file


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def fetch_dataset(name: str, revision: str = "", on_progress: OnProgress | None = None) -> Path:
    """The folder with all Parquet files of a data set of the Hub, at the commit that `revision` names now.

    Raises as `fetch` does, and `BadInput` where the data set has no Parquet files.
    """
    from huggingface_hub import HfApi

    if offline() or not reachable():
        raise Unreachable(
            f"The hub cannot be reached for {name}: check the connection, or name a folder that has its files."
        )
    with sentences(name, revision or "main", "the list of files"):
        told = HfApi(endpoint=os.environ.get("HF_ENDPOINT")).dataset_info(name, revision=revision or None)
    files = [one.rfilename for one in told.siblings or () if one.rfilename.endswith(".parquet")]
    if not files:
        raise BadInput(
            f"{name} has no Parquet files at this revision: name refs/convert/parquet as the revision, which the Hub makes "
            "of most data sets."
        )
    return fetch(Repo(name, told.sha or revision, tuple((file,) for file in files), kind="dataset"), on_progress)
