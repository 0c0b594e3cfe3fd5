"""What the README tells people to run does run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from models.__main__ import parser as models_parser
from serving.batch.__main__ import parser as batch_parser
from tests.conftest import drawn
from training.cli import FITS, MULTITASK
from training.cli import parser as training_parser

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def commands() -> list[list[str]]:
    """The words of each command that starts with `python -m`, also behind a prompt."""
    lines = "".join(blocks("sh") + blocks("console")).splitlines()
    plain = (line.removeprefix("$ ") for line in lines)
    return [shlex.split(line, comments=True) for line in plain if line.startswith("python -m ")]


def test_the_two_commands_are_in_it() -> None:
    shell = "".join(blocks("sh"))
    assert "pip install -r requirements.txt && streamlit run app.py" in shell
    assert "pip install -r requirements-dev.txt && python -m pytest" in shell


def test_its_commands_are_understood() -> None:
    parsers = {"models": models_parser(), "training": training_parser(), "serving.batch": batch_parser()}
    fitted = set()
    for words in commands():
        args = parsers[words[2]].parse_args(words[3:])  # exits where a word is wrong
        if getattr(args, "command", "") == "fit":
            fitted |= set(args.names)
    assert fitted == {*FITS, *MULTITASK}


def test_its_python_runs_on_the_shipped_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "meme.png").write_bytes(drawn())
    monkeypatch.chdir(tmp_path)
    (program,) = blocks("python")
    exec(compile(program, "README.md", "exec"), {})
    label, probability, *explanation = capsys.readouterr().out.splitlines()
    assert label in ("hateful", "not_hateful", "needs_review")
    assert 0 <= float(probability) <= 1
    assert len(explanation) > 2


def test_the_commands_of_the_guide_are_understood_too() -> None:
    guide = (ROOT / "docs" / "full-size.md").read_text(encoding="utf-8")
    parsers = {"models": models_parser(), "training": training_parser()}
    guide_commands = [shlex.split(line) for line in re.findall(r"^python -m .*$", guide, re.MULTILINE)]
    for words in guide_commands:
        parsers[words[2]].parse_args(words[3:])
    assert len(guide_commands) == 2


def test_its_links_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert "docs/screenshot.png" in links
    assert [link for link in links if not (ROOT / link).exists()] == []
