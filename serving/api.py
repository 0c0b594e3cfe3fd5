"""The HTTP API: `uvicorn serving.api:app` runs it alone; app.py serves it beside the pages from one process.

A meme takes the same way as on the page and in the terminal, so all of them give the same numbers. docs/api.md tells
the routes with examples, /api/openapi.json in the form for machines.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, FastAPI, Path, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import ValidationError
from starlette.routing import BaseRoute, Route

from models.analysis import Analysis, Stage
from models.errors import SubtextError
from serving import intake, perspective, problems, systems
from serving.guard import Guard
from serving.problems import Overloaded, TooLarge, WrongMedia
from serving.schemas import MANY, Health, Models, Predicted, ScoreMany, Scores, bodies, body
from serving.schemas import problems as told
from serving.service import Service
from serving.settings import Settings
from serving.telemetry import Metrics
from serving.work import ANALYZE, SCORE, Asked, Scored

if TYPE_CHECKING:
    from models.analyzer import Analyzer

VERSION = "1"
v1 = APIRouter(prefix="/api/v1", tags=["memes"])
about = APIRouter(tags=["the server"])


@v1.post(
    "/analyze",
    summary="Everything about one meme",
    response_model=Analysis,
    openapi_extra=bodies(intake.Question),
    responses=told(401, 413, 415, 422, 429, 503),
)
async def analyze(request: Request) -> JSONResponse:
    """The verdict with its reasons, emotions and attention: the JSON `subtext/1`, the same as the page's download."""
    asked = await intake.read(request, intake.Question)
    found: Analysis = await service_of(request).ask_one(request, ANALYZE, asked)
    service_of(request).metrics.stages(found.stages)
    return JSONResponse(found.to_dict(), headers={"Server-Timing": timing(found.stages)})


@v1.post(
    "/score",
    summary="Verdicts for many memes",
    response_model=Scores,
    openapi_extra=body(ScoreMany, MANY),
    responses=told(401, 413, 415, 422, 429, 503),
)
async def score(request: Request) -> JSONResponse:
    """Batched; a meme that cannot be used is a result with its problem and takes none of the others with it."""
    service = service_of(request)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != intake.JSON:
        raise WrongMedia("The body is to be application/json: set the header Content-Type.")
    try:
        asked = ScoreMany.model_validate_json(await request.body())
    except ValidationError as error:
        raise problems.invalid(error.errors()) from None
    if len(asked.memes) > service.settings.memes:
        raise TooLarge(
            f"The request has {len(asked.memes)} memes, and at most {service.settings.memes} are taken at once."
        )
    answers: list[Any] = []
    for meme in asked.memes:
        try:
            answers.append(meme.asked())
        except SubtextError as error:
            answers.append(error)
    good = [place for place, one in enumerate(answers) if isinstance(one, Asked)]
    for place, found in zip(good, await service.ask(request, SCORE, [answers[p] for p in good]), strict=True):
        answers[place] = found
    return JSONResponse({"results": [result(index, answer) for index, answer in enumerate(answers)]})


@v1.post(
    "/systems/{name}/predict",
    summary="The category that one system gives",
    response_model=Predicted,
    openapi_extra=bodies(intake.Meme),
    responses=told(401, 404, 413, 415, 422, 429, 503),
)
async def predict(request: Request, name: Annotated[str, Path(examples=["text-emotions"])]) -> JSONResponse:
    """Any of the trained systems that /api/v1/models lists."""
    service = service_of(request)
    system = systems.choose(await service.systems(), name)
    asked = await intake.read(request, intake.Meme)
    meme, found = await service.ask_one(request, system.name, asked)
    return JSONResponse(
        {"system": system.name, **asdict(found), "caption": meme.caption.text, "caption_source": meme.caption.source}
    )


@v1.get("/models", summary="What runs here", response_model=Models, responses=told(401, 429, 503))
async def models(request: Request) -> JSONResponse:
    """The profile, its weights by SHA-256, and the systems that can be asked."""
    service = service_of(request)
    found = [
        {"name": one.name, "summary": one.summary, "reads": one.reads, "labels": list(one.labels)}
        for one in (await service.systems()).values()
    ]
    info = (await run_in_threadpool(service.analyzer)).info
    return JSONResponse({"profile": asdict(info), "systems": found})


@about.get("/health", summary="Whether the server lives", response_model=Health)
async def health() -> dict[str, str]:
    """200 as long as it can answer at all."""
    return {"status": "ok"}


@about.get("/ready", summary="Whether it can take memes", response_model=Health, responses=told(503))
async def ready(request: Request) -> dict[str, str]:
    """200 once the models are loaded and while the queue has room."""
    service = service_of(request)
    service.check_ready()
    if service.queue.length >= service.queue.most:
        raise Overloaded("The queue is full.", 1)
    return {"status": "ready"}


@about.get("/metrics", summary="Counters for Prometheus", response_class=Response)
async def metrics(request: Request) -> Response:
    """Requests, times, batch sizes, the queue, the process."""
    return Response(generate_latest(service_of(request).metrics.registry), media_type=CONTENT_TYPE_LATEST)


def service_of(request: Request) -> Service:
    """The service of the API that got the request."""
    service: Service = request.app.state.service
    return service


def result(index: int, answer: Scored | Exception) -> dict[str, Any]:
    """One item of `/score`."""
    if isinstance(answer, Exception):
        return {"index": index, "problem": problems.problem(answer)}
    return {
        "index": index,
        "verdict": asdict(answer.verdict),
        "harm": asdict(answer.harm) if answer.harm is not None else None,
        "caption": answer.caption.text,
        "caption_source": answer.caption.source,
    }


def timing(stages: tuple[Stage, ...]) -> str:
    """The stages as a Server-Timing header, which browsers draw."""
    return ", ".join(f"{stage.name.replace(' ', '-')};dur={stage.ms or 0:.1f}" for stage in stages)


def create(settings: Settings | None = None, load: Callable[[], Analyzer] | None = None) -> FastAPI:
    """An API of its own; `load` gives the analyzer once it runs. Served beside the pages, its lifespan does not run:
    the app's own enters `lifespan(api)` in its place."""
    settings = settings or Settings.from_env()
    counters = Metrics()

    @asynccontextmanager
    async def alone(app: FastAPI) -> AsyncIterator[None]:
        async with app.state.service.running():
            yield

    app = FastAPI(
        title="Subtext",
        version=VERSION,
        description="Reads a meme: is it hateful, how sure is that, what emotions does it carry, and what moved the answer.",
        openapi_url="/api/openapi.json",
        docs_url=None,  # FastAPI's page of documentation loads its scripts from elsewhere
        redoc_url=None,
        lifespan=alone,
        redirect_slashes=False,
    )
    app.state.service = Service(settings, load or load_analyzer, counters)
    app.include_router(v1)
    app.include_router(perspective.router)
    app.include_router(about)
    problems.install(app)
    app.add_middleware(Guard, settings=settings, metrics=counters)
    return app


@cache
def load_analyzer() -> Analyzer:
    """The models of this process, where no app shares its own."""
    from models.analyzer import Analyzer

    return Analyzer()


def lifespan(api: FastAPI) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """For `st.App(lifespan=...)`."""

    @asynccontextmanager
    async def run(_: Any) -> AsyncIterator[None]:
        async with api.state.service.running():
            yield

    return run


def routes(api: FastAPI) -> list[BaseRoute]:
    """For `st.App(routes=...)`: the paths that belong to the API go to it as they are, all others to the pages."""
    paths = ("/api/{rest:path}", "/v1alpha1/{rest:path}", "/health", "/ready", "/metrics")
    return [Route(path, endpoint=api) for path in paths]


def __getattr__(name: str) -> FastAPI:
    """`app`, for uvicorn: made when it is asked for, since app.py makes one of its own."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return create()
