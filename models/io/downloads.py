"""What is told of a download: how far it is, and in a sentence what went wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from models.errors import BadInput, PartUnavailable


@dataclass(frozen=True)
class Progress:
    """How far a download is: bytes here and bytes in all (0 where the hub does not say)."""

    file: str
    done: int
    total: int


OnProgress = Callable[[Progress], None]


class Unreachable(PartUnavailable):
    """The hub does not answer, or downloads are forbidden, and the file is not here."""


class NoSuchFile(BadInput):
    """The repository has no file of that name."""


@contextmanager
def sentences(repo: str, revision: str, name: str) -> Iterator[None]:
    """huggingface_hub's errors as sentences that name the fix."""
    import httpx2 as http
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError as error:
        raise BadInput(f"{repo} asks for consent: accept its terms on its page and set HF_TOKEN.") from error
    except errors.RevisionNotFoundError as error:
        raise BadInput(f"{repo} has no revision {revision}: name another one.") from error
    except errors.RepositoryNotFoundError as error:
        raise BadInput(f"There is no repository {repo} on the hub, or it is private: check its name.") from error
    except errors.EntryNotFoundError as error:
        if isinstance(error, errors.LocalEntryNotFoundError):
            raise unreachable(repo, name) from error
        raise NoSuchFile(
            f"{repo} at {revision[:12]} has no file {name}: name another revision or repository."
        ) from error
    except (http.HTTPError, errors.OfflineModeIsEnabled) as error:
        raise unreachable(repo, name) from error
    except OSError as error:
        if "Consistency check failed" in str(error):
            raise Unreachable(
                f"The download of {name} of {repo} broke off: try again, and it goes on where it stopped."
            ) from error
        if isinstance(error, errors.FileMetadataError):
            raise BadInput("What answers at the hub's address is no hub: check HF_ENDPOINT and the proxy.") from error
        raise Unreachable(
            f"{name} of {repo} cannot be stored: check the disk's space and the rights of its folder."
        ) from error


def unreachable(repo: str, name: str) -> Unreachable:
    return Unreachable(
        f"{name} of {repo} is not on this machine and the hub cannot be reached: check the connection, or name a "
        "folder that has it in SUBTEXT_MODELS."
    )


def bar(name: str, on_progress: OnProgress | None) -> type:
    """What `http_get` takes for a tqdm: tells how far it is."""

    class Bar:
        def __init__(self, *_: object, total: int | None = None, initial: int = 0, **__: object) -> None:
            self.total, self.n = total or 0, initial
            self.update(0)

        def update(self, count: int) -> None:
            self.n += count
            if on_progress is not None:
                on_progress(Progress(name, self.n, self.total))

        def __enter__(self) -> Bar:
            return self

        def __exit__(self, *_: object) -> None:
            return

    return Bar
