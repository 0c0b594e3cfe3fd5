"""The app as the tests of its pages open it and read it."""

from __future__ import annotations

from pathlib import Path

from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button

APP = str(Path(__file__).resolve().parents[1] / "app.py")
PATIENCE = 120  # seconds for a run of a page; a busy machine is slow, not wrong


def open_app() -> AppTest:
    """The app as it opens, on the page Meme."""
    app = AppTest.from_file(APP, default_timeout=PATIENCE).run()
    assert not app.exception
    return app


def open_page(path: str) -> AppTest:
    """The app on another page, by the path of its script."""
    app = open_app().switch_page(path).run()
    assert not app.exception
    return app


def fine(app: AppTest) -> AppTest:
    """The same app, which shows no exception and no error."""
    assert not app.exception
    assert not app.error, [error.value for error in app.error]
    return app


def everything(app: AppTest) -> str:
    """All that the page says, as one text."""
    kinds = (
        app.title, app.header, app.subheader, app.markdown, app.caption, app.info, app.warning, app.error, app.html, app.text
    )  # fmt: skip
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def button(app: AppTest, label: str) -> Button:
    """The first button with these words in its label."""
    return next(element for element in app.button if label in element.label)
