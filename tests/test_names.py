"""A name says what a value is: no variable is named by what happened to it. A failure lists `file:line: name`."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
BANNED = frozenset({"found", "told", "seen", "asked", "held", "kept", "one", "there"})


def names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The line and the name of everything that the module binds: variables, arguments, attributes, functions, imports."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()) | ast.arg(arg=name):
                yield node.lineno, name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield node.lineno, name
            case ast.alias(name=full, asname=name):
                yield node.lineno, name or full.rpartition(".")[2]
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield node.lineno, name


def test_no_variable_is_named_by_a_participle_or_a_pronoun() -> None:
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    files = [path for line in listed.splitlines() if (path := ROOT / line).is_file()]
    assert len(files) > 100
    bad = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in files
        for line, name in sorted(set(names(ast.parse(path.read_text(encoding="utf-8")))))
        if name in BANNED
    ]
    assert bad == []


def test_every_kind_of_name_is_seen() -> None:
    source = "import os as told\nfound = 1\ndef kept(seen):\n    for one in seen:\n        seen.held = one"
    assert {name for _, name in names(ast.parse(source))} == {"told", "found", "kept", "seen", "one", "held"}
