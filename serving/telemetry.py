"""What an operator sees: a line of JSON for each request, and Prometheus metrics. Neither has a caption, a picture, a
file's name or a key: the fields that are logged are named here, one by one."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

import structlog
from fastapi import Request
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector

from models.analysis import Stage

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class _Stderr:
    """The current stderr, which a test or a server may have replaced."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


log = structlog.wrap_logger(
    structlog.PrintLogger(_Stderr()),  # type: ignore[arg-type]
    processors=[
        structlog.contextvars.merge_contextvars,  # the request's id
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.JSONRenderer(),
    ],
)


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


def add_log_fields(request: Request, **fields: float | str) -> None:
    """Add numbers and names to the request's line in the log."""
    state = request.scope.setdefault("state", {})
    state.setdefault("log_fields", {}).update(fields)
