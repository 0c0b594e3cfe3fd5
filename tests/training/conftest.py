from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.weights_for_tests import Tiny


@pytest.fixture(scope="session")
def tiny() -> Tiny:
    """Tiny weights for the whole analyzer, built once."""
    from tests import weights_for_tests

    return weights_for_tests.once()
