"""The hues of the app, chosen to keep a contrast of 3:1 or more on both themes' backgrounds.

They are the theme's own colours (.streamlit/config.toml), written here because a chart is drawn on the server, where
the viewer's theme is not known. No meaning rests on colour alone: every zone, bar and box carries a word or a number.
"""

AWAY = "#2b8196"  # pushes away from hateful; also the zone "Not hateful"
TOWARD = "#d1495b"  # pushes toward hateful; also the zone "Hateful"
BETWEEN = "#b7791f"  # needs a human look, and marks of doubt
NEUTRAL = "#7d8590"  # axes, bases, things below a threshold


def rgb(colour: str) -> tuple[int, int, int]:
    """`#rrggbb` as three numbers from 0 to 255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def faint(colour: str, opacity: float) -> str:
    """The colour as CSS `rgba(...)`, so that it works on a light and on a dark ground."""
    red, green, blue = rgb(colour)
    return f"rgba({red},{green},{blue},{opacity:.3f})"
