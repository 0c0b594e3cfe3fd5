"""What the routes share: the analyzer, the queue before it, and whether it is ready."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Hashable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from models.errors import SubtextError
from models.runtime.memory import give_back_memory
from serving.problems import Overloaded, sentence
from serving.queue import WorkQueue
from serving.systems import System, registry
from serving.telemetry import Metrics, log, tell
from serving.work import ANALYZE, Asked, work

if TYPE_CHECKING:
    from models.analyzer import Analyzer
    from serving.settings import Settings

BY_OCR_AT_ONCE = 4  # reading takes a third of a second each: a longer batch would keep its first meme waiting


class Service:
    """One analyzer behind one queue. `load` gives the analyzer: in the app the very one that its pages use."""

    def __init__(self, settings: Settings, load: Callable[[], Analyzer], metrics: Metrics) -> None:
        self.settings, self.metrics = settings, metrics
        self._load = load
        self.ready = False
        self.failure = ""
        self.queue = WorkQueue(
            self._run, most=settings.queue, workers=settings.workers, at_once=self._at_once, watch=metrics.watch
        )
        metrics.queue.set_function(lambda: self.queue.length)
        metrics.ready.set_function(lambda: float(self.ready))

    def check_ready(self) -> None:
        """Raises `Overloaded` as long as the models are not there."""
        if not self.ready:
            raise Overloaded(self.failure or "The models are being loaded.", 30 if self.failure else 2)

    def analyzer(self) -> Analyzer:
        """Asked for anew each time, in a worker's thread: the app may have put another profile in its place."""
        return self._load()

    async def systems(self) -> Mapping[str, System]:
        """Those of the analyzer that runs."""
        self.check_ready()
        return registry(await run_in_threadpool(self.analyzer))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start the queue and load the models beside it; in the end, answer what was taken."""
        await self.queue.start()
        loading = threading.Thread(target=self._load_models, name="subtext-load", daemon=True)
        loading.start()
        try:
            yield
        finally:
            await self.queue.stop()

    def _load_models(self) -> None:
        try:
            profile = self.analyzer().info.name
            self.ready = True
            log.info("ready", profile=profile)
        except SubtextError as error:
            self.failure = str(error)
            log.error("not ready", why=self.failure)
        except Exception as error:
            self.failure = sentence(error)
            log.error("not ready", why=type(error).__name__)

    async def ask(self, request: Request, name: str, asked: Sequence[Asked]) -> list[Any]:
        """One answer or exception a meme, in order. Raises `Overloaded` where all of them are turned away."""
        self.check_ready()
        kind = (name, any(one.by_ocr for one in asked))  # words that are known do not wait for those to be read
        answers = await self.queue.submit(kind, asked, within=self.within(request))
        failed = sum(isinstance(answer, BaseException) for answer in answers)
        self.metrics.memes.labels(name).inc(len(answers) - failed)
        tell(request, memes=len(answers), failed=failed)
        return answers

    async def ask_one(self, request: Request, name: str, asked: Asked) -> Any:
        """The answer for one meme; raises what was wrong with it."""
        (answer,) = await self.ask(request, name, [asked])
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def within(self, request: Request) -> float:
        """Seconds that the request may take: the server's, or fewer where the caller says so in `X-Deadline-S`."""
        try:
            told = float(request.headers.get("x-deadline-s", "inf"))
        except ValueError:
            return self.settings.deadline_s
        return min(self.settings.deadline_s, told) if told > 0 else self.settings.deadline_s

    def _run(self, kind: Hashable, asked: Sequence[Any]) -> Sequence[Any]:
        try:
            return work(kind, asked, self.analyzer())
        finally:
            give_back_memory()  # else each worker's thread keeps that of its largest batch

    def _at_once(self, kind: Hashable) -> int:
        name, by_ocr = kind if isinstance(kind, tuple) else (kind, False)
        if name == ANALYZE:
            return 1
        return BY_OCR_AT_ONCE if by_ocr else self.settings.at_once
