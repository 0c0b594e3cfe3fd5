"""What is drawn onto a picture: a 7x7 heat, boxes with numbers, boxes with effects. Pillow in, Pillow out."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from components.shared.palette import AWAY, TOWARD, rgb
from components.shared.pictures import fitted
from models.analysis import Box, Face, Grid, RegionEffect

CROP = (160, 160)  # pixels of a face that was cut out
NUMBERED = 3  # regions that carry the number of their effect, the strongest ones
_HEAT_LEVELS = (0.0, 0.35, 0.7, 1.0)
_HEAT_COLOURS = np.array([(38, 22, 66), (122, 33, 106), (226, 88, 62), (252, 216, 120)])


def heat_colours(levels: np.ndarray) -> np.ndarray:
    """0-1 to colours from violet over red to yellow, uint8 [..., 3]: their lightness rises all along, so it also reads in grey."""
    channels = [np.interp(levels, _HEAT_LEVELS, channel) for channel in _HEAT_COLOURS.T]
    return np.stack(channels, -1).round().astype(np.uint8)


def scaled(grid: Grid) -> np.ndarray:
    """The grid stretched to 0-1 by its own smallest and largest value, [rows, columns]; an even grid becomes all zeros."""
    values = np.array(grid, float)
    low, high = values.min(), values.max()
    return np.zeros_like(values) if high - low < 1e-12 else (values - low) / (high - low)


def heat(image: Image.Image, grid: Grid) -> Image.Image:
    """The picture under its attention: rows from the top, each patch coloured by its share, the patches' edges faint.

    Colours run from the least to the most looked-at patch of this picture, so two pictures do not compare by colour.
    """
    picture = fitted(image)
    levels = scaled(grid)
    rows, columns = levels.shape
    colours = Image.fromarray(heat_colours(levels))
    cover = Image.fromarray((30 + 165 * levels).round().astype(np.uint8))
    smooth = Image.Resampling.BICUBIC
    ground = Image.blend(picture, picture.convert("L").convert("RGB"), 0.5)
    mixed = Image.composite(colours.resize(picture.size, smooth), ground, cover.resize(picture.size, smooth))
    lines = ImageDraw.Draw(mixed, "RGBA")
    across = [round(x * picture.width / columns) for x in range(1, columns)]
    down = [round(y * picture.height / rows) for y in range(1, rows)]
    edges = [[(x, 0), (x, picture.height)] for x in across] + [[(0, y), (picture.width, y)] for y in down]
    for edge in edges:
        lines.line(edge, fill=(255, 255, 255, 48))
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


def _tag(draw: ImageDraw.ImageDraw, box: tuple[int, ...], text: str, colour: tuple[int, int, int]) -> None:
    """A text in white on the colour, in the upper left corner of the box; larger letters on a larger picture."""
    place, font = (box[0] + 6, box[1] + 5), ImageFont.load_default(max(14, max(draw.im.size) // 28))
    left, top, right, bottom = draw.textbbox(place, text, font=font)
    draw.rectangle((left - 4, top - 3, right + 4, bottom + 3), fill=colour)
    draw.text(place, text, font=font, fill=(255, 255, 255))


def faces(image: Image.Image, detected: Sequence[Face]) -> Image.Image:
    """A numbered box on each face."""
    picture = fitted(image)
    draw = ImageDraw.Draw(picture)
    thickness = max(2, max(picture.size) // 250)
    for number, face in enumerate(detected, start=1):
        box = _placed(face.box, image, picture)
        draw.rectangle(box, outline=(255, 255, 255), width=thickness + 2)
        draw.rectangle(box, outline=rgb(AWAY), width=thickness)
        _tag(draw, box, str(number), rgb(AWAY))
    return picture


def crop(image: Image.Image, box: Box) -> Image.Image:
    """One face, a little wider than its box, on a square."""
    left, top, right, bottom = box
    half = max(right - left, bottom - top) * 0.6
    x, y = (left + right) / 2, (top + bottom) / 2
    left, top = max(0, round(x - half)), max(0, round(y - half))
    right, bottom = min(image.width, round(x + half)), min(image.height, round(y + half))
    if right <= left or bottom <= top:
        return Image.new("RGB", CROP, (128, 128, 128))
    return image.crop((left, top, right, bottom)).convert("RGB").resize(CROP, Image.Resampling.LANCZOS)


def gradient(image: Image.Image, grid: Grid) -> Image.Image:
    """Each cell of a square grid tinted as `effects` tints regions."""
    width, height = image.width / len(grid), image.height / len(grid)
    cells = [
        RegionEffect((x * width, y * height, (x + 1) * width, (y + 1) * height), value)
        for y, row in enumerate(grid)
        for x, value in enumerate(row)
    ]
    return effects(image, cells)


def effects(image: Image.Image, regions: Sequence[RegionEffect]) -> Image.Image:
    """Each region tinted by what covering it does to the logit; the strongest few carry their number with its sign."""
    picture = fitted(image)
    boxes = [
        (region.effect, _placed(region.box, image, picture), rgb(TOWARD if region.effect > 0 else AWAY))
        for region in regions
    ]
    strongest = max((abs(effect) for effect, *_ in boxes), default=0.0)
    if not strongest:
        return picture
    tint = Image.new("RGBA", picture.size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(tint)
    for effect, box, colour in boxes:
        draw.rectangle(box, fill=(*colour, round(165 * abs(effect) / strongest)))
    picture = Image.alpha_composite(picture.convert("RGBA"), tint).convert("RGB")
    draw = ImageDraw.Draw(picture)
    for effect, box, colour in sorted(boxes, key=lambda item: -abs(item[0]))[:NUMBERED]:
        draw.rectangle(box, outline=colour, width=max(2, max(picture.size) // 300))
        _tag(draw, box, f"{effect:+.2f}", colour)
    return picture
