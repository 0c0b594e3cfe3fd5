"""What the README and the guides tell people to run does run, and their links lead somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from models.__main__ import build_parser as models_parser
from serving.batch.__main__ import parser as batch_parser
from tests.conftest import drawn
from training.cli import FITS, MULTITASK
from training.cli import parser as training_parser

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in DOCUMENTS}
TOY = "docs/extending.md"  # its commands are about a toy task: training/test_toy_task.py runs them
PLACEHOLDER = re.compile("NAME|GROUP|toy")
PARSERS = {"models": models_parser(), "training": training_parser(), "serving.batch": batch_parser()}


def blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXTS[name], re.MULTILINE | re.DOTALL)


def commands(name: str) -> list[list[str]]:
    """The words of each of our commands that a document shows, also behind a prompt."""
    lines = "".join(blocks(name, "sh") + blocks(name, "console")).replace("\\\n", "").splitlines()
    plain = [line.removeprefix("$ ") for line in lines]
    split = [shlex.split(line, comments=True) for line in plain if line.startswith("python -m ")]
    return [words for words in split if words[2] in PARSERS]


def test_the_readme_is_short_and_has_the_two_commands() -> None:
    shell = "".join(blocks("README.md", "sh"))
    assert "pip install -r requirements.txt && streamlit run app.py" in shell
    assert "pip install -r requirements-dev.txt && python -m pytest" in shell
    assert len(TEXTS["README.md"].splitlines()) <= 120


@pytest.mark.parametrize("name", [name for name in TEXTS if commands(name) and name != TOY])
def test_the_commands_of_a_document_are_understood(name: str) -> None:
    for words in commands(name):
        PARSERS[words[2]].parse_args(words[3:])  # exits where a word is wrong


def test_the_training_guide_names_every_model() -> None:
    parsed = [
        PARSERS["training"].parse_args(words[3:]) for words in commands("docs/training.md") if words[2] == "training"
    ]
    assert {name for args in parsed if args.command == "fit" for name in args.names} == {*FITS, *MULTITASK}


def test_the_python_of_the_usage_guide_runs_on_the_shipped_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "meme.png").write_bytes(drawn())
    monkeypatch.chdir(tmp_path)
    (program,) = blocks("docs/usage.md", "python")
    exec(compile(program, "docs/usage.md", "exec"), {})
    label, probability, *explanation = capsys.readouterr().out.splitlines()
    assert label in ("hateful", "not_hateful", "needs_review")
    assert 0 <= float(probability) <= 1
    assert len(explanation) > 2


@pytest.mark.parametrize("name", TEXTS)
def test_the_links_of_a_document_lead_somewhere(name: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", TEXTS[name])
    assert [link for link in links if not (ROOT / name).parent.joinpath(link).exists()] == []


@pytest.mark.parametrize("name", [name for name in TEXTS if name != "CHANGELOG.md"])
def test_the_files_that_a_document_names_exist(name: str) -> None:
    paths = re.findall(
        r"`((?:models|training|components|serving|pages|benchmarks|tests|assets|docs)/[\w./]+)`", TEXTS[name]
    )
    assert [path for path in paths if not PLACEHOLDER.search(path) and not (ROOT / path).exists()] == []
