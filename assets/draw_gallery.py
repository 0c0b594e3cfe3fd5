"""Draws the sample memes of the gallery: `python assets/draw_gallery.py` rewrites assets/gallery/.

gallery_memes.toml lists them with their words. The pictures are free ones (gallery/sources/SOURCES.md names their authors)
or drawn here; the letters are DejaVu Sans Bold, or those of FONTS, which have to be on the machine (Debian: fonts-noto-core,
fonts-noto-cjk): a meme whose letters are not stays as it is. `gallery.json` lists each meme with a title, an alternative text,
the words that it shows, and where they are not English their language and a translation.
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
FONTS = {"Arabic": ("NotoSansArabic-Bold.ttf", 0), "Chinese": ("NotoSansCJK-Bold.ttc", 2)}  # file, face (2: simplified)
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


def slate(text: str) -> Image.Image:
    """A slate board before a wall, written upon in chalk, with a dog beside it."""
    image = gradient(560, "#e9d8bd", "#c9a97e")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 960, 1440, 1120), fill="#7d6a58")
    draw.rounded_rectangle((130, 70, 1310, 700), 24, fill="#8a5a34")
    draw.rectangle((164, 104, 1276, 666), fill="#2b3a36")
    draw.polygon([(250, 700), (310, 700), (250, 1040), (180, 1040)], fill="#6f4728")
    draw.polygon([(470, 700), (530, 700), (600, 1040), (530, 1040)], fill="#6f4728")
    for ear in ((876, 690, 946, 850), (1094, 690, 1164, 850)):
        draw.ellipse(ear, fill="#5b3a22")
    draw.ellipse((880, 830, 1160, 1090), fill="#a06a3c")  # the body of the dog, its tail, its head
    draw.line([(1140, 1010), (1220, 960), (1250, 890)], fill="#a06a3c", width=34, joint="curve")
    draw.ellipse((910, 680, 1130, 900), fill="#b57b49")
    for x in (968, 1072):
        draw.ellipse((x - 14, 756, x + 14, 784), fill="#1c1410")
    draw.ellipse((994, 802, 1046, 836), fill="#1c1410")
    draw.arc((978, 810, 1020, 866), 0, 150, fill="#1c1410", width=6)
    draw.arc((1020, 810, 1062, 866), 30, 180, fill="#1c1410", width=6)
    for x in (950, 1050):
        draw.ellipse((x - 44, 1050, x + 44, 1100), fill="#b57b49")
    image, rows = scale_down(image), text.upper().split("\n")
    draw, font = ImageDraw.Draw(image), ImageFont.truetype(FONT, 43)
    for row, line in enumerate(rows):
        draw.text((360, 190 + 66 * (row - (len(rows) - 1) / 2)), line, font=font, fill="#f4f1e6", anchor="mm")
    return image


def alarm_clock() -> Image.Image:
    """An alarm clock at half past nine on a night table, and the moon in the window behind it."""
    image = gradient(540, "#27305c", "#5a4f86")
    draw = ImageDraw.Draw(image)
    draw.rectangle((60, 250, 420, 650), fill="#f6c66b")
    draw.rectangle((84, 274, 396, 626), fill="#9fd3ee")
    draw.ellipse((250, 320, 350, 420), fill="#fff4c4")
    draw.line((240, 274, 240, 626), fill="#f6c66b", width=16)
    draw.rectangle((0, 870, 1440, 1080), fill="#6b4226")
    for x, tilt in ((600, -60), (1000, 60)):
        draw.line((x, 800, x + tilt, 890), fill="#7d1f2d", width=34)
        draw.ellipse((x - 130 + tilt, 250, x + 130 + tilt, 450), fill="#b23a48")
    draw.ellipse((520, 310, 1080, 870), fill="#c8434f")
    draw.ellipse((570, 360, 1030, 820), fill="#fbf8ee")
    for hour in range(12):
        x, y = math.sin(math.pi * hour / 6), -math.cos(math.pi * hour / 6)
        draw.line((800 + 180 * x, 590 + 180 * y, 800 + 208 * x, 590 + 208 * y), fill="#222222", width=14)
    draw.line((800, 590, 690, 618), fill="#222222", width=20)
    draw.line((800, 590, 800, 750), fill="#222222", width=14)
    draw.ellipse((778, 568, 822, 612), fill="#222222")
    return scale_down(image)


def coffee_pot() -> Image.Image:
    """A long-spouted coffee pot and a small cup on a tray before a patterned wall."""
    image = gradient(600, "#0f5c5c", "#0b3f45")
    draw = ImageDraw.Draw(image)
    for x in range(0, 1440, 180):
        for y in range(0, 900, 180):
            draw.polygon(
                [(x + 90, y + 20), (x + 160, y + 90), (x + 90, y + 160), (x + 20, y + 90)], outline="#1b7272", width=6
            )
    draw.rectangle((0, 860, 1440, 1200), fill="#7a4a26")
    draw.ellipse((260, 850, 1180, 970), fill="#d9b45b")
    draw.polygon([(480, 900), (560, 560), (540, 470), (720, 470), (700, 560), (780, 900)], fill="#e2bf6a")  # the pot
    draw.polygon([(545, 600), (390, 470), (300, 480), (390, 520), (530, 700)], fill="#cfa64e")
    draw.arc((580, 540, 860, 840), 280, 70, fill="#b58a35", width=34)
    draw.polygon([(550, 470), (710, 470), (640, 350), (620, 350)], fill="#cfa64e")
    draw.ellipse((606, 316, 654, 364), fill="#b58a35")
    draw.chord((920, 640, 1120, 960), 0, 180, fill="#fbf8ee")
    draw.ellipse((920, 770, 1120, 830), fill="#fbf8ee")
    draw.ellipse((940, 780, 1100, 822), fill="#3a211a")
    steam = Image.new("L", image.size)
    pen = ImageDraw.Draw(steam)
    for x in (980, 1050):
        pen.line([(x + 22 * math.sin(y / 34), y) for y in range(560, 770, 4)], fill=190, width=20, joint="curve")
    image.paste("white", mask=steam.filter(ImageFilter.GaussianBlur(10)))
    return scale_down(image)


def cinema() -> Image.Image:
    """Rows of seats before a bright screen, and one telephone that glows in the dark."""
    image = gradient(540, "#1a1420", "#3a1620")
    draw = ImageDraw.Draw(image)
    draw.polygon([(220, 230), (1220, 230), (1160, 660), (280, 660)], fill="#f3efe2")
    draw.ellipse((600, 330, 840, 570), fill="#f0a33a")
    draw.polygon([(280, 660), (1160, 660), (1010, 480), (880, 600), (700, 430), (520, 610)], fill="#6d8fa3")
    for row, (y, width, colour) in enumerate(((690, 150, "#5c1826"), (790, 180, "#7a2032"), (900, 220, "#9a2b40"))):
        for x in range(-40 - 60 * row, 1440, width + 24):
            draw.rounded_rectangle((x, y, x + width, y + 240), 46, fill=colour)
    glow = Image.new("L", image.size)
    ImageDraw.Draw(glow).ellipse((900, 660, 1200, 960), fill=170)
    image.paste("#9fd3ee", mask=glow.filter(ImageFilter.GaussianBlur(60)))
    draw.ellipse((950, 700, 1060, 830), fill="#120d14")
    draw.rounded_rectangle((910, 810, 1100, 960), 60, fill="#120d14")
    draw.rounded_rectangle((1064, 730, 1112, 826), 10, fill="#e8f6ff")
    return scale_down(image)


def side_by_side() -> Image.Image:
    """Two portraits next to each other."""
    image = Image.new("RGB", (WIDTH, 540), "white")
    for name, left, middle in (("hopper", 0, (0.5, 0.3)), ("astronaut", 364, (0.42, 0.2))):
        image.paste(fit(source(name), (356, 540), middle), (left, 0))
    return image


DRAWN = {
    function.__name__: function
    for function in (soup, horse_at_sunset, party, side_by_side, alarm_clock, coffee_pot, cinema)
}
WRITTEN = {"notice": notice, "slate": slate}  # these carry words themselves


def picture(meme: dict[str, Any]) -> Image.Image:
    """What the words of a meme are drawn upon."""
    if meme["picture"] in WRITTEN:
        return WRITTEN[meme["picture"]](meme["drawn"])
    if meme["picture"] in DRAWN:
        return DRAWN[meme["picture"]]()
    return fit(source(meme["picture"]), (WIDTH, meme["height"]))


def fitting_font(text: str, language: str) -> ImageFont.FreeTypeFont:
    """The largest letters, of at most 66 pixels, with which every line of the text fits the width.

    Raises `OSError` where the letters of the language are not on this machine.
    """
    file, face = FONTS.get(language, (FONT, 0))
    for size in range(66, 12, -1):
        font = ImageFont.truetype(file, size, face)
        if max(font.getlength(line) for line in text.split("\n")) + size / 4 <= WIDTH - 2 * MARGIN:
            return font
    raise ValueError(f"a line is too long to be drawn: {text!r}")


def add_words(image: Image.Image, top: str, bottom: str, language: str) -> Image.Image:
    """White capitals with a black outline, at the upper and the lower edge."""
    draw = ImageDraw.Draw(image)
    for text, anchor, y in ((top.upper(), "ma", MARGIN), (bottom.upper(), "md", image.height - MARGIN)):
        if text:
            font, middle = fitting_font(text, language), image.width / 2
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
        try:
            image = add_words(picture(meme), meme.get("top", ""), meme.get("bottom", ""), meme.get("language", ""))
            image.save(out / file, quality=78, method=6)
        except OSError:
            print(f"{file} stays as it is: this machine lacks {FONTS[meme['language']][0]}")
        caption = "\n".join(meme[place].upper() for place in ("top", "drawn", "bottom") if place in meme)
        further = {key: meme[key] for key in ("language", "translation", "typed") if key in meme}
        entries.append({"file": file, "title": meme["title"], "alt": meme["alt"], "caption": caption, **further})
    text = json.dumps(entries, indent=2, ensure_ascii=False)
    (out / "gallery.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
