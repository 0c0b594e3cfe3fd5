"""Words from right to left are isolated, others stay as they are."""

from models.io.directions import isolated, right_to_left


def test_words_from_right_to_left_are_isolated() -> None:
    assert right_to_left("OK שלום")
    assert not right_to_left("OK, 12 नमस्ते")
    assert isolated("سلام") == "\u2068سلام\u2069"
    assert isolated("hate") == "hate"


def test_controls_in_a_quotation_cannot_rearrange_what_is_around_it() -> None:
    assert isolated("a\u202ecba\u2069") == "\u2068acba\u2069"
