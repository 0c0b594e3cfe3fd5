"""Draws the sample memes of the gallery: `python assets/draw_gallery.py` rewrites assets/gallery/.

gallery_memes.toml lists them with their words. The pictures are free ones (gallery/sources/SOURCES.md names their authors)
or drawn here; the letters are DejaVu Sans Bold. `gallery.json` lists each meme with a title, an alternative text and the
words that it shows.
"""

import argparse
import json
import math
import tomllib
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

ASSETS = Path(__file__).resolve().parent
GALLERY = ASSETS / "gallery"
FONT = ASSETS / "fonts" / "DejaVuSans-Bold.ttf"
WIDTH = 720
SUPERSAMPLING = 2  # shapes are drawn this much larger and scaled down, for smooth edges
MARGIN = 18  # pixels between the letters and the edge
Size = tuple[int, int]


def source(name: str) -> Image.Image:
    """One of the free pictures."""
    return Image.open(GALLERY / "sources" / f"{name}.webp")


def fit(image: Image.Image, size: Size, middle: tuple[float, float] = (0.5, 0.5)) -> Image.Image:
    """The picture cut to a size around a point, which is given in fractions of its sides."""
    return ImageOps.fit(image.convert("RGB"), size, Image.Resampling.LANCZOS, centering=middle)


def gradient(height: int, top: str, bottom: str) -> Image.Image:
    """A large canvas that fades from one colour to another."""
    ramp = Image.linear_gradient("L").resize((WIDTH * SUPERSAMPLING, height * SUPERSAMPLING))
    return ImageOps.colorize(ramp, top, bottom)


def scale_down(image: Image.Image) -> Image.Image:
    """A large canvas at the meme's size."""
    return image.resize((image.width // SUPERSAMPLING, image.height // SUPERSAMPLING), Image.Resampling.LANCZOS)


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
    return scale_down(image)


def horse_at_sunset() -> Image.Image:
    """The horse's silhouette on a hill before a setting sun."""
    image = gradient(520, "#2b2a5e", "#ff9a4d")
    draw = ImageDraw.Draw(image)
    draw.ellipse((860, 500, 1220, 860), fill="#ffe08a")
    draw.ellipse((-300, 800, 1740, 1600), fill="#171322")
    shape = ImageOps.invert(source("horse").convert("L")).resize((760, 624))
    image.paste("#171322", (230, 236), mask=shape)
    return scale_down(image)


def party() -> Image.Image:
    """A lawn under a blue sky with bunting."""
    image = scale_down(gradient(540, "#7cc4ee", "#e4f4fb"))
    lawn = ImageOps.colorize(source("grass").convert("L"), "#12380f", "#b5dd6f")
    image.paste(lawn.resize((WIDTH, 250)), (0, 300))
    large = image.resize((WIDTH * SUPERSAMPLING, 540 * SUPERSAMPLING))
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
    return scale_down(large)


def notice(text: str) -> Image.Image:
    """A sheet of paper with a text, taped to a brick wall."""
    wall = source("brick").convert("L")
    image = ImageOps.colorize(ImageOps.fit(wall, (WIDTH, 540)), "#401f17", "#d9a38a")
    draw = ImageDraw.Draw(image)
    draw.rectangle((96, 76, 634, 474), fill="#3a211a")
    draw.rectangle((88, 66, 626, 464), fill="#fbf8ee")
    for x in (88, 546):
        draw.rectangle((x - 22, 52, x + 92, 84), fill="#e6dca8")
    font = ImageFont.truetype(FONT, 42)
    for row, line in enumerate(text.upper().split("\n")):
        draw.text((357, 130 + 74 * row), line, font=font, fill="#222222", anchor="mm")
    return image


def side_by_side() -> Image.Image:
    """Two portraits next to each other."""
    image = Image.new("RGB", (WIDTH, 540), "white")
    for name, left, middle in (("hopper", 0, (0.5, 0.3)), ("astronaut", 364, (0.42, 0.2))):
        image.paste(fit(source(name), (356, 540), middle), (left, 0))
    return image


DRAWN = {"soup": soup, "horse_at_sunset": horse_at_sunset, "party": party, "side_by_side": side_by_side}


def picture(meme: dict[str, Any]) -> Image.Image:
    """What the words of a meme are drawn upon."""
    if meme["picture"] == "notice":
        return notice(meme["drawn"])
    if meme["picture"] in DRAWN:
        return DRAWN[meme["picture"]]()
    return fit(source(meme["picture"]), (WIDTH, meme["height"]))


def fitting_font(text: str) -> ImageFont.FreeTypeFont:
    """The largest letters, of at most 66 pixels, with which every line of the text fits the width."""
    for size in range(66, 12, -1):
        font = ImageFont.truetype(FONT, size)
        if max(font.getlength(line) for line in text.split("\n")) + size / 4 <= WIDTH - 2 * MARGIN:
            return font
    raise ValueError(f"a line is too long to be drawn: {text!r}")


def add_words(image: Image.Image, top: str, bottom: str) -> Image.Image:
    """White capitals with a black outline, at the upper and the lower edge."""
    draw = ImageDraw.Draw(image)
    for text, anchor, y in ((top.upper(), "ma", MARGIN), (bottom.upper(), "md", image.height - MARGIN)):
        if text:
            font, middle = fitting_font(text), image.width / 2
            draw.multiline_text(
                (middle, y), text, "white", font, anchor, spacing=2, align="center",
                stroke_width=max(2, round(font.size / 13)), stroke_fill="black",
            )  # fmt: skip
    return image


def main() -> None:
    """Draw all memes and write the list."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=GALLERY)
    out = parser.parse_args().out
    entries = []
    for meme in tomllib.loads((ASSETS / "gallery_memes.toml").read_text(encoding="utf-8"))["meme"]:
        file = f"{meme['name']}.webp"
        image = add_words(picture(meme), meme.get("top", ""), meme.get("bottom", ""))
        image.save(out / file, quality=78, method=6)
        caption = "\n".join(meme[place].upper() for place in ("top", "drawn", "bottom") if place in meme)
        entries.append({"file": file, "title": meme["title"], "alt": meme["alt"], "caption": caption})
    text = json.dumps(entries, indent=2, ensure_ascii=False)
    (out / "gallery.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
