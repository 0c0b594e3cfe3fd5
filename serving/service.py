"""What the routes share: the analyzer, the queue before it, whether it is ready, and what an operator sees of it: a line of
JSON for each request, and Prometheus metrics. Neither has a caption, a picture, a file's name or a key: the fields that are
logged are named one by one."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import structlog
from anyio import CapacityLimiter
from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector

from models.analysis import ProfileInfo, Stage
from models.errors import SubtextError
from models.runtime.memory import give_back_memory
from serving import predictors, work
from serving.predictors import Predictor
from serving.problems import Overloaded, sentence
from serving.queue import WorkQueue
from serving.work import ANALYZE, MemeInput

if TYPE_CHECKING:
    from models.analyzer import Analyzer
    from serving.settings import Settings

OCR_BATCH_SIZE = 4  # reading takes a third of a second each: a longer batch would keep its first meme waiting
BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


structlog.configure(
    # stderr is looked up for each line: a test or a server may replace it
    logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    processors=[
        structlog.contextvars.merge_contextvars,  # the request's id
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.JSONRenderer(),
    ],
)
log = structlog.get_logger()
# Below INFO uvicorn logs requests with their headers and addresses, which hold keys.
for logger in map(logging.getLogger, ("uvicorn.error", "uvicorn.asgi")):
    logger.addFilter(lambda record: record.levelno >= logging.INFO)


class Metrics:
    """The metrics of one API, in a registry of their own, so that two APIs in a process do not share them."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)

        def seconds(name: str, text: str, labels: Sequence[str] = ()) -> Histogram:
            return Histogram(name, text, labels, buckets=BUCKETS_S, registry=registry)

        self.requests = Counter(
            "subtext_requests", "Requests by route and status", ("route", "status"), registry=registry
        )
        self.seconds = seconds("subtext_request_seconds", "From the first byte to the answer", ("route",))
        self.memes = Counter("subtext_memes", "Memes answered, by kind of work", ("kind",), registry=registry)
        self.queue_wait = seconds("subtext_queue_wait_seconds", "Time in the queue")
        self.batch_size = Histogram(
            "subtext_batch_size", "Memes computed together", buckets=(1, 2, 4, 8, 16, 32), registry=registry
        )
        self.stage = seconds("subtext_stage_seconds", "Stages of the analysis", ("stage",))
        self.queue = Gauge("subtext_queue_length", "Memes that wait or are computed", registry=registry)
        self.ready = Gauge("subtext_ready", "1 once the models are loaded", registry=registry)

    def observe_batch(self, waited_s: Sequence[float]) -> None:
        """One batch of the queue: the seconds that each of its items waited."""
        for value in waited_s:
            self.queue_wait.observe(value)
        self.batch_size.observe(len(waited_s))

    def observe_stages(self, stages: Iterable[Stage]) -> None:
        """The times of one analysis."""
        for stage in stages:
            self.stage.labels(stage.name).observe((stage.ms or 0.0) / 1000)


class Service:
    """One analyzer behind one queue. `load` returns the analyzer: in the app the very one that its pages use."""

    def __init__(self, settings: Settings, load: Callable[[], Analyzer], metrics: Metrics) -> None:
        self.settings, self.metrics = settings, metrics
        self.analyzer = load  # anew for each call, in a worker thread: the app may have switched to another profile
        self.ready = False
        self.failure = ""
        self._loading = asyncio.Lock()
        self.large_bodies = CapacityLimiter(1)  # threads that parse large bodies
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

    async def what_runs(self) -> tuple[ProfileInfo, Mapping[str, Predictor]]:
        """The analyzer's profile and its predictors, whose networks are loaded when they are first asked for.

        One thread loads them; who else asks waits on the loop, so that no number of callers takes all the threads.
        """
        self.check_ready()
        async with self._loading:
            return await run_in_threadpool(self._what_runs)

    async def languages(self) -> tuple[str, ...]:
        """ISO 639-1 codes of the languages that the verdict was measured on."""
        self.check_ready()
        async with self._loading:
            return (await run_in_threadpool(self.analyzer)).info.languages

    def _what_runs(self) -> tuple[ProfileInfo, Mapping[str, Predictor]]:
        analyzer = self.analyzer()
        return analyzer.info, predictors.registry(analyzer)

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
        caller = request.state.caller
        answers = await self.queue.submit(kind, items, deadline_s=self.deadline_s(request), caller=caller)
        failed = sum(isinstance(answer, BaseException) for answer in answers)
        self.metrics.memes.labels(name).inc(len(answers) - failed)
        request.state.log_fields = {"memes": len(answers), "failed": failed}
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

    def _run(self, kind: tuple[str, bool], items: Sequence[MemeInput]) -> Sequence[Any]:
        try:
            return work.run(kind[0], items, self.analyzer())
        finally:
            give_back_memory()  # else each worker thread keeps the memory of its largest batch

    def _batch_size(self, kind: tuple[str, bool]) -> int:
        name, needs_ocr = kind
        if name == ANALYZE:
            return 1
        return OCR_BATCH_SIZE if needs_ocr else self.settings.at_once
