"""The image's locked versions fit what the app asks for, and each has hashes."""

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]


def wanted(name: str) -> list[Requirement]:
    """The requirements of a file, with those of the files that it includes."""
    lines = [line.partition(" #")[0].strip() for line in (ROOT / name).read_text(encoding="utf-8").splitlines()]
    included = [
        requirement for line in lines if line.startswith("-r ") for requirement in wanted(line.removeprefix("-r "))
    ]
    return [*included, *(Requirement(line) for line in lines if line and not line.startswith(("-r ", "#")))]


@pytest.mark.parametrize("name", ["requirements-mini", "requirements"])
def test_the_lock_holds_what_the_app_asks_for(name: str) -> None:
    text = (ROOT / f"{name}.lock").read_text(encoding="utf-8")
    versions = dict(re.findall(r"^([a-z0-9-]+)==(\S+) \\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE))
    assert len(versions) == text.count("==")
    for requirement in wanted(f"{name}.txt"):
        version = versions.get(canonicalize_name(requirement.name))
        assert version is not None and requirement.specifier.contains(version), f"run .ci/lock: {requirement}"


def test_the_image_installs_the_locks() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert "--require-hashes" in dockerfile and "COPY requirements*.lock" in dockerfile
    assert re.search(r"pids_limit: \d+", (ROOT / "compose.yaml").read_text(encoding="utf-8"))
