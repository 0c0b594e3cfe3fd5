"""Charts carry the numbers of the analysis, and colours that both themes can bear."""

import tomllib
from pathlib import Path

import pytest

from components.analyze import emotions, evidence
from components.analyze.attention import where
from components.shared import charts, lenses, palette, verdict
from components.shared.visit import label, took
from models.analysis import Bands, Emotion, Expression, Face, Shapley, TextEmotions, Verdict, WordEffect
from models.reading import Reading
from tests import wordings

CONFIG = tomllib.loads((Path(__file__).parents[3] / ".streamlit" / "config.toml").read_text())


def judged(probability: float, bands: Bands) -> Verdict:
    return Verdict("needs_review", probability, 0.0, bands, "")


@pytest.mark.parametrize("bands", [Bands(0.4, 0.7), Bands(0.02, 0.03), Bands(0.97, 0.99), Bands(0.5, 0.5)])
def test_the_zones_fill_the_line_without_a_gap(bands: Bands) -> None:
    names, starts, ends, colours = zip(*verdict.zones(bands), strict=True)
    assert names == (wordings.NOT_HATEFUL, wordings.NEEDS_A_HUMAN_LOOK, wordings.HATEFUL)
    assert (starts[0], *ends) == (*starts, 1.0)
    assert len(set(colours)) == 3


@pytest.mark.parametrize("probability", [0.0, 0.314, 1.0])
def test_the_mark_stands_at_the_probability(probability: float) -> None:
    figure = verdict.band_chart(judged(probability, Bands(0.4, 0.7)))
    assert list(figure.data[0].x) == [probability]
    assert f"{probability:.0%}" in figure.data[0].text[0]
    edges = [(shape.x0, shape.x1) for shape in figure.layout.shapes if shape.type == "rect"]
    assert edges == [(0.0, 0.4), (0.4, 0.7), (0.7, 1.0)]


def test_the_reading_that_decided_is_told_in_words() -> None:
    decided, other = Reading("I despise queues", True, 0.82, 0.12), Reading("I hate queues", False, 0.03, 0.12)
    assert verdict.describe_reading(decided) == wordings.READ_AS_DESPISE_QUEUES
    assert verdict.describe_reading(other) == wordings.MAY_BE_READ_TOO
    assert len(verdict.describe_reading(Reading("x" * 9_000, True, 0.9, 0.1))) < 300


def test_labels_from_right_to_left_do_not_rearrange_their_numbers() -> None:
    figure = evidence.words_chart([WordEffect("سلام", 0, 4, 0.5), WordEffect("hate", 5, 9, -0.25)])
    assert list(figure.layout.yaxis.ticktext) == ["\u2068سلام\u2069", "hate"]
    assert figure.data[0].hovertext == ("\u2068سلام\u2069: +0.50",)


def test_the_bands_are_told_in_words() -> None:
    assert verdict.describe(judged(0.55, Bands(0.4, 0.7))).startswith(
        wordings.NEEDS_A_HUMAN_LOOK_PROBABILITY_55_PERCENT
    )


def test_bars_keep_their_order_also_with_equal_labels() -> None:
    figure = charts.bars(
        [("a", "#111111", [("same", 1.0, "1"), ("same", 2.0, "2")]), ("b", "#222222", [("x", 3.0, "3")])]
    )
    assert [list(trace.y) for trace in figure.data] == [[0, 1], [2]]
    assert list(figure.layout.yaxis.ticktext) == ["same", "same", "x"]
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]  # the first bar stands on top


def test_words_in_charts_are_escaped() -> None:
    figure = evidence.words_chart([WordEffect("<b>x</b>", 0, 8, 1.0)])
    assert figure.layout.yaxis.ticktext[0] == "&lt;b&gt;x&lt;/b&gt;"
    assert "<b>" not in figure.data[0].hovertext[0]


def test_the_waterfall_ends_at_the_total() -> None:
    figure = evidence.shapley_chart(Shapley(base=-1.0, image=0.4, text=2.1, interaction=0.2, total=1.5))
    assert list(figure.data[0].y) == [-1.0, 0.4, 2.1, 1.5]
    assert list(figure.data[0].measure) == ["absolute", "relative", "relative", "total"]
    low, high = figure.layout.yaxis.range
    assert low < -1.0
    assert high > 1.5


def test_the_strongest_words_come_first_whatever_their_direction() -> None:
    effects = tuple(WordEffect(str(value), 0, 1, float(value)) for value in (1, -5, 3, -2))
    assert [word.effect for word in evidence.strongest(effects, 3)] == [-5.0, 3.0, -2.0]


def test_all_emotions_are_drawn_those_present_first() -> None:
    scores = (Emotion("joy", 0.3, 0.2, True), Emotion("anger", 0.5, 0.6, False), Emotion("fear", 0.1, 0.6, False))
    figure = emotions.text_chart(TextEmotions("ok", scores))
    assert list(figure.layout.yaxis.ticktext) == ["joy", "anger", "fear"]
    assert list(figure.data[0].x) == [0.3]
    thresholds = next(trace for trace in figure.data if trace.name == wordings.THRESHOLD)
    assert list(thresholds.x) == [0.2, 0.6, 0.6]


def test_a_face_has_all_its_expressions() -> None:
    expressions = tuple(Expression(name, 1 / 7) for name in "abcdefg")
    figure = emotions.face_chart(Face((0, 0, 1, 1), 0.9, expressions))
    assert sum(len(trace.x) for trace in figure.data) == 7


def test_the_peak_of_a_grid_is_told_in_words() -> None:
    grid = tuple(tuple(0.5 if (y, x) == (0, 6) else 0.5 / 48 for x in range(7)) for y in range(7))
    assert where(grid) == wordings.MOST_AT_THE_TOP_RIGHT_ROW_1


def test_stages_are_told_in_people_s_words() -> None:
    assert label("ocr") == wordings.READING_THE_WORDS_OFF_THE_PICTURE
    assert label("never_heard_of") == "Never heard of"
    assert (took(12.4), took(1234.0)) == ("12 ms", "1.2 s")


def luminance(colour: str) -> float:
    """WCAG 2.2 relative luminance."""
    parts = [part / 255 for part in palette.rgb(colour)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(element: str, other: str) -> float:
    low, high = sorted((luminance(element), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_can_be_told_from_the_ground(theme: str) -> None:
    look = CONFIG["theme"][theme]
    for colour in (palette.AWAY, palette.TOWARD, palette.BETWEEN, palette.NEUTRAL, look["primaryColor"]):
        assert contrast(colour, look["backgroundColor"]) >= 3, colour
    for name in ("textColor", "redTextColor", "yellowTextColor", "greenTextColor", "linkColor"):
        for ground in ("backgroundColor", "secondaryBackgroundColor"):
            assert contrast(look[name], look[ground]) >= 4.5, (name, ground)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_white_can_be_read_on_chips_and_buttons(theme: str) -> None:
    assert contrast("#ffffff", CONFIG["theme"][theme]["primaryColor"]) >= 4.5


def test_a_lens_s_bar_has_the_cut_off_that_decides() -> None:
    rows = [("humour", Emotion("humour", 0.3, 0.72, False)), ("sarcasm", Emotion("sarcasm", 0.8, 0.75, True))]
    figure = lenses.chart(rows)
    [strokes] = [trace for trace in figure.data if trace.name == wordings.CUT_OFF]
    assert list(figure.layout.yaxis.ticktext) == ["sarcasm", "humour"]  # the answer first
    assert (list(strokes.x), list(strokes.y)) == ([0.75, 0.72], [0, 1])
    assert lenses.described(rows) == wordings.HUMOUR_30_PERCENT_CUT_OFF_72_PERCENT


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_charts_wear_the_colours_of_the_theme(theme: str) -> None:
    look = CONFIG["theme"][theme]
    assert (look["greenColor"], look["redColor"], look["yellowColor"]) == (
        palette.AWAY,
        palette.TOWARD,
        palette.BETWEEN,
    )
