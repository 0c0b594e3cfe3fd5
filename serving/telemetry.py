"""What an operator sees: a line of JSON for each request and Prometheus metrics. Never a caption, a picture, a file's
name or a key: what is logged is named here, field by field."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import structlog
from fastapi import Request
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector

from models.analysis import Stage

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class _Stderr:
    """The stderr of the moment, which a test or a server may have replaced."""

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
    """The counters of one API, in a registry of their own, so that two APIs in a process do not share them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.requests = Counter(
            "subtext_requests", "Requests by route and status", ("route", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "subtext_request_seconds",
            "From the first byte to the answer",
            ("route",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.memes = Counter("subtext_memes", "Memes answered, by kind of work", ("kind",), registry=self.registry)
        self.waited = Histogram(
            "subtext_queue_wait_seconds", "Time in the queue", buckets=SECONDS, registry=self.registry
        )
        self.batch = Histogram(
            "subtext_batch_size", "Memes computed together", buckets=(1, 2, 4, 8, 16, 32), registry=self.registry
        )
        self.stage = Histogram(
            "subtext_stage_seconds", "Stages of the analysis", ("stage",), buckets=SECONDS, registry=self.registry
        )
        self.queue = Gauge("subtext_queue_length", "Memes that wait or are computed", registry=self.registry)
        self.ready = Gauge("subtext_ready", "1 once the models are loaded", registry=self.registry)

    def watch(self, name: str, value: float) -> None:
        """What the queue tells of itself."""
        (self.waited if name == "waited" else self.batch).observe(value)

    def stages(self, stages: Iterable[Stage]) -> None:
        """The times of one analysis."""
        for stage in stages:
            self.stage.labels(stage.name).observe((stage.ms or 0.0) / 1000)


def tell(request: Request, **fields: float | str) -> None:
    """Add numbers and names to the request's line in the log."""
    state = request.scope.setdefault("state", {})
    state.setdefault("told", {}).update(fields)
