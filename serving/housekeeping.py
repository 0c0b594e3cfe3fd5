"""What visitors leave behind is removed: at the start of the server, every minute, and at its end."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from models.io import temporary
from models.io.uploads import UPLOADS
from serving.batch.jobs import JOBS

PERIOD_S = 60.0
_log = logging.getLogger("subtext.housekeeping")


@contextmanager
def running(is_open: Callable[[str], bool]) -> Iterator[None]:
    """Inside, uploads and batches are removed when their time is over; `is_open` says whether a session's page is open."""
    temporary.sweep()
    ended = threading.Event()

    def tidy_until_the_end() -> None:
        while not ended.wait(PERIOD_S):
            try:
                tidy(is_open)
            except Exception as error:  # the next minute is another try
                _log.error("What visitors left could not be removed (%s).", type(error).__name__)

    threading.Thread(target=tidy_until_the_end, name="subtext-housekeeping", daemon=True).start()
    try:
        yield
    finally:
        ended.set()
        JOBS.close()
        UPLOADS.folder.remove()


def tidy(is_open: Callable[[str], bool]) -> None:
    """Remove what nobody needs any more."""
    JOBS.expire()
    UPLOADS.expire(is_open)
    temporary.sweep()
