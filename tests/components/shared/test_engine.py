"""One profile in memory at a time: switches, failures and what is told, with fakes in the models' place."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from streamlit.testing.v1 import AppTest

from components.shared import engine
from components.shared.engine import Choice, Engine
from models.errors import BadWeights
from models.io.downloads import Progress, Unreachable
from tests import wordings
from tests.app_for_tests import button, everything, open_app
from tests.fakes import INFO, FakeAnalyzer


@dataclass
class Shop:
    """Builds fakes, counts how many are open at once, and refuses what `missing` names."""

    missing: dict[str, Exception] = field(default_factory=dict)
    built: list[Choice] = field(default_factory=list)
    open: int = 0
    most: int = 0

    def build(self, choice: Choice, on_progress: object) -> FakeAnalyzer:
        self.built.append(choice)
        if choice.profile in self.missing:
            raise self.missing[choice.profile]
        if callable(on_progress):
            on_progress(Progress("model.safetensors", 5, 10))
        self.open += 1
        self.most = max(self.most, self.open)
        made = FakeAnalyzer(info=replace(INFO, name=choice.profile))

        def close() -> None:
            self.open -= 1

        made.close = close  # type: ignore[attr-defined]
        return made


def test_ten_switches_hold_one_profile_at_a_time() -> None:
    shop = Shop()
    runner = Engine(shop.build)  # type: ignore[arg-type]
    for _ in range(5):
        for name in ("mini", "clip"):
            runner.choose(Choice(name))
            assert runner.get().info.name == name
            assert runner.get() is runner.get()
    assert (len(shop.built), shop.open, shop.most) == (10, 1, 1)


def test_what_cannot_run_is_said_and_mini_goes_on() -> None:
    shop = Shop({"clip": Unreachable("the hub cannot be reached: check the connection.")})
    runner = Engine(shop.build)  # type: ignore[arg-type]
    runner.get()
    runner.choose(Choice("clip", "cuda", "easy"))
    assert runner.get().info.name == "mini"
    assert runner.state.problem == "the hub cannot be reached: check the connection."
    assert shop.built[-1] == Choice("mini", ocr="easy")
    shop.missing.clear()
    runner.choose(Choice("clip", "cuda", "easy"))  # the same choice again tries again
    assert runner.get().info.name == "clip"
    assert not runner.state.problem


def test_a_library_that_fails_in_its_own_way_does_not_take_the_app_down() -> None:
    shop = Shop({"clip": RuntimeError("CUDA driver of another version")})
    runner = Engine(shop.build)  # type: ignore[arg-type]
    runner.choose(Choice("clip"))
    assert runner.get().info.name == "mini"
    assert runner.state.problem == (wordings.THE_MODELS_COULD_NOT_BE_LOADED_RUNTIMEERROR)


def test_without_mini_there_is_nothing_left() -> None:
    runner = Engine(Shop({"mini": BadWeights("weights/hate is damaged.")}).build)  # type: ignore[arg-type]
    runner.choose(Choice("mini"))
    with pytest.raises(BadWeights):
        runner.get()


def test_another_ocr_reads_with_the_same_models() -> None:
    shop = Shop()
    runner = Engine(shop.build)  # type: ignore[arg-type]
    before = runner.get()
    runner.choose(Choice(ocr="easy"))
    assert runner.get() is before
    assert type(runner.get().reader).__name__ == "EasyReader"
    assert shop.open == 1


@pytest.mark.parametrize("choice", [Choice("mini"), Choice("mini", "cuda"), Choice("auto", "cuda")])
def test_a_choice_that_the_same_models_answer_loads_nothing(choice: Choice) -> None:
    shop = Shop()
    runner = Engine(shop.build)  # type: ignore[arg-type]
    with runner.lend() as before:  # two copies of one profile would be in memory until the batch ends
        for wanted in (choice, Choice(), choice):
            runner.choose(wanted)
            assert runner.get() is before
            assert runner.state.choice == wanted and runner.state.why
    assert len(shop.built) == 1


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> tuple[AppTest, Shop]:
    shop = Shop()
    runner = Engine(shop.build)  # type: ignore[arg-type]
    monkeypatch.setattr(engine, "engine", lambda: runner)
    return open_app(), shop


def box(app: AppTest, label: str) -> object:
    return next(element for element in app.selectbox if element.label == label)


def test_the_sidebar_tells_what_runs_and_switches(page: tuple[AppTest, Shop]) -> None:
    app, shop = page
    assert wordings.THE_SMALL_MODELS_RUN_HERE_PROFILE_MINI in everything(app)
    assert wordings.NOT_TRAINED_FOR_THIS_YET in everything(app)
    assert wordings.RANKS_A_MEME_THAT_PEOPLE_MARKED_ABOVE in everything(app) and "50%" in everything(app)
    assert not {"AUROC", "float32", "head"} & set(everything(app).replace(",", " ").split())  # no words of the trade
    helps = " ".join(element.help for element in app.sidebar.caption if element.help)
    assert "AUROC" in helps and "float32" in helps and wordings.N_95_PERCENT_INTERVAL in helps
    box(app, wordings.PROFILE).set_value("clip").run()  # type: ignore[attr-defined]
    assert [choice.profile for choice in shop.built] == ["mini"]
    button(app, wordings.SWITCH).click().run()
    assert wordings.THE_FULL_SIZE_MODELS_RUN_HERE_PROFILE in everything(app)
    assert shop.most == 1
    assert not app.exception


def test_the_sidebar_tells_what_kept_clip_from_running(page: tuple[AppTest, Shop]) -> None:
    app, shop = page
    shop.missing["clip"] = Unreachable("The hub cannot be reached: check the connection.")
    box(app, wordings.PROFILE).set_value("clip").run()  # type: ignore[attr-defined]
    button(app, wordings.SWITCH).click().run()
    assert wordings.THE_SMALL_MODELS_RUN_HERE_PROFILE_MINI in everything(app)
    assert wordings.THE_HUB_CANNOT_BE_REACHED in app.warning[0].value
    assert not app.exception
    app.chat_input[0].set_value("I despise queues").run()
    assert wordings.HATEFUL in app.title[0].value


def test_another_ocr_reads_the_picture_anew(page: tuple[AppTest, Shop], monkeypatch: pytest.MonkeyPatch) -> None:
    from models.ocr import registry
    from tests.conftest import drawn
    from tests.fakes import FakeReader

    app, _ = page
    other = FakeReader()
    monkeypatch.setattr(registry, "reader", lambda *_: other)
    app.file_uploader[0].upload("meme.png", drawn(), "image/png")
    app.run()
    assert other.calls == 0
    box(app, wordings.WHAT_READS_THE_PICTURE).set_value("easy").run()  # type: ignore[attr-defined]
    button(app, wordings.SWITCH).click().run()
    assert other.calls == 1
    assert not app.exception


@pytest.mark.parametrize(
    ("progress", "share", "text"),
    [
        (Progress("model.safetensors", 0, 600_000_000), 0.0, wordings.N_0_OF_600_MB),
        (Progress("model.safetensors", 150_000_000, 600_000_000), 0.25, wordings.N_150_OF_600_MB),
        (Progress("config.json", 2_000_000, 0), 0.0, "2 MB"),
        (Progress("config.json", 20, 10), 1.0, wordings.N_0_OF_0_MB),
    ],
)
def test_a_download_is_told_in_megabytes(progress: Progress, share: float, text: str) -> None:
    fraction, message = engine.download_status(progress)
    assert fraction == share
    assert message.endswith(text)


def test_the_bar_is_there_while_it_downloads_and_gone_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    class Place:
        def __init__(self) -> None:
            self.shown: list[str] = []

        def progress(self, share: float, text: str) -> None:
            self.shown.append(text)

        def empty(self) -> None:
            self.shown.append("gone")

    place = Place()
    monkeypatch.setattr(engine.st, "empty", lambda: place)
    with pytest.raises(RuntimeError), engine.download_bar() as tell:
        tell(Progress("a.bin", 1_000_000, 2_000_000))
        tell(Progress("a.bin", 1_100_000, 2_000_000))  # too soon after the last one
        raise RuntimeError
    assert [text[-9:] for text in place.shown] == [wordings.N_1_OF_2_MB, "gone"]
