"""`python -m training download memotion --kaggle-json FILE`: Memotion 7k from Kaggle, through Kaggle's own package.

The user's `kaggle.json` (from kaggle.com, Settings, API) is read here and handed to the package for this one download; it
is neither copied nor logged.
"""

import argparse
import io
import json
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

from models.errors import BadInput, PartUnavailable

DATASET, TABLE = "williamscott701/memotion-dataset-7k", "memotion_dataset_7k/labels.csv"  # Memotion's


@dataclass(frozen=True)
class Credentials:
    """A user name and a key of Kaggle; the key is never printed."""

    username: str
    key: str = field(repr=False)


def credentials(path: str | Path | None) -> Credentials:
    """From the file named, else `~/.kaggle/kaggle.json`. `BadInput` tells what is wrong with it, never what is in it."""
    file = Path(path) if path else Path.home() / ".kaggle" / "kaggle.json"
    if not file.is_file():
        raise BadInput(
            f"{file} is missing: on kaggle.com, under Settings, API, create a token, and name the file it gives."
        )
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        username, key = content["username"], content["key"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"{file} is no kaggle.json: it should hold a username and a key, as kaggle.com wrote it."
        ) from error
    if not all(isinstance(value, str) and value.strip() for value in (username, key)):
        raise BadInput(f"The username or the key in {file} is empty: create a new token on kaggle.com.")
    return Credentials(username, key)


def download(args: argparse.Namespace) -> Path:
    """Fetches and unpacks the data set into `args.data`; returns its table."""
    fetch(DATASET, Path(args.data), credentials(args.kaggle_json))
    table = Path(args.data) / TABLE
    if not table.is_file():
        raise BadInput(f"What Kaggle sent has no {TABLE}: the data set's layout has changed.")
    return table


def fetch(dataset: str, into: Path, known: Credentials) -> None:
    """Downloads `OWNER/NAME` and unpacks it into the folder."""
    into.mkdir(parents=True, exist_ok=True)
    with _in_environment(known), redirect_stdout(io.StringIO()):  # the package prints help at every turn
        try:
            from kaggle.api.kaggle_api_extended import KaggleApi
        except ImportError as error:
            raise PartUnavailable("Downloading from Kaggle needs its package: pip install kaggle.") from error
        api = KaggleApi()
        try:
            api.authenticate()
            api.dataset_download_files(dataset, path=str(into), force=True, quiet=True, unzip=False)
        except SystemExit as error:  # how the package ends where it does not like the credentials
            raise BadInput("Kaggle does not take this kaggle.json: create a new token on kaggle.com.") from error
        except Exception as error:  # requests' and the package's own errors share no base class
            raise BadInput(_sentence(dataset, error)) from error
    archive = into / f"{dataset.split('/')[1]}.zip"
    try:
        with zipfile.ZipFile(archive) as file:
            file.extractall(into)
    except (OSError, zipfile.BadZipFile) as error:
        raise BadInput(f"{archive.name} from Kaggle is damaged: download it again.") from error
    archive.unlink()


def _sentence(dataset: str, error: Exception) -> str:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in {401, 403}:
        return f"Kaggle refuses this kaggle.json for {dataset} (status {status}): create a new token on kaggle.com."
    if status == 404:
        return f"Kaggle has no data set {dataset} any more."
    return f"Kaggle could not be reached for {dataset} ({type(error).__name__}): check the connection and try again."


@contextmanager
def _in_environment(known: Credentials) -> Iterator[None]:
    """The package reads its credentials from the environment; what was there before is put back."""
    before = dict(os.environ)
    os.environ.update(KAGGLE_USERNAME=known.username, KAGGLE_KEY=known.key)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
