"""The HTTP API: `uvicorn serving.api:app` runs it alone; app.py serves it beside the pages from one process.

A meme goes through the same code as on the page and in the terminal, so all of them give the same numbers. docs/api.md
lists the routes with examples, /api/openapi.json lists them for machines.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Path, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Route
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from models.analysis import Analysis, Caption, Harm, Verdict
from serving import intake, perspective, predictors, problems, schemas
from serving.guard import Guard
from serving.incoming import keep_loops_responsive
from serving.problems import Overloaded
from serving.schemas import Health, Models, Predicted, Scores, SystemInfo
from serving.service import Metrics, Service
from serving.settings import Settings
from serving.uploads import UploadsToDisk
from serving.work import ANALYZE, SCORE, MemeInput, load_analyzer

if TYPE_CHECKING:
    from models.analyzer import Analyzer

VERSION = "1"


async def service_of(request: Request) -> Service:
    """The service of the API that got the request; `async`, since FastAPI runs other functions in its worker threads."""
    service: Service = request.app.state.service
    return service


CurrentService = Annotated[Service, Depends(service_of)]
v1 = APIRouter(prefix="/api/v1", tags=["memes"])
about = APIRouter(tags=["the server"])


@v1.post(
    "/analyze",
    summary="Everything about one meme",
    response_model=Analysis,
    openapi_extra=schemas.meme_body(intake.Question),
    responses=schemas.problems(401, 408, 413, 415, 422, 429, 503),
)
async def analyze(request: Request, service: CurrentService) -> JSONResponse:
    """The verdict with its reasons, emotions and attention: the JSON `subtext/1`, the same as the page's download."""
    analysis: Analysis = await service.answer(request, ANALYZE, await intake.read(request, intake.Question))
    service.metrics.observe_stages(analysis.stages)
    timing = ", ".join(f"{stage.name.replace(' ', '-')};dur={stage.ms or 0:.1f}" for stage in analysis.stages)
    return JSONResponse(analysis.to_dict(), headers={"Server-Timing": timing})  # which browsers draw


@v1.post(
    "/score",
    summary="Verdicts for many memes",
    response_model=Scores,
    openapi_extra=schemas.json_body(intake.ScoreMany, schemas.TEXTS["memes"]),
    responses=schemas.problems(401, 408, 413, 415, 422, 429, 503),
)
async def score(request: Request, service: CurrentService) -> JSONResponse:
    """Batched; a meme that cannot be used is a result with its problem and takes none of the others with it."""
    items = await intake.read_many(request, service.settings.memes)
    usable = [item for item in items if isinstance(item, MemeInput)]
    scores = iter(await service.answer_all(request, SCORE, usable))
    answers = [next(scores) if isinstance(item, MemeInput) else item for item in items]
    return JSONResponse({"results": [score_entry(index, answer) for index, answer in enumerate(answers)]})


@v1.post(
    "/systems/{name}/predict",
    summary="The category that one system gives",
    response_model=Predicted,
    openapi_extra=schemas.meme_body(intake.Meme),
    responses=schemas.problems(401, 404, 408, 413, 415, 422, 429, 503),
)
async def predict(
    request: Request, service: CurrentService, name: Annotated[str, Path(examples=["text-emotions"])]
) -> JSONResponse:
    """Any of the trained systems that /api/v1/models lists."""
    _, known = await service.what_runs()
    predictor = predictors.choose(known, name)
    item = await intake.read(request, intake.Meme)
    caption, prediction = await service.answer(request, predictor.name, item)
    words = {"caption": caption.text, "caption_source": caption.source, "language": caption.language}
    return JSONResponse({"system": predictor.name, **asdict(prediction), **words})


@v1.get("/models", summary="What runs here", response_model=Models, responses=schemas.problems(401, 429, 503))
async def models(service: CurrentService) -> JSONResponse:
    """The profile, its weights by SHA-256, and the systems that can be asked."""
    info, known = await service.what_runs()
    systems = [{name: getattr(item, name) for name in SystemInfo.model_fields} for item in known.values()]
    return JSONResponse({"profile": asdict(info), "systems": systems})


@about.get("/health", summary="Whether the server lives", response_model=Health)
async def health() -> dict[str, str]:
    """200 as long as it can answer at all."""
    return {"status": "ok"}


@about.get("/ready", summary="Whether it can take memes", response_model=Health, responses=schemas.problems(503))
async def ready(service: CurrentService) -> dict[str, str]:
    """200 once the models are loaded and while the queue has room."""
    service.check_ready()
    if service.queue.length >= service.queue.max_length:
        raise Overloaded("The queue is full.", 1)
    return {"status": "ready"}


@about.get("/metrics", summary="Counters for Prometheus", response_class=Response)
async def metrics(service: CurrentService) -> Response:
    """Requests, times, batch sizes, the queue, the process."""
    return Response(generate_latest(service.metrics.registry), media_type=CONTENT_TYPE_LATEST)


def score_entry(index: int, answer: tuple[Caption, tuple[Verdict, Harm | None]] | Exception) -> dict[str, Any]:
    """One item of `/score`."""
    if isinstance(answer, Exception):
        return {"index": index, "problem": problems.problem(answer)}
    caption, (verdict, harm) = answer
    return {
        "index": index,
        "verdict": asdict(verdict),
        "harm": asdict(harm) if harm is not None else None,
        "caption": caption.text,
        "caption_source": caption.source,
        "language": caption.language,
    }


def create(settings: Settings | None = None, load: Callable[[], Analyzer] | None = None) -> FastAPI:
    """A new API; `load` returns the analyzer once it runs. Beside the pages FastAPI's own lifespan does not run: the app
    enters `lifespan(api)` instead."""
    keep_loops_responsive()
    settings = settings or Settings()
    metrics = Metrics()
    app = FastAPI(
        title="Subtext",
        version=VERSION,
        description="Reads a meme: is it hateful, how sure is that, what emotions does it carry, and what moved the answer.",
        openapi_url="/api/openapi.json",
        docs_url=None,  # FastAPI's page of documentation loads its scripts from elsewhere
        redoc_url=None,
        lifespan=lambda app: app.state.service.running(),
        exception_handlers={HTTPException: problems.refuse},
        redirect_slashes=False,
    )
    app.state.service = Service(settings, load or load_analyzer, metrics)
    for router in (v1, perspective.router, about):
        app.include_router(router)
    app.add_middleware(Guard, settings=settings, metrics=metrics)
    if settings.proxies:  # before the guard, which then sees the forwarded address
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(settings.proxies))
    return app


def lifespan(api: FastAPI) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """For `st.App(lifespan=...)`."""
    return lambda _: api.state.service.running()


def page_middleware(api: FastAPI, is_open: Callable[[str], bool]) -> list[Middleware]:
    """For `st.App(middleware=...)`: visitors have the addresses that the API sees, and their uploads go to disk."""
    proxies = list(api.state.service.settings.proxies)
    forwarded = [Middleware(ProxyHeadersMiddleware, trusted_hosts=proxies)] if proxies else []
    return [*forwarded, Middleware(UploadsToDisk, is_open=is_open)]


def routes(api: FastAPI) -> list[BaseRoute]:
    """For `st.App(routes=...)`: the API's paths go to it unchanged, all others to the pages."""
    paths = ("/api/{rest:path}", "/v1alpha1/{rest:path}", "/health", "/ready", "/metrics")
    return [Route(path, endpoint=api) for path in paths]


def __getattr__(name: str) -> FastAPI:
    """`app`, for uvicorn: made on demand, since app.py makes an API of its own."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return create()
