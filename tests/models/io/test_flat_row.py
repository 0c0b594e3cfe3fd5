"""The row of a meme tells how its caption was read."""

import pytest

from models.analysis import Bands, Caption, Meme, Verdict
from models.io.flat_row import COLUMNS, good
from models.reading import Reading


@pytest.mark.parametrize(("decided", "read_as"), [(True, "kill it"), (False, "")])
def test_a_row_tells_the_reading_that_decided(decided, read_as):
    reading = Reading("kill it", decided, 0.8, 0.2)
    verdict = Verdict("hateful", 0.8, 1.4, Bands(0.4, 0.7), "", reading=reading)
    row = good("a", Meme(None, Caption("k1ll it", "override")), verdict, None, {"stress": "no"})
    assert (row.caption, row.read_as) == ("k1ll it", read_as)
    assert list(row.flat()) == [*COLUMNS, "stress"]
