"""Draws the sample memes of the gallery: `python assets/draw_gallery.py` rewrites assets/gallery/.

The pictures are free ones (gallery/sources/SOURCES.md says whose) or drawn here; the letters are DejaVu Sans Bold.
`gallery.json` lists each meme with a title, an alternative text and the words that stand on it.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

ASSETS = Path(__file__).resolve().parent
GALLERY = ASSETS / "gallery"
FONT = ASSETS / "fonts" / "DejaVuSans-Bold.ttf"
WIDTH = 720
DETAIL = 2  # shapes are drawn this much larger and scaled down, for smooth edges
MARGIN = 18  # pixels between the letters and the edge


@dataclass(frozen=True)
class Sample:
    """One meme: `picture` draws or opens what the words stand on; `top` and `bottom` may hold line breaks.

    `drawn` are words that the picture itself carries.
    """

    name: str
    title: str
    alt: str
    picture: Callable[[], Image.Image]
    top: str = ""
    bottom: str = ""
    drawn: str = ""

    @property
    def caption(self) -> str:
        return "\n".join(part.upper() for part in (self.top, self.drawn, self.bottom) if part)


def source(name: str, height: int = 540) -> Image.Image:
    """A free picture, cut to the meme's shape around its middle."""
    image = Image.open(GALLERY / "sources" / f"{name}.webp").convert("RGB")
    return ImageOps.fit(image, (WIDTH, height), Image.Resampling.LANCZOS)


def gradient(height: int, top: str, bottom: str) -> Image.Image:
    ramp = Image.linear_gradient("L").resize((WIDTH * DETAIL, height * DETAIL))
    return ImageOps.colorize(ramp, top, bottom)


def finished(image: Image.Image) -> Image.Image:
    return image.resize((image.width // DETAIL, image.height // DETAIL), Image.Resampling.LANCZOS)


def soup() -> Image.Image:
    """A bowl of soup on a table, steaming."""
    image = gradient(540, "#f3d9a8", "#d98f4e")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 760, 1440, 1080), fill="#8a5a34")
    for y in range(790, 1080, 58):
        draw.line((0, y, 1440, y), fill="#7a4d2b", width=6)
    draw.ellipse((330, 830, 1110, 940), fill="#6b4226")
    draw.chord((360, 240, 1080, 900), 0, 180, fill="#2f6f8f")
    draw.rectangle((520, 860, 920, 905), fill="#245a75")
    draw.ellipse((360, 490, 1080, 650), fill="#3d86a8")
    draw.ellipse((400, 506, 1040, 636), fill="#d9622b")
    for x, y, colour in ((520, 560, "#f2a33c"), (640, 590, "#6fa13a"), (770, 548, "#f2a33c"), (880, 585, "#6fa13a")):
        draw.ellipse((x, y, x + 64, y + 30), fill=colour)
    steam = Image.new("L", image.size)
    pen = ImageDraw.Draw(steam)
    for x in (560, 720, 880):
        pen.line([(x + 34 * math.sin(y / 38), y) for y in range(290, 500, 4)], fill=210, width=26, joint="curve")
    image.paste("white", mask=steam.filter(ImageFilter.GaussianBlur(12)))
    return finished(image)


def horse_at_sunset() -> Image.Image:
    """The horse's silhouette on a hill before a setting sun."""
    image = gradient(520, "#2b2a5e", "#ff9a4d")
    draw = ImageDraw.Draw(image)
    draw.ellipse((860, 500, 1220, 860), fill="#ffe08a")
    draw.ellipse((-300, 800, 1740, 1600), fill="#171322")
    shape = ImageOps.invert(Image.open(GALLERY / "sources" / "horse.webp").convert("L")).resize((760, 624))
    image.paste("#171322", (230, 236), mask=shape)
    return finished(image)


def party() -> Image.Image:
    """A lawn under a blue sky with bunting."""
    image = finished(gradient(540, "#7cc4ee", "#e4f4fb"))
    lawn = ImageOps.colorize(Image.open(GALLERY / "sources" / "grass.webp").convert("L"), "#12380f", "#b5dd6f")
    image.paste(lawn.resize((WIDTH, 250)), (0, 300))
    large = image.resize((WIDTH * DETAIL, 540 * DETAIL))
    draw = ImageDraw.Draw(large)
    rope = [(x, 330 + 80 * math.sin(math.pi * x / 720) ** 2) for x in range(0, 1441, 8)]
    draw.line(rope, fill="#5b4636", width=6)
    for count, (x, y) in enumerate(rope[6::10]):
        colour = ("#e63946", "#ffb703", "#2a9d8f", "#457b9d", "#9b5de5")[count % 5]
        draw.polygon([(x - 32, y), (x + 32, y), (x, y + 74)], fill=colour)
    for left, colour in ((250, "#b23a48"), (890, "#33658a")):  # two grills, one for each dad
        draw.chord((left, 560, left + 300, 830), 0, 180, fill="#2d2d2d")
        draw.rectangle((left, 676, left + 300, 698), fill=colour)
        draw.line((left + 90, 800, left + 40, 980), fill="#2d2d2d", width=16)
        draw.line((left + 210, 800, left + 260, 980), fill="#2d2d2d", width=16)
        for sausage in range(3):
            x = left + 40 + 80 * sausage
            draw.rounded_rectangle((x, 650, x + 62, 674), 12, fill="#a4532a")
    return finished(large)


def notice() -> Image.Image:
    """A sheet of paper taped to a brick wall."""
    wall = Image.open(GALLERY / "sources" / "brick.webp").convert("L")
    image = ImageOps.colorize(ImageOps.fit(wall, (WIDTH, 540)), "#401f17", "#d9a38a")
    draw = ImageDraw.Draw(image)
    draw.rectangle((96, 76, 634, 474), fill="#3a211a")
    draw.rectangle((88, 66, 626, 464), fill="#fbf8ee")
    for x in (88, 546):
        draw.rectangle((x - 22, 52, x + 92, 84), fill="#e6dca8")
    font = ImageFont.truetype(FONT, 42)
    for row, line in enumerate(NOTICE.upper().split("\n")):
        draw.text((357, 130 + 74 * row), line, font=font, fill="#222222", anchor="mm")
    return image


def side_by_side() -> Image.Image:
    """Two portraits next to each other."""
    image = Image.new("RGB", (WIDTH, 540), "white")
    for name, left, middle in (("hopper", 0, (0.5, 0.3)), ("astronaut", 364, (0.42, 0.2))):
        portrait = Image.open(GALLERY / "sources" / f"{name}.webp").convert("RGB")
        image.paste(ImageOps.fit(portrait, (356, 540), Image.Resampling.LANCZOS, centering=middle), (left, 0))
    return image


NOTICE = "People who\nchew loudly\nshould be banned\nfrom this\nbuilding"

SAMPLES = (
    Sample(
        "mondays",
        "Mondays",
        "A tabby cat looks past the camera, unimpressed",
        partial(source, "chelsea", 500),
        "I hate Mondays",
    ),
    Sample(
        "soup",
        "Neighbours",
        "A drawn bowl of soup steams on a wooden table",
        soup,
        "Our Muslim neighbours\nbrought us soup",
        "Best street in town",
    ),
    Sample(
        "first_try",
        "First try",
        "An astronaut in an orange suit smiles in front of a flag and a model shuttle",
        partial(source, "astronaut", 560),
        "",
        "When the code runs\non the first try",
    ),
    Sample(
        "moth",
        "Bug report",
        "A navy officer in uniform with glasses looks into the camera, a flag behind her",
        partial(source, "hopper", 700),
        "",
        "Her team found a real moth\nand filed it\nas a bug report",
    ),
    Sample(
        "went_first",
        "Went first",
        "Two portraits side by side: a navy officer with glasses and a smiling astronaut",
        side_by_side,
        "",
        "Thank you to the women\nwho went first",
    ),
    Sample(
        "meeting",
        "Meeting",
        "An espresso in a red cup stands on a wooden table",
        partial(source, "coffee", 480),
        "Oh great, another meeting",
        "that could have been\nan email",
    ),
    Sample(
        "friday",
        "Friday",
        "A rocket stands on its launch pad at dusk",
        partial(source, "rocket", 480),
        "Me at the office door",
        "Friday, 4:59 pm",
    ),
    Sample(
        "no_words",
        "No words",
        "The silhouette of a horse stands on a hill before a setting sun; there are no words",
        horse_at_sunset,
    ),
    Sample("chewing", "Chewing", "A paper notice is taped to a brick wall", notice, drawn=NOTICE),
    Sample(
        "parking",
        "Parking",
        "A man in a dark coat bends over a camera on a tripod, in black and white",
        partial(source, "camera", 520),
        "You took my parking spot",
        "I have a camera\nand all day",
    ),
    Sample(
        "savings",
        "Savings",
        "Rows of ancient coins lie on a dark cloth",
        partial(source, "coins", 540),
        "My savings after rent",
        "Sure, inflation is over",
    ),
    Sample(
        "proud",
        "Proud of you",
        "Countless galaxies shine in deep space",
        partial(source, "hubble", 500),
        "Somewhere out there",
        "someone is proud of you",
    ),
    Sample(
        "barbecue",
        "Two dads",
        "A drawn lawn with coloured bunting and two grills",
        party,
        "Two gay dads, one barbecue",
        "Best school party ever",
    ),
)


@cache
def fitting(text: str, largest: int = 66) -> ImageFont.FreeTypeFont:
    """The largest letters with which every line of the text fits the width."""
    for size in range(largest, 12, -1):
        font = ImageFont.truetype(FONT, size)
        if max(font.getlength(line) for line in text.split("\n")) + size / 4 <= WIDTH - 2 * MARGIN:
            return font
    raise ValueError(f"a line is too long to be drawn: {text!r}")


def lettered(image: Image.Image, top: str, bottom: str) -> Image.Image:
    """White capitals with a black outline, at the upper and the lower edge."""
    draw = ImageDraw.Draw(image)
    for text, anchor, y in ((top.upper(), "ma", MARGIN), (bottom.upper(), "md", image.height - MARGIN)):
        if text:
            font = fitting(text)
            outline = max(2, round(font.size / 13))
            middle = (image.width / 2, y)
            draw.multiline_text(
                middle, text, "white", font, anchor, 2, "center", stroke_width=outline, stroke_fill="black"
            )
    return image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=GALLERY)
    out = parser.parse_args().out
    entries = []
    for sample in SAMPLES:
        image = lettered(sample.picture(), sample.top, sample.bottom)
        image.save(out / f"{sample.name}.webp", quality=78, method=6)
        entries.append(
            {"file": f"{sample.name}.webp", "title": sample.title, "alt": sample.alt, "caption": sample.caption}
        )
    text = json.dumps(entries, indent=2, ensure_ascii=False)
    (out / "gallery.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
