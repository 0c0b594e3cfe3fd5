"""What a process makes once and keeps until it ends, whichever thread asks first.

`st.cache_resource` is no place for it: a message that any browser may send (`clear_cache`) empties Streamlit's caches.
"""

import threading
from collections.abc import Callable, Hashable
from functools import lru_cache, wraps
from typing import TypeVar

Result = TypeVar("Result")


def once(make: Callable[..., Result]) -> Callable[..., Result]:
    """`make`, called once for each of the last 16 arguments; the threads that come meanwhile wait. What raises is made again."""
    lock, cached = threading.Lock(), lru_cache(maxsize=16)(make)

    @wraps(make)
    def get(*arguments: Hashable) -> Result:
        with lock:
            return cached(*arguments)

    get.cache_clear = cached.cache_clear  # type: ignore[attr-defined]  # for tests, as `lru_cache` has it
    return get
