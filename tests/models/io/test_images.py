"""Every kind of bytes that a user may send: a right RGB picture, or one sentence that says what to do."""

import hashlib
import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from models.errors import BadPicture
from models.io.images import MAX_BYTES, MAX_OPEN_PIXELS, area_of, open_picture

RED = (200, 50, 20)
WHITE = (255, 255, 255)


def encoded(image: Image.Image, format: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size without carrying its pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 90)) + chunk(b"IEND", b"")
    )


def refusal(data: bytes) -> str:
    with pytest.raises(BadPicture) as caught:
        open_picture(data)
    sentence = str(caught.value)
    assert sentence.endswith(".") and "\n" not in sentence and "Error" not in sentence
    assert ". " not in sentence.removesuffix("."), "one sentence"
    return sentence


def noise(format: str) -> bytes:
    return encoded(Image.effect_noise((300, 300), 50).convert("RGB"), format)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
def test_each_format_gives_the_picture_and_what_it_was(format):
    data = encoded(Image.new("RGB", (40, 30), RED), format)
    picture = open_picture(data)
    assert (picture.format, picture.image.mode, picture.image.size) == (format, "RGB", (40, 30))
    assert picture.sha256 == hashlib.sha256(data).hexdigest()
    assert np.abs(np.array(picture.image, int) - RED).max() <= 6


def test_one_pixel_is_a_picture():
    assert open_picture(encoded(Image.new("1", (1, 1), 1), "PNG")).image.getpixel((0, 0)) == WHITE


def test_cmyk_jpeg_keeps_its_colours():
    picture = open_picture(encoded(Image.new("RGB", (16, 16), RED).convert("CMYK"), "JPEG"))
    assert np.abs(np.array(picture.image, int) - RED).max() <= 6


def test_sixteen_bit_grey_is_scaled_not_cut_off():
    data = encoded(Image.fromarray(np.full((5, 5), 257 * 100, np.uint16)), "PNG")
    assert open_picture(data).image.getpixel((2, 2)) == (100, 100, 100)


def test_grey_becomes_rgb():
    assert open_picture(encoded(Image.new("L", (5, 5), 77), "JPEG")).image.getpixel((2, 2)) == (77, 77, 77)


@pytest.mark.parametrize(
    "data",
    [
        encoded(Image.new("RGBA", (4, 4), (0, 0, 0, 0)), "PNG"),
        encoded(Image.new("RGBA", (4, 4), (0, 0, 0, 0)), "WEBP", lossless=True),
        encoded(Image.new("LA", (4, 4), (10, 0)), "PNG"),
        encoded(Image.new("P", (4, 4), 0), "PNG", transparency=0),
        encoded(Image.new("RGB", (4, 4), RED), "PNG", transparency=RED),
        encoded(Image.new("P", (4, 4), 0), "GIF", transparency=0),
    ],
    ids=["rgba", "webp", "grey-alpha", "palette", "colour-key", "gif"],
)
def test_what_is_transparent_lies_on_white(data):
    assert open_picture(data).image.getpixel((1, 1)) == WHITE


def test_half_transparent_black_on_white_is_grey():
    value = open_picture(encoded(Image.new("RGBA", (4, 4), (0, 0, 0, 128)), "PNG")).image.getpixel((1, 1))[0]
    assert abs(value - 127) <= 1


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_exif_turns_the_picture_and_is_dropped(format):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held on its side: shown, the left edge is the top
    exif[0x010E] = "taken at home"
    image = Image.new("RGB", (40, 20), "white")
    image.paste((0, 0, 0), (0, 0, 10, 20))
    shown = open_picture(encoded(image, format, exif=exif)).image
    assert shown.size == (20, 40)
    assert max(shown.getpixel((10, 3))) < 60 and min(shown.getpixel((10, 30))) > 200
    assert not shown.info and not shown.getexif()


def test_no_metadata_survives():
    from PIL.PngImagePlugin import PngInfo

    notes = PngInfo()
    notes.add_text("Author", "somebody")
    image = open_picture(encoded(Image.new("RGB", (4, 4)), "PNG", pnginfo=notes, dpi=(300, 300))).image
    assert image.info == {} and not dict(image.getexif())


def test_animated_gif_gives_its_first_frame():
    first, second = Image.new("RGB", (8, 8), "blue"), Image.new("RGB", (8, 8), "yellow")
    data = encoded(first, "GIF", save_all=True, append_images=[second], duration=10)
    picture = open_picture(data)
    assert picture.format == "GIF" and picture.image.getpixel((4, 4)) == (0, 0, 255)


def test_the_content_decides_not_the_name():
    assert "text file" in refusal(b"Dear diary,\nthis is called meme.png.")


def test_empty_file():
    assert "empty" in refusal(b"")


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "BMP"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_truncated_files(format, share):
    data = noise(format)
    assert "damaged or cut off" in refusal(data[: int(len(data) * share)])


def test_too_many_bytes_tells_size_and_limit():
    sentence = refusal(noise("PNG") + bytes(MAX_BYTES))
    assert "10.2 MB" in sentence and "10 MB" in sentence


@pytest.mark.parametrize(
    ("width", "height", "sentence"),
    [
        (20_000, 20_000, "400.0 megapixels"),
        (5_000, 4_001, "5000 by 4001"),
        (2**30, 2**30, "megapixels"),
        (17_000, 10, "17000 by 10"),
    ],
)
def test_size_is_judged_from_the_header(width, height, sentence):
    assert sentence in refusal(png_header(width, height))


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "I;16"])
def test_twenty_megapixels_are_taken_and_shrunk(mode):
    picture = open_picture(encoded(Image.new(mode, (5_000, 4_000)), "PNG"))
    assert picture.size == (5_000, 4_000)
    assert picture.image.size == (2_236, 1_788) and picture.image.mode == "RGB"
    assert picture.image.getpixel((1_118, 894)) == ((255, 255, 255) if mode == "RGBA" else (0, 0, 0))


@pytest.mark.parametrize("size", [(6_000, 4_000), (5_000, 4_000), (2_500, 2_000)])
@pytest.mark.parametrize("format", ["JPEG", "MPO"])
def test_a_phone_s_jpeg_is_shrunk_and_its_size_is_known(size, format):
    options = {"save_all": True} if format == "MPO" else {}
    picture = open_picture(encoded(Image.new("L", size, 90), format, **options))
    assert picture.size == size
    assert MAX_OPEN_PIXELS * 0.99 < picture.image.width * picture.image.height <= MAX_OPEN_PIXELS
    assert picture.image.width / picture.image.height == pytest.approx(size[0] / size[1], rel=0.002)


def test_more_than_sixty_megapixels_are_refused():
    assert "at most 60" in refusal(encoded(Image.new("L", (8_000, 7_501)), "JPEG"))


def test_up_to_the_limit_a_picture_stays_bit_for_bit():
    grey = Image.effect_noise((2_500, 1_600), 60)
    picture = open_picture(encoded(grey, "PNG"))
    assert picture.size is None and picture.image.tobytes() == grey.convert("RGB").tobytes()


def test_a_shrunk_picture_looks_as_it_did():
    """Every band of rows, every corner, whatever the way to shrink it."""
    across = np.linspace(0, 255, 5_000)[None, :].repeat(3_000, 0)
    down = np.linspace(0, 255, 3_000)[:, None].repeat(5_000, 1)
    image = Image.fromarray(np.stack([across, down, 0 * down], -1).astype(np.uint8))
    shown = open_picture(encoded(image, "PNG", compress_level=1)).image
    whole = np.asarray(image.resize(shown.size, Image.Resampling.LANCZOS), int)
    assert np.abs(np.asarray(shown, int) - whole).max() <= 2


def test_exif_turns_a_large_picture_too():
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.new("L", (4_000, 2_000), 255)
    image.paste(0, (0, 0, 1_000, 2_000))
    for format in ("PNG", "JPEG"):
        picture = open_picture(encoded(image, format, exif=exif))
        assert picture.size == (2_000, 4_000)
        width, height = picture.image.size
        assert picture.image.getpixel((width // 2, 5))[0] < 60 < picture.image.getpixel((width // 2, height - 5))[0]


def test_the_header_tells_how_many_pixels_a_picture_will_have():
    assert area_of(png_header(40, 30)) == 1_200
    assert area_of(png_header(5_000, 4_000)) == MAX_OPEN_PIXELS
    assert area_of(b"no picture") == 0


def test_large_pictures_are_decoded_one_after_the_other():
    """In a process of its own: two at a time would take twice the memory."""
    code = (
        "import io, resource, threading; from PIL import Image; from models.io.images import open_picture\n"
        "buffer = io.BytesIO(); Image.new('RGBA', (5_000, 4_000)).save(buffer, 'PNG'); data = buffer.getvalue()\n"
        "del buffer; open_picture(data)\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "one, threads = peak(), [threading.Thread(target=open_picture, args=(data,)) for _ in range(8)]\n"
        "[thread.start() for thread in threads]; [thread.join() for thread in threads]\n"
        "print(peak() - one)"
    )
    more_kb = int(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout)
    assert more_kb < 60_000, "a second picture of 20 megapixels holds 80 MB"


@pytest.mark.parametrize("size", [(0, 10), (10, 0)])
def test_a_picture_without_pixels(size):
    refusal(png_header(*size))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC"),
        (b"\0\0\0\x18ftypavif\0\0\0\0", "AVIF"),
        (b"\0\0\0\x18ftypisom\0\0\0\0", "video"),
        (b"%PDF-1.7\n", "PDF"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"II*\0\x08\0\0\0", "TIFF"),
        (bytes(range(256)), "not a picture"),
    ],
)
def test_other_files_are_named(data, kind):
    sentence = refusal(data)
    assert kind in sentence and "JPEG" in sentence
