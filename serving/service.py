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
from serving import predictors, work
from serving.predictors import Predictor
from serving.problems import Overloaded, sentence
from serving.queue import WorkQueue
from serving.telemetry import Metrics, add_log_fields, log
from serving.work import ANALYZE, MemeInput

if TYPE_CHECKING:
    from models.analyzer import Analyzer
    from serving.settings import Settings

OCR_BATCH_SIZE = 4  # reading takes a third of a second each: a longer batch would keep its first meme waiting


class Service:
    """One analyzer behind one queue. `load` returns the analyzer: in the app the very one that its pages use."""

    def __init__(self, settings: Settings, load: Callable[[], Analyzer], metrics: Metrics) -> None:
        self.settings, self.metrics = settings, metrics
        self._load = load
        self.ready = False
        self.failure = ""
        self.queue = WorkQueue(
            self._run,
            max_length=settings.queue,
            workers=settings.workers,
            batch_size=self._batch_size,
            observe=metrics.observe_batch,
        )
        metrics.queue.set_function(lambda: self.queue.length)
        metrics.ready.set_function(lambda: float(self.ready))

    def check_ready(self) -> None:
        """Raises `Overloaded` as long as the models are not loaded."""
        if not self.ready:
            raise Overloaded(self.failure or "The models are being loaded.", 30 if self.failure else 2)

    def analyzer(self) -> Analyzer:
        """Loaded anew for each call, in a worker thread: the app may have switched to another profile."""
        return self._load()

    async def predictors(self) -> Mapping[str, Predictor]:
        """Those of the analyzer that runs."""
        self.check_ready()
        return predictors.registry(await run_in_threadpool(self.analyzer))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start the queue and load the models beside it; in the end, answer what was accepted."""
        await self.queue.start()
        threading.Thread(target=self._load_models, name="subtext-load", daemon=True).start()
        try:
            yield
        finally:
            await self.queue.stop()

    def _load_models(self) -> None:
        try:
            profile = self.analyzer().info.name
            self.ready = True
            log.info("ready", profile=profile)
        except Exception as error:
            self.failure = sentence(error)
            log.error("not ready", why=self.failure if isinstance(error, SubtextError) else type(error).__name__)

    async def answer_all(self, request: Request, name: str, items: Sequence[MemeInput]) -> list[Any]:
        """One answer or exception for each meme, in order. Raises `Overloaded` if all of them are turned away."""
        self.check_ready()
        kind = (name, any(item.needs_ocr for item in items))  # memes with words do not wait for the OCR of others
        answers = await self.queue.submit(kind, items, deadline_s=self.deadline_s(request))
        failed = sum(isinstance(answer, BaseException) for answer in answers)
        self.metrics.memes.labels(name).inc(len(answers) - failed)
        add_log_fields(request, memes=len(answers), failed=failed)
        return answers

    async def answer(self, request: Request, name: str, item: MemeInput) -> Any:
        """The answer for one meme. Raises what was wrong with it."""
        (answer,) = await self.answer_all(request, name, [item])
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def deadline_s(self, request: Request) -> float:
        """Seconds that the request may take: the server's limit, or fewer if the header `X-Deadline-S` says so."""
        try:
            seconds = float(request.headers.get("x-deadline-s", "inf"))
        except ValueError:
            return self.settings.deadline_s
        return min(self.settings.deadline_s, seconds) if seconds > 0 else self.settings.deadline_s

    def _run(self, kind: Hashable, items: Sequence[Any]) -> Sequence[Any]:
        try:
            return work.run(kind, items, self.analyzer())
        finally:
            give_back_memory()  # else each worker thread keeps the memory of its largest batch

    def _batch_size(self, kind: Hashable) -> int:
        name, needs_ocr = kind if isinstance(kind, tuple) else (kind, False)
        if name == ANALYZE:
            return 1
        return OCR_BATCH_SIZE if needs_ocr else self.settings.at_once
