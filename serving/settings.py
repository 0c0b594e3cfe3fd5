"""What an operator may set, from environment variables that begin with `SUBTEXT_API_`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields

PREFIX = "SUBTEXT_API_"


@dataclass(frozen=True)
class Settings:
    """Limits of the HTTP API. A value that makes no sense is refused when it is read, with the variable's name.

    keys: whoever calls must show one of these; none means that everybody may call (SUBTEXT_API_KEYS, commas between).
    rate: calls that one caller may make, as `limits` writes it ("60/minute"); empty means any number.
    queue: memes that may wait; workers: threads that compute; at_once: memes that are scored together.
    memes: memes in one request; body_mb: megabytes of one request; in_flight_mb: of all requests being answered.
    deadline_s: seconds after which a request that is not answered yet is turned away.
    """

    keys: tuple[str, ...] = ()
    rate: str = ""
    queue: int = 128
    workers: int = 2
    at_once: int = 16
    memes: int = 64
    body_mb: int = 32
    in_flight_mb: int = 256
    deadline_s: float = 30.0

    def __post_init__(self) -> None:
        for name in ("queue", "workers", "at_once", "memes", "body_mb", "in_flight_mb", "deadline_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{PREFIX}{name.upper()}={getattr(self, name)} must be more than 0")
        if self.memes > self.queue:
            raise ValueError(f"{PREFIX}MEMES={self.memes} must not be more than {PREFIX}QUEUE={self.queue}")
        if self.body_mb > self.in_flight_mb:
            raise ValueError(
                f"{PREFIX}BODY_MB={self.body_mb} must not be more than {PREFIX}IN_FLIGHT_MB={self.in_flight_mb}"
            )

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Settings:
        """Raises `ValueError` that names the variable; what is not set keeps its default."""
        env = os.environ if env is None else env
        given: dict[str, object] = {}
        for field in fields(cls):
            text = env.get(f"{PREFIX}{field.name.upper()}", "").strip()
            if not text:
                continue
            if field.name == "keys":
                given["keys"] = tuple(key for key in (part.strip() for part in text.split(",")) if key)
            elif field.name == "rate":
                given["rate"] = text
            else:
                try:
                    given[field.name] = float(text) if field.name == "deadline_s" else int(text)
                except ValueError as error:
                    raise ValueError(f"{PREFIX}{field.name.upper()}={text!r} is not a number") from error
        return cls(**given)  # type: ignore[arg-type]
