"""Who calls, by key or by address: keys are compared, and calls and wrong keys are counted."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import math
import time
from typing import TYPE_CHECKING

import limits
from starlette.datastructures import Headers, QueryParams

from serving import perspective
from serving.problems import RateLimited, Unauthorized

if TYPE_CHECKING:
    from starlette.types import Scope

    from serving.settings import Settings

WRONG_KEYS = limits.parse("20/minute")  # that may come from one address
MAX_PROVEN = 10_000


class Callers:
    """Admits calls or refuses them, and says whose they are."""

    def __init__(self, settings: Settings) -> None:
        self._keys = [_digest(key) for key in settings.keys]
        self._rate = limits.parse(settings.rate) if settings.rate else None
        self._limiter = limits.strategies.MovingWindowRateLimiter(limits.storage.MemoryStorage())
        self._proven: set[tuple[str, bytes]] = set()  # addresses with the digests of right keys that came from them

    def admit(self, scope: Scope, headers: Headers) -> str:
        """The caller: its key's digest or, where no keys are set, its address. Raises `Unauthorized` or `RateLimited`."""
        address = address_of(scope)
        caller = self._check_key(address, sent_key(scope, headers)) if self._keys else address
        if self._rate is not None and not self._limiter.hit(self._rate, caller):
            raise self._limited(f"More than {self._rate} are not taken from one caller.", self._rate, caller)
        return caller

    def _check_key(self, address: str, key: str) -> str:
        """The right key's digest. After too many wrong ones from an address no other key from there is compared, so that
        guessing is slow; a key that was right there before stays right, so that neighbours are not locked out."""
        digest, guesses = _digest(key), f"wrong keys from {address}"
        if (address, digest) in self._proven:
            return digest.hex()
        if key and not self._limiter.test(WRONG_KEYS, guesses):
            raise self._limited("Too many wrong keys came from this address.", WRONG_KEYS, guesses)
        if not any(hmac.compare_digest(digest, right) for right in self._keys):
            if key:
                self._limiter.hit(WRONG_KEYS, guesses)
            raise Unauthorized(
                "This server needs a key: send it as `Authorization: Bearer KEY`, or ask its operator for one."
            )
        if len(self._proven) >= MAX_PROVEN:
            self._proven.clear()
        self._proven.add((address, digest))
        return digest.hex()

    def _limited(self, reason: str, rate: limits.RateLimitItem, caller: str) -> RateLimited:
        seconds = self._limiter.get_window_stats(rate, caller).reset_time - time.time()
        return RateLimited(reason, max(1, math.ceil(seconds)))


def address_of(scope: Scope) -> str:
    """The address that a request came from, as `network_of` gives it."""
    return network_of(str((scope.get("client") or ("unknown",))[0]))


def network_of(host: str) -> str:
    """An address; of an IPv6 address its network (/64), which one caller has for itself."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:  # the path of a socket, say
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return host
    return str(address.ipv4_mapped or ipaddress.IPv6Network((int(address), 64), strict=False))


def sent_key(scope: Scope, headers: Headers) -> str:
    """The caller's key: a bearer token, X-API-Key, or `?key=` for the Perspective route; "" if there is none."""
    kind, _, value = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    if "x-api-key" in headers:
        return headers["x-api-key"]
    if scope["path"].startswith(perspective.PREFIX):
        return QueryParams(scope.get("query_string", b"")).get("key", "")
    return ""


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
