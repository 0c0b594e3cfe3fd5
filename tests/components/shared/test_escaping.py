"""Words of a meme stay words in every language of the page."""

from components.shared.escaping import for_html, for_markdown, for_plotly, shorten


def test_html_holds_in_elements_and_in_attributes() -> None:
    assert for_html("<b a='1'>\"&") == "&lt;b a=&#x27;1&#x27;&gt;&quot;&amp;"


def test_plotly_gets_no_tags() -> None:
    assert for_plotly('<a href="x">y</a>') == '&lt;a href="x"&gt;y&lt;/a&gt;'


def test_markdown_loses_its_meaning() -> None:
    assert for_markdown("**a** `b` [c](d) <e> $f$ # g") == r"\*\*a\*\* \`b\` \[c\]\(d\) \<e\> \$f\$ \# g"


def test_directives_and_icons_are_parted() -> None:
    assert ":material/" not in for_markdown(":material/home:")
    assert ":red[" not in for_markdown(":red[x]")
    assert for_markdown("10:30").replace("\u2060", "") == "10:30"


def test_markdown_stays_on_one_line() -> None:
    assert for_markdown("a\n\n    b") == "a b"


def test_shorten_keeps_what_fits() -> None:
    assert shorten("abcde", 5) == "abcde"
    assert shorten("abcdef", 5) == "abcd…"
