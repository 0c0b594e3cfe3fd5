"""Bytes to a safe RGB picture: judged by content, limits checked before anything is decoded, metadata dropped."""

import hashlib
import io
import math
import re
import warnings
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from models.analysis import Caption, Meme
from models.errors import BadPicture
from models.runtime.turns import Turns

MAX_BYTES = 10 * 1024 * 1024
MAX_PIXELS = 20_000_000
MAX_PIXELS_JPEG = 60_000_000  # as phones take them: decoded at a half, a quarter or an eighth of its sides
MAX_OPEN_PIXELS = 4_000_000  # a larger picture is shrunk; the OCR's detector sees a third of a megapixel in any case
MAX_SIDE = 16_384  # pixels; what WebP allows, and more than any screen shows
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
JPEGS = ("JPEG", "MPO")  # the latter with further pictures behind the first, as some phones take them
NAMES = {"WEBP": "WebP"}
TAKEN = "JPEG, PNG, WebP, GIF or BMP"
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp")  # of files that may hold one of them
IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
IMAGENET_STD = np.array([0.229, 0.224, 0.225], dtype=np.float32)
HEIC = "This is a HEIC picture, as phones take them, which cannot be read here"
AVIF = "This is an AVIF picture, which cannot be read here"
BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), AVIF),
    **dict.fromkeys((b"heic", b"heix", b"hevc", b"heim", b"mif1", b"msf1"), HEIC),
}
BEGINNINGS = {
    (b"%PDF",): "This is a PDF document, not a picture",
    (b"II*\0", b"MM\0*"): "This is a TIFF picture, which cannot be read here",
    (b"\0\0\1\0",): "This is an icon (ICO), which cannot be read here",
    (b"\xff\x0a", b"\0\0\0\x0cJXL "): "This is a JPEG XL picture, which cannot be read here",
    (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"RIFF"): "The picture is damaged or cut off",
}
SIXTEEN_BIT = ("I", "I;16", "I;16B", "I;16L", "I;16N")
ORIENTATION, SIDEWAYS = 0x0112, (5, 6, 7, 8)  # EXIF: the tag, and its values for which width and height change places
BAND = 64  # rows of a large picture that are turned into RGB at a time
DECODING = Turns(
    MAX_PIXELS * 5 // 4
)  # pixels being decoded in this process, 4 bytes each and more: room beside a large one
IN_FLIGHT = Turns(32_000_000)  # pixels of open pictures being answered in this process, 4 bytes each


@dataclass(frozen=True)
class Picture:
    """An RGB picture as it should be shown, the format of the bytes it came from, and their SHA-256.

    `size`: width and height before it was shrunk; None where it was not.
    """

    image: Image.Image
    format: str
    sha256: str
    size: tuple[int, int] | None = None

    def meme(self, caption: Caption) -> Meme:
        """The picture with these words."""
        return Meme(self.image, caption, self.format, self.sha256, self.size)


def area(image: Image.Image | None) -> int:
    """Pixels of an open picture, 0 without one."""
    return 0 if image is None else image.width * image.height


def area_of(data: bytes) -> int:
    """Pixels that a picture will have when it is open, as its header says; 0 where it cannot be opened."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            return min(area(image), MAX_OPEN_PIXELS)
    except Exception:  # `open_picture` says why
        return 0


def open_picture(data: bytes) -> Picture:
    """The first frame: EXIF orientation applied, alpha on white, CMYK and grey as RGB, no metadata.

    At most 10 MB and 20 megapixels (a JPEG up to 60), JPEG, PNG, WebP, GIF or BMP; raises `BadPicture` with one sentence
    otherwise. More than `MAX_OPEN_PIXELS` come out shrunk. Waits while other threads decode large pictures.
    """
    if not data:
        raise BadPicture("The file is empty: choose the picture again.")
    if len(data) > MAX_BYTES:
        raise BadPicture(
            f"The picture has {len(data) / 1024**2:.1f} MB, and at most {MAX_BYTES // 1024**2} MB can be read: "
            "save it smaller or as JPEG."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's bomb warning and its EXIF remarks: the limits here are stricter
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                name = str(image.format)
                check_size(*image.size, most=MAX_PIXELS_JPEG if name in JPEGS else MAX_PIXELS)
                given = image.size
                if area(image) > MAX_OPEN_PIXELS:
                    image.draft("RGB", shrunk_size(*given))
                with DECODING.take(area(image)):
                    image.seek(0)
                    image.load()
                    if orientation(image) in SIDEWAYS:
                        given = given[::-1]
                    if area(image) <= MAX_OPEN_PIXELS:
                        rgb = upright_rgb(image)
                    else:
                        small = shrunk(image)
                        image.close()  # its pixels too
                        rgb = upright_rgb(small)
    except BadPicture:
        raise
    except Image.DecompressionBombError as error:
        # Pillow refuses such a header before its size can be asked for, and tells the number only in its message
        pixels = re.search(r"(\d+) pixels", str(error))
        size = f"{int(pixels[1]) / 1e6:,.1f}" if pixels else f"far more than {MAX_PIXELS // 10**6}"
        raise BadPicture(
            f"The picture has {size} megapixels, and at most {MAX_PIXELS // 10**6} can be read: make it smaller."
        ) from error
    except UnidentifiedImageError as error:
        raise BadPicture(f"{what_it_is(data)}: save it as {TAKEN} and try again.") from error
    except MemoryError as error:
        raise BadPicture("There is not enough memory to open this picture: make it smaller.") from error
    except Exception as error:  # decoders raise nearly anything (OSError, SyntaxError, ValueError, struct.error, ...)
        raise BadPicture(
            f"The picture is damaged or cut off and cannot be opened: download it again, or save it anew as {TAKEN}."
        ) from error
    return Picture(rgb, name, hashlib.sha256(data).hexdigest(), given if given != rgb.size else None)


def shrunk_size(width: int, height: int) -> tuple[int, int]:
    """Width and height of a picture of that shape with at most `MAX_OPEN_PIXELS`."""
    scale = math.sqrt(MAX_OPEN_PIXELS / (width * height))
    return max(1, int(width * scale)), max(1, int(height * scale))


def shrunk(image: Image.Image) -> Image.Image:
    """A decoded picture as RGB on white, with at most `MAX_OPEN_PIXELS`; it lies as before.

    It is turned into RGB and halved a band at a time, so that the whole of it is in memory once only.
    """
    width, height = shrunk_size(*image.size)
    factor = max(1, image.width // width)  # whole pixels become one by their mean; the rest is resampled
    halved = Image.new("RGB", (-(-image.width // factor), -(-image.height // factor)))
    rows = BAND * factor
    for top in range(0, image.height, rows):
        band = image.crop((0, top, image.width, min(top + rows, image.height)))
        halved.paste(on_white(band).reduce(factor), (0, top // factor))
    small = halved.resize((width, height), Image.Resampling.LANCZOS)
    small.getexif()[ORIENTATION] = orientation(image)
    return small


def orientation(image: Image.Image) -> int:
    """EXIF's value for how a decoded picture lies; 1, upright, where none can be read."""
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # a broken EXIF block says nothing about the picture
        return 1


def squash(image: Image.Image, side: int) -> Image.Image:
    """The whole picture as a square of `side` pixels, whatever its aspect ratio."""
    # `reducing_gap` shrinks big photographs in two steps: no visible difference, several times faster.
    return image.resize((side, side), Image.Resampling.BICUBIC, reducing_gap=2.0)


def preprocess(image: Image.Image, side: int) -> np.ndarray:
    """An RGB picture squashed and normalised by ImageNet's mean and standard deviation: float32 [3, side, side]."""
    pixels = np.asarray(image if image.size == (side, side) else squash(image, side), dtype=np.float32) / 255
    return np.ascontiguousarray(((pixels - IMAGENET_MEAN) / IMAGENET_STD).transpose(2, 0, 1))


def check_size(width: int, height: int, *, most: int) -> None:
    """Raises `BadPicture` for a picture (sizes from its header) that is empty, too large or absurdly long."""
    if width < 1 or height < 1:
        raise BadPicture(f"The picture is empty ({width} by {height} pixels): choose another one.")
    if width * height > most:
        raise BadPicture(
            f"The picture has {width * height / 1e6:.1f} megapixels ({width} by {height}), and at most "
            f"{most // 10**6} can be read: make it smaller."
        )
    if max(width, height) > MAX_SIDE:
        raise BadPicture(f"The picture is {width} by {height} pixels, and a side may have at most {MAX_SIDE}: crop it.")


def upright_rgb(image: Image.Image) -> Image.Image:
    """A decoded picture as plain RGB: turned as its EXIF says, on white where transparent, nothing attached."""
    try:
        image = ImageOps.exif_transpose(image)
    except Exception:  # a broken EXIF block says nothing about the picture; show it as it lies
        image = image.copy()
    rgb = on_white(image)
    return Image.frombytes("RGB", rgb.size, rgb.tobytes())  # a new picture: no info, no EXIF, no colour profile


def on_white(image: Image.Image) -> Image.Image:
    """A decoded picture as RGB, on white where it is transparent."""
    if image.mode in SIXTEEN_BIT:  # Pillow cuts 16-bit greys off at 255 instead of scaling them
        image = image.convert("I").point(lambda value: value * (1 / 257)).convert("L")
        image.info.clear()  # a transparent grey is given in 16 bits too
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        image = Image.alpha_composite(white, rgba)
    return image.convert("RGB")


def what_it_is(data: bytes) -> str:
    """The beginning of a sentence about bytes that are none of the formats taken, as far as their beginning tells."""
    if data[4:8] == b"ftyp":
        return BRANDS.get(data[8:12], "This is a video, not a picture")
    for starts, sentence in BEGINNINGS.items():
        if data.startswith(starts):
            return sentence
    text = data[:4096].lower()
    if text.lstrip(b"\xef\xbb\xbf\r\n\t ").startswith(b"<") and b"<svg" in text:
        return "This is an SVG drawing, which cannot be read here"
    if is_text(data[:4096]):
        return "This is a text file, not a picture, whatever its name says"
    return "This is not a picture that can be read here"


def is_text(head: bytes) -> bool:
    """Whether bytes read as UTF-8 (perhaps cut in the middle of a character) without control characters."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:
            return False
        text = head[: error.start].decode("utf-8")
    return all(character.isprintable() or character.isspace() for character in text)
