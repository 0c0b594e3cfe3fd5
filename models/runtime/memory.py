"""Keeping the process small."""

from __future__ import annotations

import ctypes
import sys


def give_back_memory() -> None:
    """Asks glibc to return freed memory; without an arena the networks would leave some 200 MB with the allocator."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
        if trim is not None:
            trim(0)
