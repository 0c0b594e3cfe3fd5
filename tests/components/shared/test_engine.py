"""One profile in memory at a time: switches, failures and what is told, with fakes in the models' place."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from streamlit.testing.v1 import AppTest

from components.shared import engine
from components.shared.engine import Choice, Engine
from models.errors import BadWeights
from models.io.hub import Progress, Unreachable
from tests.fakes import INFO, FakeAnalyzer
from tests.pages.test_meme import APP, button, everything


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
    held = Engine(shop.build)  # type: ignore[arg-type]
    for _ in range(5):
        for name in ("mini", "clip"):
            held.choose(Choice(name))
            assert held.get().info.name == name
            assert held.get() is held.get()
    assert (len(shop.built), shop.open, shop.most) == (10, 1, 1)


def test_what_cannot_run_is_said_and_mini_goes_on() -> None:
    shop = Shop({"clip": Unreachable("the hub cannot be reached: check the connection.")})
    held = Engine(shop.build)  # type: ignore[arg-type]
    held.get()
    held.choose(Choice("clip", "cuda", "easy"))
    assert held.get().info.name == "mini"
    assert held.state.problem == "the hub cannot be reached: check the connection."
    assert shop.built[-1] == Choice("mini", ocr="easy")
    shop.missing.clear()
    held.choose(Choice("clip", "cuda", "easy"))  # the same choice again tries again
    assert held.get().info.name == "clip"
    assert not held.state.problem


def test_a_library_that_fails_in_its_own_way_does_not_take_the_app_down() -> None:
    shop = Shop({"clip": RuntimeError("CUDA driver of another version")})
    held = Engine(shop.build)  # type: ignore[arg-type]
    held.choose(Choice("clip"))
    assert held.get().info.name == "mini"
    assert held.state.problem == ("The models could not be loaded (RuntimeError): choose another device or profile.")


def test_without_mini_there_is_nothing_left() -> None:
    held = Engine(Shop({"mini": BadWeights("weights/hate is damaged.")}).build)  # type: ignore[arg-type]
    held.choose(Choice("mini"))
    with pytest.raises(BadWeights):
        held.get()


def test_another_ocr_reads_with_the_same_models() -> None:
    shop = Shop()
    held = Engine(shop.build)  # type: ignore[arg-type]
    before = held.get()
    held.choose(Choice(ocr="easy"))
    assert held.get() is before
    assert type(held.get().reader).__name__ == "EasyReader"
    assert shop.open == 1


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> tuple[AppTest, Shop]:
    shop = Shop()
    held = Engine(shop.build)  # type: ignore[arg-type]
    monkeypatch.setattr(engine, "engine", lambda: held)
    return AppTest.from_file(APP, default_timeout=30).run(), shop


def box(app: AppTest, label: str) -> object:
    return next(one for one in app.selectbox if one.label == label)


def test_the_sidebar_tells_what_runs_and_switches(page: tuple[AppTest, Shop]) -> None:
    app, shop = page
    assert "The small models run here (profile **mini**)" in everything(app)
    assert "not trained for this yet" in everything(app)
    assert "ranks a meme that people marked above" in everything(app) and "50%" in everything(app)
    assert not {"AUROC", "float32", "head"} & set(everything(app).replace(",", " ").split())  # no words of the trade
    helps = " ".join(one.help for one in app.sidebar.caption if one.help)
    assert "AUROC" in helps and "float32" in helps and "95% interval" in helps
    box(app, "Profile").set_value("clip").run()  # type: ignore[attr-defined]
    assert [choice.profile for choice in shop.built] == ["mini"]
    button(app, "Switch").click().run()
    assert "The full-size models run here (profile **clip**)" in everything(app)
    assert shop.most == 1
    assert not app.exception


def test_the_sidebar_tells_what_kept_clip_from_running(page: tuple[AppTest, Shop]) -> None:
    app, shop = page
    shop.missing["clip"] = Unreachable("The hub cannot be reached: check the connection.")
    box(app, "Profile").set_value("clip").run()  # type: ignore[attr-defined]
    button(app, "Switch").click().run()
    assert "The small models run here (profile **mini**)" in everything(app)
    assert "The hub cannot be reached" in app.warning[0].value
    assert not app.exception
    app.chat_input[0].set_value("I despise queues").run()
    assert "Hateful" in app.title[0].value


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
    box(app, "What reads the picture").set_value("easy").run()  # type: ignore[attr-defined]
    button(app, "Switch").click().run()
    assert other.calls == 1
    assert not app.exception
