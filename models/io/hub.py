"""Files of huggingface_hub repositories: at pinned revisions, resumed where a download stopped, checked by their hashes.

Files lie in huggingface_hub's own cache (`HF_HOME`, `HF_HUB_CACHE`), so that other programs share them; the endpoint and
the token are its own too (`HF_ENDPOINT`, `HF_TOKEN`), and `HF_HUB_OFFLINE` forbids downloads. `SUBTEXT_MODELS` names a
folder with ORGANISATION/NAME (or ORGANISATION--NAME, or NAME) in it that is used instead, as it is.

huggingface_hub deletes a partial file when a download fails, and checks only its length. So the bytes are downloaded here
into the cache's folder of blobs, where a partial file stays to be continued; it gets its final name, its hash, only when
its bytes have that hash. `hf_hub_download` then links to the blob.
"""

import hashlib
import os
import zipfile
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from models.errors import BadInput, BadWeights
from models.io.downloads import TIMEOUT, NoSuchFile, OnProgress, Unreachable, download, error_sentences
from models.weights import sha256


@dataclass(frozen=True)
class Repo:
    """Files of one repository at one revision: the first available file of each group in `files`.

    `optional` files are taken where they exist.
    """

    id: str
    revision: str
    files: tuple[tuple[str, ...], ...]
    optional: tuple[str, ...] = ()
    kind: Literal["model", "dataset"] = "model"


def fetch(repo: Repo, on_progress: OnProgress | None = None) -> Path:
    """The folder with the repository's files, downloaded where they are not on this machine yet.

    All are of one commit, also where `revision` is a branch that moves meanwhile; `commit_of` tells which.

    Raises `Unreachable` without a connection, `BadInput` for a repository, revision or file that does not exist,
    `BadWeights` where the bytes do not have the hash that the hub names.
    """
    folder = local_folder(repo)
    if folder is not None:
        return folder
    for name in () if is_local(repo) else repo.optional:  # first: once the required files exist, nothing is missing
        with suppress(NoSuchFile):
            repo = _pinned(repo, _snapshot(_first(repo, (name,), on_progress), name))
    for group in repo.files:
        folder = _snapshot(_first(repo, group, on_progress), group[0])
        repo = _pinned(repo, folder)
    assert folder is not None  # a repository without files is none
    return folder


def commit_of(folder: Path) -> str:
    """The commit whose files a folder of `fetch` holds; empty for a folder that was named, which has none."""
    return folder.name if folder.parent.name == "snapshots" else ""


def _snapshot(path: Path, name: str) -> Path:
    """The folder of the repository that holds the file `name` at this path."""
    return path.parents[name.count("/")]


def _pinned(repo: Repo, folder: Path) -> Repo:
    return replace(repo, revision=commit_of(folder) or repo.revision)


def is_local(repo: Repo) -> bool:
    """Whether all required files are on this machine."""
    cached = (any(_cached(repo, name) is not None for name in group) for group in repo.files)
    return local_folder(repo) is not None or all(cached)


def reachable() -> bool:
    """Whether the hub answers and downloads are allowed. Takes at most a few seconds."""
    import httpx2
    from huggingface_hub import constants

    if offline():
        return False
    try:
        httpx2.head(os.environ.get("HF_ENDPOINT") or constants.ENDPOINT, timeout=3.0)
    except httpx2.HTTPError:
        return False
    return True


def offline() -> bool:
    """Whether `HF_HUB_OFFLINE` forbids downloads."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def local_folder(repo: Repo) -> Path | None:
    """The repository inside `SUBTEXT_MODELS`; raises `BadInput` where the folder lacks a file."""
    models = os.environ.get("SUBTEXT_MODELS")
    if not models:
        return None
    names = (repo.id, repo.id.replace("/", "--"), repo.id.split("/")[-1])
    folder = next((path for name in names if (path := Path(models) / name).is_dir()), None)
    if folder is None:
        return None
    for group in repo.files:
        if not any((folder / file).is_file() for file in group):
            raise BadInput(f"{folder} lacks {group[0]}: copy the whole of {repo.id} there, or unset SUBTEXT_MODELS.")
    return folder


def _first(repo: Repo, names: Sequence[str], on_progress: OnProgress | None) -> Path:
    """The first of the files that is in the cache, else the first one that the hub has; a damaged one is removed."""
    for name in names:
        path = _cached(repo, name)
        if path is not None:
            blob = path.resolve()  # its name is its hash
            if digest(blob, blob.name) != blob.name:
                path.unlink()
                blob.unlink(missing_ok=True)
                raise _damaged(repo, name)
            return path
    for name in names[:-1]:
        with suppress(NoSuchFile):
            return _download(repo, name, on_progress)
    return _download(repo, names[-1], on_progress)


def _download(repo: Repo, name: str, on_progress: OnProgress | None) -> Path:
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.utils import WeakFileLock, build_hf_headers

    if offline():
        raise Unreachable(
            f"{name} of {repo.id} is not on this machine and HF_HUB_OFFLINE forbids to download it: unset "
            "HF_HUB_OFFLINE, or name a folder that has it in SUBTEXT_MODELS."
        )
    source: Any = {"repo_type": repo.kind, "revision": repo.revision, "endpoint": os.environ.get("HF_ENDPOINT")}
    with error_sentences(repo.id, repo.revision, name):
        url = hf_hub_url(repo.id, name, **source)
        metadata = get_hf_file_metadata(url, timeout=TIMEOUT, endpoint=source["endpoint"])
        if metadata.etag is None:
            raise BadWeights(f"The hub does not tell the hash of {name} of {repo.id}: check HF_ENDPOINT.")
        blob = _cache() / f"{repo.kind}s--{repo.id.replace('/', '--')}" / "blobs" / metadata.etag
        part = blob.with_name(f"{blob.name}.subtext-part")
        blob.parent.mkdir(parents=True, exist_ok=True)
        with WeakFileLock(blob.with_name(f"{blob.name}.lock")):
            if not blob.is_file():
                # The token goes to the hub itself only, not to the store that it points to.
                headers = build_hf_headers() if metadata.location == url else build_hf_headers(token=False)
                download(metadata.location, part, name, headers=headers, size=metadata.size, on_progress=on_progress)
                if digest(part, metadata.etag) != metadata.etag:
                    part.unlink()
                    raise _damaged(repo, name)
                part.replace(blob)
        return Path(hf_hub_download(repo.id, name, cache_dir=_cache(), **source))


def _cached(repo: Repo, name: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(repo.id, name, cache_dir=_cache(), revision=repo.revision, repo_type=repo.kind)
    return Path(path) if isinstance(path, str) else None


def digest(path: Path, like: str) -> str:
    """The hash of a file, of the same kind as `like`: SHA-256, or git's SHA-1 of a blob, which small files have."""
    if len(like) == 64:
        return sha256(path)
    if len(like) == 40:
        return hashlib.sha1(b"blob %d\0" % path.stat().st_size + path.read_bytes(), usedforsecurity=False).hexdigest()
    return like  # a mirror with its own kind of hash, which cannot be checked


def _damaged(repo: Repo, name: str) -> BadWeights:
    return BadWeights(
        f"{name} of {repo.id} arrived damaged (its hash is not the one that the hub tells) and was removed: try again."
    )


def _cache() -> Path:
    from huggingface_hub import constants

    return Path(os.environ.get("HF_HUB_CACHE") or constants.HF_HUB_CACHE)


def fetch_zipped(url: str, name: str, md5: str, folder: Path, on_progress: OnProgress | None = None) -> Path:
    """`folder`/`name` out of the ZIP at `url`, downloaded where it is not there yet; checked by its MD5.

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
    archive = folder / f"{name}.zip.subtext-part"
    if not (archive.is_file() and zipfile.is_zipfile(archive)):  # a complete one needs no further bytes
        with error_sentences(url.split("/")[2], "", name):
            download(url, archive, name, on_progress=on_progress)
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
    """The folder with all Parquet files of a data set of the hub, at the commit that `revision` names now.

    Raises as `fetch` does, and `BadInput` where the data set has no Parquet files.
    """
    from huggingface_hub import HfApi

    if not reachable():
        raise Unreachable(
            f"The hub cannot be reached for {name}: check the connection, or name a folder that has its files."
        )
    with error_sentences(name, revision or "main", "the list of files"):
        info = HfApi(endpoint=os.environ.get("HF_ENDPOINT")).dataset_info(name, revision=revision or None)
    files = [sibling.rfilename for sibling in info.siblings or () if sibling.rfilename.endswith(".parquet")]
    if not files:
        raise BadInput(
            f"{name} has no Parquet files at this revision: name refs/convert/parquet as the revision, which the Hub makes "
            "of most data sets."
        )
    return fetch(Repo(name, info.sha or revision, tuple((file,) for file in files), kind="dataset"), on_progress)
