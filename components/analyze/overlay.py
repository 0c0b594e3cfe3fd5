"""What is drawn onto a picture: a 7x7 heat, boxes with numbers, boxes with effects. Pillow in, Pillow out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from PIL import Image, ImageDraw, ImageFont

from components.shared.palette import AWAY, TOWARD, rgb
from components.shared.pictures import fitted
from models.analysis import Box, Face, Grid, RegionEffect

_HOT = ((0.0, (38, 22, 66)), (0.35, (122, 33, 106)), (0.7, (226, 88, 62)), (1.0, (252, 216, 120)))


def _heat_colour(value: float) -> tuple[int, int, int]:
    """0-1 to a colour from violet over red to yellow: its lightness rises all along, so it also reads in grey."""
    for (low, cold), (high, warm) in pairwise(_HOT):
        if value <= high:
            part = (value - low) / (high - low)
            red, green, blue = (round(a + (b - a) * part) for a, b in zip(cold, warm, strict=True))
            return red, green, blue
    return _HOT[-1][1]


def scaled(grid: Grid) -> list[list[float]]:
    """The grid stretched to 0-1 by its own smallest and largest value; an even grid becomes all zeros."""
    values = [value for row in grid for value in row]
    low, high = min(values), max(values)
    if high - low < 1e-12:
        return [[0.0 for _ in row] for row in grid]
    return [[(value - low) / (high - low) for value in row] for row in grid]


def heat(image: Image.Image, grid: Grid) -> Image.Image:
    """The picture under its attention: rows from the top, each patch coloured by its share, the patches' edges faint.

    Colours run from the least to the most looked-at patch of this picture, so two pictures do not compare by colour.
    """
    picture = fitted(image)
    levels = scaled(grid)
    rows, columns = len(levels), len(levels[0])
    colours, cover = Image.new("RGB", (columns, rows)), Image.new("L", (columns, rows))
    for y, row in enumerate(levels):
        for x, level in enumerate(row):
            colours.putpixel((x, y), _heat_colour(level))
            cover.putpixel((x, y), round(30 + 165 * level))
    smooth = Image.Resampling.BICUBIC
    ground = Image.blend(picture, picture.convert("L").convert("RGB"), 0.5)
    mixed = Image.composite(colours.resize(picture.size, smooth), ground, cover.resize(picture.size, smooth))
    lines = ImageDraw.Draw(mixed, "RGBA")
    for x in range(1, columns):
        at = round(x * picture.width / columns)
        lines.line([(at, 0), (at, picture.height)], fill=(255, 255, 255, 48))
    for y in range(1, rows):
        at = round(y * picture.height / rows)
        lines.line([(0, at), (picture.width, at)], fill=(255, 255, 255, 48))
    return mixed


def _placed(box: Box, image: Image.Image, picture: Image.Image) -> tuple[int, int, int, int]:
    """A box in pixels of `image` as whole pixels of `picture`, which is the same picture at another size."""
    across, down = picture.width / image.width, picture.height / image.height
    left, top, right, bottom = box
    x, y = max(0, round(left * across)), max(0, round(top * down))
    return (
        min(x, picture.width - 1),
        min(y, picture.height - 1),
        max(x + 1, min(picture.width - 1, round(right * across))),
        max(y + 1, min(picture.height - 1, round(bottom * down))),
    )


def _tag(draw: ImageDraw.ImageDraw, place: tuple[int, int], text: str, colour: tuple[int, int, int], size: int) -> None:
    font = ImageFont.load_default(size)
    left, top, right, bottom = draw.textbbox(place, text, font=font)
    draw.rectangle((left - 4, top - 3, right + 4, bottom + 3), fill=colour)
    draw.text(place, text, font=font, fill=(255, 255, 255))


def faces(image: Image.Image, detected: Sequence[Face]) -> Image.Image:
    """A numbered box on each face."""
    picture = fitted(image)
    draw = ImageDraw.Draw(picture)
    thickness, size = max(2, max(picture.size) // 250), max(14, max(picture.size) // 28)
    for number, face in enumerate(detected, start=1):
        box = _placed(face.box, image, picture)
        draw.rectangle(box, outline=(255, 255, 255), width=thickness + 2)
        draw.rectangle(box, outline=rgb(AWAY), width=thickness)
        _tag(draw, (box[0] + 6, box[1] + 5), str(number), rgb(AWAY), size)
    return picture


def crop(image: Image.Image, box: Box, side: int = 160) -> Image.Image:
    """One face, a little wider than its box, on a square."""
    left, top, right, bottom = box
    half = max(right - left, bottom - top) * 0.6
    x, y = (left + right) / 2, (top + bottom) / 2
    area = (
        max(0, round(x - half)),
        max(0, round(y - half)),
        min(image.width, round(x + half)),
        min(image.height, round(y + half)),
    )
    if area[2] <= area[0] or area[3] <= area[1]:
        return Image.new("RGB", (side, side), (128, 128, 128))
    return image.crop(area).convert("RGB").resize((side, side), Image.Resampling.LANCZOS)


def effects(image: Image.Image, regions: Sequence[RegionEffect], labelled: int = 3) -> Image.Image:
    """Each region tinted by what covering it does to the logit; the strongest few carry their number with its sign."""
    picture = fitted(image)
    strongest = max((abs(region.effect) for region in regions), default=0.0)
    tint = Image.new("RGBA", picture.size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(tint)
    for region in regions:
        part = abs(region.effect) / strongest if strongest else 0.0
        colour = rgb(TOWARD if region.effect > 0 else AWAY)
        draw.rectangle(_placed(region.box, image, picture), fill=(*colour, round(165 * part)))
    picture = Image.alpha_composite(picture.convert("RGBA"), tint).convert("RGB")
    draw = ImageDraw.Draw(picture)
    size = max(14, max(picture.size) // 28)
    for region in sorted(regions, key=lambda region: -abs(region.effect))[:labelled]:
        if strongest:
            box, colour = _placed(region.box, image, picture), rgb(TOWARD if region.effect > 0 else AWAY)
            draw.rectangle(box, outline=colour, width=max(2, max(picture.size) // 300))
            _tag(draw, (box[0] + 6, box[1] + 5), f"{region.effect:+.2f}", colour, size)
    return picture
