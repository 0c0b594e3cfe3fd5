"""`python -m models`: the same analysis as the page's, sentences for mistakes, and no heavy import."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from models import analyzer as engine
from models.__main__ import main
from models.analysis import Analysis
from models.errors import PartUnavailable
from models.io.images import MAX_BYTES
from models.profiles.registry import PROFILES
from tests.conftest import drawn
from tests.fakes import FakeAnalyzer

ROOT = Path(__file__).parents[2]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeAnalyzer:
    made = FakeAnalyzer()
    monkeypatch.setattr(engine, "Analyzer", lambda *_, **__: made)
    return made


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Exit status, stdout and stderr of a command."""

    def call(*words: object) -> tuple[int, str, str]:
        status = main([str(word) for word in words])
        return status, *capsys.readouterr()

    return call


@pytest.fixture
def meme(tmp_path: Path) -> Path:
    path = tmp_path / "meme.png"
    path.write_bytes(drawn())
    return path


def test_words_alone(fake: FakeAnalyzer, run: Run) -> None:
    status, out, err = run("analyze", "--caption", "we despise mondays")
    assert (status, err) == (0, "")
    assert out.startswith("Hateful, probability 0.82\n")
    assert "a human look from 0.40, hateful from 0.70" in out
    assert "Words (given by you)\n  we despise mondays\n" in out
    assert "there is no picture" in out
    assert "together 100 (mini on cpu)" in out
    assert fake.calls == ["we despise mondays"]


def test_a_picture_is_read_as_the_page_reads_it(fake: FakeAnalyzer, run: Run, meme: Path) -> None:
    status, out, _ = run("analyze", meme, "--json")
    analysis = Analysis.from_dict(json.loads(out))
    assert status == 0
    assert (analysis.caption.text, analysis.caption.source) == ("when the tests pass", "ocr")
    assert analysis.image is not None
    assert (analysis.image.format, len(analysis.image.sha256 or "")) == ("PNG", 64)
    assert [stage.name for stage in analysis.stages[:2]] == ["ocr", "picture"]
    assert fake.reader.calls == 1


def test_the_words_that_moved_it_come_strongest_first(fake: FakeAnalyzer, run: Run, meme: Path) -> None:
    _, out, _ = run("analyze", meme, "--caption", "one two three four five six seven eight nine ten")
    listed = out.split("Words that moved it")[1].split("\n\n")[0].splitlines()[1:]
    effects = [abs(float(line.split()[0])) for line in listed]
    assert effects == sorted(effects, reverse=True)
    assert len(effects) == 8
    assert len(out.split("\nFaces\n")[1].split("\n\n")[0].splitlines()) == 2


def test_a_caption_keeps_the_ocr_off_and_an_empty_one_means_no_words(fake: FakeAnalyzer, run: Run, meme: Path) -> None:
    run("analyze", meme, "--caption", "my own words")
    assert "Words (none)" in run("analyze", meme, "--caption", "")[1]
    assert fake.calls == ["my own words", ""]
    assert fake.reader.calls == 0


def test_without_explanation_the_analyzer_is_not_asked_for_one(
    fake: FakeAnalyzer, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    analyze = fake.analyze
    monkeypatch.setattr(fake, "analyze", lambda meme, **options: calls.append(options) or analyze(meme, **options))
    run("analyze", "--caption", "words", "--no-explain")
    run("analyze", "--caption", "words")
    assert [options["explain"] for options in calls] == [False, True]


def test_without_an_ocr_the_picture_is_judged_and_the_reason_told(fake: FakeAnalyzer, run: Run, meme: Path) -> None:
    fake.reader.error = PartUnavailable("The words cannot be read here: type them yourself.")
    status, out, err = run("analyze", meme, "--json")
    analysis = json.loads(out)
    assert (status, err) == (0, "The words cannot be read here: type them yourself.\n")
    assert analysis["stages"][0]["status"] == "failed"
    assert analysis["caption"]["source"] == "none"


def test_a_part_that_failed_says_so(fake: FakeAnalyzer, run: Run, meme: Path) -> None:
    fake.failed = ("faces", "text emotions", "evidence")
    _, out, _ = run("analyze", meme, "--caption", "words")
    for sentence in ("The faces could not", "The emotions in the words could not", "What moved the score could not"):
        assert sentence in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{folder}/none.png"], "There is no file"),
        (["{folder}"], "is a folder"),
        (["{folder}/note.png"], "text file"),
        (["{folder}/empty.png"], "empty"),
        (["{folder}/huge.png"], "more than 10 MB"),
        (["{folder}/nul\0.png"], "cannot be read"),
        ([], "nothing to analyze"),
        (["--caption", " \u200b"], "nothing to analyze"),
        (["--caption", "x" * 10_001], "10,001 characters"),
        (["--caption", "words", "--profile", "mimi"], "Did you mean 'mini'?"),
    ],
)
def test_mistakes_are_told_in_a_sentence(
    words: list[str], said: str, fake: FakeAnalyzer, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "note.png").write_text("not a picture at all")
    (tmp_path / "empty.png").write_bytes(b"")
    with (tmp_path / "huge.png").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    status, out, err = run("analyze", *(word.format(folder=tmp_path) for word in words))
    assert (status, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1
    assert fake.calls == []


def test_what_was_not_foreseen_is_told_without_the_caption(fake: FakeAnalyzer, run: Run) -> None:
    fake.error = RuntimeError("it broke at: our secret words")
    status, out, err = run("analyze", "--caption", "our secret words")
    assert (status, out) == (1, "")
    assert "RuntimeError" in err
    assert "secret" not in err


def test_a_caption_cannot_steer_the_terminal(fake: FakeAnalyzer, run: Run) -> None:
    _, out, _ = run("analyze", "--caption", "red \x1b[31m bell \a left \u202e end")
    assert not set(out) & {"\x1b", "\a", "\u202e"}
    assert "red [31m bell left end" in " ".join(out.split())


def test_profiles_lists_each(run: Run) -> None:
    status, out, _ = run("profiles")
    assert status == 0
    *each, automatic = out.splitlines()
    assert [line.split(":")[0] for line in each] == list(PROFILES)
    assert "default" in each[0]
    assert automatic.startswith("auto takes mini: The full-size models (clip) are not trained")


def test_a_reader_that_has_seen_enough_is_no_failure() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "models", "profiles"], cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_terminal_and_the_library_agree(run: Run, meme: Path) -> None:
    """With the weights in the repository."""
    from models.analysis import Meme
    from models.io import captions
    from models.io.images import open_picture

    words = "Nobody told me that Mondays come with free cake"
    status, out, _ = run("analyze", meme, "--caption", words, "--json")
    analysis = Analysis.from_dict(json.loads(out))
    picture = open_picture(meme.read_bytes())
    here = engine.Analyzer().analyze(Meme(picture.image, captions.from_override(words)))
    assert status == 0
    assert analysis.verdict == here.verdict
    assert analysis.emotions == here.emotions
    assert analysis.explanation == here.explanation


def test_the_analyzer_is_light() -> None:
    """The `mini` profile must not carry what only training or the larger profile needs."""
    heavy = ("torch", "torchvision", "transformers", "timm", "pandas", "cv2", "sklearn", "streamlit", "rapidocr")
    program = f"import sys, models.analyzer, models.__main__; print(*[name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
