from __future__ import annotations

import pytest

from models.errors import BadInput
from models.profiles.registry import PROFILES, select


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_a_profile_is_found_by_its_name(name: str) -> None:
    assert select(name).profile.name == name


def test_auto_is_what_needs_no_download() -> None:
    assert not select("auto").profile.needs_download


def test_an_unknown_profile_suggests_a_near_one() -> None:
    with pytest.raises(BadInput, match=r"no profile 'minni'\. Did you mean 'mini'"):
        select("minni")
    with pytest.raises(BadInput, match=r"There are: auto, mini"):
        select("gpt")
