"""The public names of every package are those of `public_names.json`; `python -m tests.test_public_names` writes it anew."""

from __future__ import annotations

import ast
import json
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SNAPSHOT = Path(__file__).with_name("public_names.json")
ROOTS = ("models", "components", "training", "serving")


@cache
def public_names() -> dict[str, dict[str, list[str]]]:
    """For each package its modules, for each module the functions, classes and constants that it defines."""
    packages: dict[str, dict[str, list[str]]] = {}
    for path in sorted(path for root in ROOTS for path in (ROOT / root).rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {
            name
            for node in tree.body
            for name in _defined(node)
            if not name.startswith("_") and name not in {"annotations"}
        }
        package = ".".join(path.parent.relative_to(ROOT).parts)
        packages.setdefault(package, {})[path.stem] = sorted(names)
    return packages


def _defined(node: ast.stmt) -> list[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Assign(targets=targets):
            return [target.id for target in targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
    return []


@pytest.mark.parametrize("package", sorted(public_names()))
def test_the_public_names_of_a_package_are_what_they_were(package: str) -> None:
    assert public_names()[package] == json.loads(SNAPSHOT.read_text(encoding="utf-8"))[package]


def test_no_package_is_missing() -> None:
    assert set(json.loads(SNAPSHOT.read_text(encoding="utf-8"))) == set(public_names())


if __name__ == "__main__":
    SNAPSHOT.write_text(json.dumps(public_names(), indent=1) + "\n", encoding="utf-8")
