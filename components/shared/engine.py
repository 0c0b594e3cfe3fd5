"""The one analyzer of this process, shared by every visitor's thread, and the choice of what it runs.

One profile is in memory at a time: a switch waits until running analyses have ended, releases the old models, and then loads
the new ones. It holds for everybody who uses this app. A batch that runs meanwhile keeps the old models until it ends; for so
long both are in memory.

Both the analyzer and the joint space belong to the process, not to Streamlit's caches, which any visitor can empty.
"""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import streamlit as st

from components.shared.escaping import for_markdown
from models.errors import SubtextError
from models.runtime.once import once

if TYPE_CHECKING:
    from models.analyzer import Analyzer
    from models.io.downloads import OnProgress, Progress
    from models.search.joint_space import JointSpace, MiniSpace

PAUSE = 0.2  # seconds between two messages about a download


@dataclass(frozen=True)
class Choice:
    """What is to run: names as in `models.profiles.registry`, `models.runtime.device` and `models.ocr.registry`."""

    profile: str = "auto"
    device: str = "auto"
    ocr: str = "rapid"


@dataclass(frozen=True)
class State:
    """The choice, why this profile runs, and the problem that kept another one from running, as sentences."""

    choice: Choice
    why: str = ""
    problem: str = ""


class Engine:
    """Holds the analyzer. Safe to share between threads."""

    def __init__(self, build: Callable[[Choice, OnProgress | None], Analyzer] | None = None) -> None:
        self._build = build or _build
        self._lock = threading.RLock()
        self._analyzer: Analyzer | None = None
        self._loans: Counter[int] = Counter()  # of each analyzer, by its `id`
        self.state = State(Choice())

    def get(self, on_progress: OnProgress | None = None) -> Analyzer:
        """The analyzer of the choice. Where that cannot run, `state.problem` says why, and `mini` runs instead.

        Raises `SubtextError` where `mini` cannot run either.
        """
        with self._lock:
            if self._analyzer is None:
                self._load(on_progress)
            assert self._analyzer is not None
            return self._analyzer

    @contextmanager
    def lend(self) -> Iterator[Analyzer]:
        """The analyzer for a job of many calls: `choose` neither closes nor changes it before the block ends.

        Raises as `get` does.
        """
        with self._lock:
            analyzer = self.get()
            self._loans[id(analyzer)] += 1
        try:
            yield analyzer
        finally:
            with self._lock:
                self._loans[id(analyzer)] -= 1
                if analyzer is not self._analyzer:
                    self._close_unless_lent(analyzer)

    def choose(self, choice: Choice) -> None:
        """Releases the models of another choice, those on loan when they come back; the next `get` loads the new ones.

        Where the same models answer, only the OCR is changed, and not even that while they are on loan.
        """
        with self._lock:
            old, analyzer = self.state.choice, self._analyzer
            if choice == old and not self.state.problem:
                return
            if analyzer is not None and (why := self._same_models(choice, analyzer)):
                if choice.ocr != old.ocr:
                    from models.ocr import registry as engines

                    analyzer.reader = engines.reader(choice.ocr, choice.device)
                self.state = State(choice, why)
                return
            self.state, self._analyzer = State(choice), None
            if analyzer is not None:
                self._close_unless_lent(analyzer)

    def _same_models(self, choice: Choice, analyzer: Analyzer) -> str:
        """Why this choice is answered by the analyzer that is loaded; empty where it takes another one."""
        from models.profiles import registry

        old = self.state.choice
        if self.state.problem or (choice.ocr != old.ocr and self._loans[id(analyzer)]):
            return ""
        chosen = registry.select(choice.profile)
        same = chosen.profile.name == analyzer.info.name
        return chosen.why if same and (chosen.profile.name == "mini" or choice.device == old.device) else ""

    def _close_unless_lent(self, analyzer: Analyzer) -> None:
        if not self._loans[id(analyzer)]:
            del self._loans[id(analyzer)]
            analyzer.close()
            _release()

    def _load(self, on_progress: OnProgress | None) -> None:
        from models.profiles import registry

        choice = self.state.choice
        try:
            chosen = registry.select(choice.profile)
            self._analyzer = self._build(replace(choice, profile=chosen.profile.name), on_progress)
            self.state = State(choice, chosen.why)
            return
        except Exception as error:  # not even a driver that fails in its own way may take the app down
            if choice.profile == "mini":
                raise
            unforeseen = f"The models could not be loaded ({type(error).__name__}): choose another device or profile."
            # The sentence alone is kept: the error would hold its frames, and these the models.
            problem = str(error) if isinstance(error, SubtextError) else unforeseen
        _release()
        self._analyzer = self._build(Choice("mini", ocr=choice.ocr), on_progress)
        self.state = State(choice, "The models that were asked for cannot run.", problem)


def _build(choice: Choice, on_progress: OnProgress | None) -> Analyzer:
    from models.analyzer import Analyzer  # here, so that the page is drawn before the models are read

    # mini runs on the CPU, whatever device was chosen for clip.
    device = "auto" if choice.profile == "mini" else choice.device
    return Analyzer(choice.profile, device, reader=choice.ocr, on_progress=on_progress)


def _release() -> None:
    """Frees the memory of released models, in this process and on the GPU."""
    from models.runtime.memory import give_back_memory

    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
    give_back_memory()


@once
def engine() -> Engine:
    """The engine of this process."""
    return Engine()


def analyzer() -> Analyzer:
    """The analyzer, loaded once; raises `SubtextError`, which says what to do, where the weights are missing or damaged."""
    with download_bar() as on_progress:
        return engine().get(on_progress)


@contextmanager
def lend() -> Iterator[Analyzer]:
    """The analyzer for a job that goes on without its visitor: see `Engine.lend`. Raises as `analyzer` does."""
    with engine().lend() as analyzer:
        yield analyzer


@once
def joint_space() -> JointSpace | MiniSpace:
    """The towers of the search; raises `SubtextError` as `analyzer` does."""
    from models.search.joint_space import open_space

    return open_space()


@contextmanager
def download_bar() -> Iterator[OnProgress]:
    """A progress bar that is shown here while something is downloaded; it is removed in the end, whatever happens."""
    place = st.empty()
    last = 0.0

    def show(progress: Progress) -> None:
        nonlocal last
        if time.monotonic() - last >= PAUSE:
            last = time.monotonic()
            place.progress(*download_status(progress))

    try:
        yield show
    finally:
        place.empty()


def download_status(progress: Progress) -> tuple[float, str]:
    """The fraction that was downloaded (0 where the size is unknown), and the file and its megabytes in words."""
    fraction = min(1.0, progress.done / progress.total) if progress.total else 0.0
    whole = f" of {progress.total / 1e6:,.0f}" if progress.total else ""
    return fraction, f"Downloading {for_markdown(progress.file)}: {progress.done / 1e6:,.0f}{whole} MB"
