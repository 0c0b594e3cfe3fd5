"""The API's answers beside `Analysis`: the routes document themselves with these types, and the client returns them."""

from __future__ import annotations

from pydantic import BaseModel, Field
from pydantic.dataclasses import dataclass

from models.analysis import Emotion, Harm, ProfileInfo, Source, Status, Verdict


class Problem(BaseModel):
    """problem+json (RFC 9457); `detail` says the fix, `errors` where a body does not fit."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[dict[str, str]] = []


class Score(BaseModel):
    """One meme's short answer, or the problem with it."""

    index: int
    verdict: Verdict | None = None
    harm: Harm | None = None
    caption: str | None = Field(None, description="The words that the verdict rests on.")
    caption_source: Source | None = None
    problem: Problem | None = None


class Scores(BaseModel):
    """One result for each meme of the request, in their order."""

    results: list[Score]


@dataclass(frozen=True)
class Answered:
    """The answer for one target of a model that predicts several; `question` is the target's name."""

    task: str
    question: str
    category: str
    scores: tuple[Emotion, ...]


class Predicted(BaseModel):
    """A predictor's category and the scores that it was chosen by, the likeliest first; `answers` has an entry for each
    target where there are several."""

    system: str
    status: Status
    category: str
    scores: list[Emotion]
    detail: str = ""
    answers: list[Answered] = []
    caption: str
    caption_source: Source


class SystemInfo(BaseModel):
    """One predictor: its name in the address, what it reads and its categories."""

    name: str
    summary: str
    reads: str
    labels: list[str]


class Models(BaseModel):
    """What runs here: the profile with the SHA-256 of each weights folder, and the predictors."""

    profile: ProfileInfo
    systems: list[SystemInfo]


class Health(BaseModel):
    """The state of the server in one word."""

    status: str
