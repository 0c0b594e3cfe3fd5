"""What an operator may set, from environment variables that begin with `SUBTEXT_API_`."""

import ipaddress
from typing import Annotated, Any, Self

import limits
from pydantic import Field, PositiveFloat, PositiveInt, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "SUBTEXT_API_"


class Settings(BaseSettings):
    """Limits of the HTTP API. Raises `ValueError`, which names the variable, for a value that makes no sense.

    keys: a caller must send one of these (commas between them); if there are none, everybody may call.
    rate: calls that one caller may make, as `limits` writes it ("60/minute"); empty means any number.
    proxies: addresses or networks of proxies (commas between them), which alone are believed in what they forward: the
    address that a caller has.
    queue: memes that may wait; workers: threads that compute, one of them kept for other callers.
    at_once: memes that are scored together.
    memes: memes in one request; body_mb: megabytes of one request; in_flight_mb: of all requests being answered.
    stall_s: seconds in which the next 64 KB of a body, or its end, must arrive.
    deadline_s: seconds after which a request that is not answered yet is turned away.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True, str_strip_whitespace=True)

    keys: Annotated[tuple[str, ...], NoDecode, Field(repr=False)] = ()
    rate: str = ""
    proxies: Annotated[tuple[str, ...], NoDecode] = ()
    queue: PositiveInt = 128
    workers: PositiveInt = 3
    at_once: PositiveInt = 16
    memes: PositiveInt = 64
    body_mb: PositiveInt = 32
    in_flight_mb: PositiveInt = 256
    stall_s: PositiveFloat = 10.0
    deadline_s: PositiveFloat = 30.0

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            # pydantic's findings with the variable's name; those of `_check_limits` have no location and name it already
            problems = [
                (f"{PREFIX}{str(details['loc'][0]).upper()}={details['input']!r}: " if details["loc"] else "")
                + details["msg"].removeprefix("Value error, ")
                for details in error.errors()
            ]
            raise ValueError("; ".join(problems)) from None

    @field_validator("keys", "proxies", mode="before")
    @classmethod
    def _split(cls, names: Any) -> Any:
        return [name.strip() for name in names.split(",") if name.strip()] if isinstance(names, str) else names

    @field_validator("proxies")
    @classmethod
    def _check_proxies(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(ipaddress.ip_network(proxy, strict=False)) for proxy in proxies)  # raises `ValueError`

    @field_validator("rate")
    @classmethod
    def _check_rate(cls, rate: str) -> str:
        if rate:
            limits.parse(rate)  # raises `ValueError`
        return rate

    @model_validator(mode="after")
    def _check_limits(self) -> Self:
        for name, limit in (("memes", "queue"), ("body_mb", "in_flight_mb")):
            if getattr(self, name) > getattr(self, limit):
                raise ValueError(
                    f"{PREFIX}{name.upper()}={getattr(self, name)} must not be more than "
                    f"{PREFIX}{limit.upper()}={getattr(self, limit)}"
                )
        return self
