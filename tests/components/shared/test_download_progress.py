from __future__ import annotations

import pytest

from components.shared import download_progress
from models.io.downloads import Progress
from tests import wordings


@pytest.mark.parametrize(
    ("progress", "share", "text"),
    [
        (Progress("model.safetensors", 0, 600_000_000), 0.0, wordings.N_0_OF_600_MB),
        (Progress("model.safetensors", 150_000_000, 600_000_000), 0.25, wordings.N_150_OF_600_MB),
        (Progress("config.json", 2_000_000, 0), 0.0, "2 MB"),
        (Progress("config.json", 20, 10), 1.0, wordings.N_0_OF_0_MB),
    ],
)
def test_a_download_is_told_in_megabytes(progress: Progress, share: float, text: str) -> None:
    assert download_progress.fraction(progress) == share
    assert download_progress.message(progress).endswith(text)


def test_the_bar_is_there_while_it_downloads_and_gone_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    class Place:
        def __init__(self) -> None:
            self.shown: list[str] = []

        def progress(self, share: float, text: str) -> None:
            self.shown.append(text)

        def empty(self) -> None:
            self.shown.append("gone")

    place = Place()
    monkeypatch.setattr(download_progress.st, "empty", lambda: place)
    with pytest.raises(RuntimeError), download_progress.shown() as tell:
        tell(Progress("a.bin", 1_000_000, 2_000_000))
        tell(Progress("a.bin", 1_100_000, 2_000_000))  # too soon after the last one
        raise RuntimeError
    assert [text[-9:] for text in place.shown] == [wordings.N_1_OF_2_MB, "gone"]
