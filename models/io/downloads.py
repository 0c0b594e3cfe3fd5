"""Resumed downloads with progress, and their failures as sentences."""

import io
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from models.errors import BadInput, PartUnavailable

TIMEOUT = 10.0  # seconds that a server may take to answer
RETRIES = 5  # after a connection that broke off
REPORT_EVERY = 1_000_000  # bytes between two reports of progress


@dataclass(frozen=True)
class Progress:
    """How far a download is: bytes done and bytes in all (0 where the server does not say)."""

    file: str
    done: int
    total: int


OnProgress = Callable[[Progress], None]


class Unreachable(PartUnavailable):
    """The hub does not answer, or downloads are forbidden, and the file is not on this machine."""


class NoSuchFile(BadInput):
    """The repository has no file of that name."""


def download(
    url: str,
    part: Path,
    name: str,
    *,
    headers: Mapping[str, str] | None = None,
    size: int | None = None,
    on_progress: OnProgress | None = None,
) -> None:
    """Appends to `part` what it lacks of the bytes at `url`; what has arrived stays there when the connection breaks off.

    Raises `httpx2.HTTPError` where the server cannot be reached or does not serve the file.
    """
    import httpx2

    part.parent.mkdir(parents=True, exist_ok=True)
    with part.open("ab") as file:
        if size is not None and file.tell() > size:
            file.truncate(0)
        for attempt in range(RETRIES + 1):
            done = file.seek(0, io.SEEK_END)
            if done == size:
                return
            # the bytes as they are, so that they can be counted
            sent = {**(headers or {}), "Accept-Encoding": "identity", **({"Range": f"bytes={done}-"} if done else {})}
            try:
                with httpx2.stream("GET", url, headers=sent, timeout=TIMEOUT, follow_redirects=True) as response:
                    response.raise_for_status()
                    _write(response, file, name, size, on_progress or (lambda _: None))
                return
            except (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.ReadTimeout):
                if attempt == RETRIES:
                    raise
                time.sleep(1 + attempt)


def _write(response: Any, file: BinaryIO, name: str, size: int | None, on_progress: OnProgress) -> None:
    if response.status_code == 200:  # the server sends all of it, whatever the range
        file.truncate(0)
    done = reported = file.seek(0, io.SEEK_END)
    total = size or done + int(response.headers.get("Content-Length", 0))
    on_progress(Progress(name, done, total))
    for chunk in response.iter_bytes():
        done += file.write(chunk)
        if done - reported >= REPORT_EVERY or done == total:
            on_progress(Progress(name, done, total))
            reported = done


@contextmanager
def error_sentences(repo: str, revision: str, name: str) -> Iterator[None]:
    """Turns the errors of huggingface_hub and of `download` into sentences that name the fix."""
    import httpx2
    from huggingface_hub import errors

    unreachable = Unreachable(
        f"{name} of {repo} is not on this machine and the hub cannot be reached: check the connection, or name a "
        "folder that has it in SUBTEXT_MODELS."
    )
    try:
        yield
    except errors.GatedRepoError as error:
        raise BadInput(f"{repo} asks for consent: accept its terms on its page and set HF_TOKEN.") from error
    except errors.RevisionNotFoundError as error:
        raise BadInput(f"{repo} has no revision {revision}: name another one.") from error
    except errors.RepositoryNotFoundError as error:
        raise BadInput(f"There is no repository {repo} on the hub, or it is private: check its name.") from error
    except errors.LocalEntryNotFoundError as error:
        raise unreachable from error
    except errors.EntryNotFoundError as error:
        raise NoSuchFile(
            f"{repo} at {revision[:12]} has no file {name}: name another revision or repository."
        ) from error
    except (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.ReadTimeout) as error:
        raise Unreachable(
            f"The download of {name} of {repo} broke off: try again, and it continues where it stopped."
        ) from error
    except (httpx2.HTTPError, errors.OfflineModeIsEnabled) as error:
        raise unreachable from error
    except errors.FileMetadataError as error:
        raise BadInput("What answers at the hub's address is no hub: check HF_ENDPOINT and the proxy.") from error
    except OSError as error:
        raise Unreachable(
            f"{name} of {repo} cannot be stored: check the disk's space and the rights of its folder."
        ) from error
