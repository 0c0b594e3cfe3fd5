"""Names that say what happened to a value, not what it is: `python .ci/check_names.py [FOLDER...]` lists where they stand."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

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


def main(folders: list[str]) -> int:
    """Prints `file:line: name` for each banned name in the tracked Python files; 1 if there is any."""
    listed = subprocess.run(["git", "ls-files", "--", *folders], check=True, capture_output=True, text=True).stdout
    files = [path for line in listed.splitlines() if (path := Path(line)).suffix == ".py" and path.is_file()]
    hits = [
        f"{path}:{line}: {name}"
        for path in files
        for line, name in sorted(set(names(ast.parse(path.read_text(encoding="utf-8")))))
        if name in BANNED
    ]
    print("\n".join(hits) or f"No banned name in {len(files)} files.")
    return int(bool(hits))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
