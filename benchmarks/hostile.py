"""What a hostile visitor sends: bodies that are slow to parse, posts that stall, bombs, pictures made to hold the OCR, files
of the largest promised size, and messages that try to stop what others do. For `benchmarks/abuse.py` alone."""

import base64
import io
import json
import os
import random
import socket
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import cache
from http.client import HTTPConnection, HTTPException
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageDraw, ImageFont

from benchmarks.common import FONT
from benchmarks.memory import browser_page

MEGABYTE = 1024**2
BODY_MB = 32  # the most that a request may have
PAUSE_S = 0.5  # between two requests of one hostile thread
STALL_S = 10.0  # for which a post sends nothing
TIMEOUT_S = 60.0
STALLED = 8  # posts at a time: 256 MB in flight, as far as their headers say
LINES = 80
LOWEST = 19  # priority, as `nice` counts
HEAD = "POST /api/v1/score HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
OWN = ("127.0.0.2", 0)  # the hostile visitor's address


def post(address: str, path: str, body: bytes) -> int:
    """The status of the answer to this JSON, 0 for none."""
    place = urlsplit(address)
    connection = HTTPConnection(str(place.hostname), place.port, TIMEOUT_S, source_address=OWN)
    try:
        with closing(connection):
            connection.request("POST", path, body, {"Content-Type": "application/json"})
            return connection.getresponse().status
    except (OSError, HTTPException):
        return 0


def spaces(address: str) -> None:
    """A picture of white space, for a pattern that tries every place of it."""
    for count in (16_000, 1_000_000):
        post(address, "/api/v1/analyze", json.dumps({"picture": " " * count}).encode())


def long_comment(address: str) -> None:
    """A comment of 32 MB, for whoever normalises it before its length is looked at."""
    post(address, "/v1alpha1/comments:analyze", comment_body())


def empty_memes(address: str) -> None:
    """Memes beyond number, parsed before they are counted."""
    post(address, "/api/v1/score", b'{"memes":[' + b"{}," * 97_000 + b"{}]}")


def large_pictures(address: str) -> None:
    """32 pictures of 20 megapixels in one request of a few megabytes."""
    post(address, "/api/v1/score", large_body())


def crowded_picture(address: str) -> None:
    """The widest lines that the OCR takes, as many as it takes."""
    post(address, "/api/v1/analyze", crowded_body())


def long_caption(address: str) -> None:
    """The longest caption, with everything explained."""
    words = " ".join(random.choices(("people", "weather", "office", "monday", "coffee"), k=1_400))
    post(address, "/api/v1/analyze", json.dumps({"caption": words[:10_000]}).encode())


# Made once: making them again and again would take the processor from the server.


@cache
def comment_body() -> bytes:
    """Letters that NFKC writes as two, three bytes each."""
    body = {"comment": {"text": "ﬁ" * (BODY_MB * MEGABYTE // 3 - 1000)}, "requestedAttributes": {"TOXICITY": {}}}
    return json.dumps(body, ensure_ascii=False).encode()


@cache
def large_body() -> bytes:
    """Few bytes, many pixels."""
    buffer = io.BytesIO()
    Image.new("RGB", (5_000, 4_000)).save(buffer, "PNG")
    picture = base64.b64encode(buffer.getvalue()).decode()
    return json.dumps({"memes": [{"picture": picture, "caption": f"meme {n}"} for n in range(32)]}).encode()


@cache
def crowded_body() -> bytes:
    """A picture full of wide lines."""
    image = Image.new("L", (4_000, 4_900), "white")
    font, draw = ImageFont.truetype(str(FONT), 36), ImageDraw.Draw(image)
    for line in range(LINES):
        draw.text((10, 10 + 60 * line), "THE QUICK BROWN FOX JUMPS OVER A LAZY DOG " * 4, font=font, fill=0)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return json.dumps({"picture": base64.b64encode(buffer.getvalue()).decode()}).encode()


def stalled(address: str) -> None:
    """Posts that declare 32 MB each and send nothing more."""
    with connections(address, STALLED) as sockets:
        for each in sockets:
            each.sendall(f"{HEAD}Content-Length: {BODY_MB * MEGABYTE}\r\n\r\n".encode())
        time.sleep(STALL_S)


def chunked(address: str) -> None:
    """A chunked body, whose size no header tells, of more than a request may have."""
    chunk = b"100000\r\n" + b" " * MEGABYTE + b"\r\n"
    with connections(address, 1) as sockets:
        sockets[0].sendall(f"{HEAD}Transfer-Encoding: chunked\r\n\r\n".encode())
        for _ in range(2 * BODY_MB):
            sockets[0].sendall(chunk)


@contextmanager
def connections(address: str, count: int) -> Iterator[list[socket.socket]]:
    """Plain connections to the server; an error on them, such as a refusal, ends the attack."""
    place = urlsplit(address)
    with suppress(OSError), ExitStack() as stack:
        server = str(place.hostname), int(place.port or 80)
        yield [stack.enter_context(socket.create_connection(server, 5, OWN)) for _ in range(count)]


def clear_cache(address: str) -> None:
    """The message with which any browser can ask Streamlit to forget what is cached for everybody."""
    from streamlit.proto.BackMsg_pb2 import BackMsg
    from websockets.exceptions import WebSocketException
    from websockets.sync.client import connect

    try:
        with connect(f"{address.replace('http', 'ws', 1)}/_stcore/stream", subprotocols=["streamlit"]) as stream:  # type: ignore[list-item]
            stream.send(BackMsg(clear_cache=True).SerializeToString())
            time.sleep(1)
    except (OSError, WebSocketException):
        return


ATTACKS: tuple[Callable[[str], None], ...] = (
    spaces, long_comment, empty_memes, large_pictures, crowded_picture, long_caption, stalled, chunked, clear_cache,
)  # fmt: skip


def attack(address: str, send: Callable[[str], None], is_over: Callable[[], bool]) -> None:
    """One attack again and again."""
    while not is_over():
        send(address)
        time.sleep(PAUSE_S)


def files(folder: Path) -> dict[str, Path]:
    """The files that the hostile visitor uploads, by what they are."""
    made = {name: folder / name for name in ("small.zip", "large.zip", "bomb.parquet", "odd.csv")}
    pictures = [noise(seed) for seed in range(2)]
    for name, megabytes in (("small.zip", 11), ("large.zip", 180)):
        with zipfile.ZipFile(made[name], "w") as archive:
            for number in range(megabytes * MEGABYTE // len(pictures[0])):
                archive.writestr(f"{number}.png", pictures[number % 2])
    rows: dict[str, Any] = {"image": [bytes(MEGABYTE)] * 100, "caption": ["words"] * 100}
    pq.write_table(pa.table(rows), made["bomb.parquet"], compression="zstd")
    made["odd.csv"].write_text("image,caption\n" + "\n".join(f"{path},words" for path in ("./", ".", "..", "a\0b")))
    return made


def noise(seed: int) -> bytes:
    """A picture of some 5.4 MB that nothing can compress."""
    pixels = np.random.default_rng(seed).integers(0, 256, (1_350, 1_350, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def visit(address: str, files: dict[str, Path], ended: Event) -> None:
    """Every attack again and again, and uploads, until the event is set."""
    os.nice(LOWEST)
    with ThreadPoolExecutor(len(ATTACKS) + 1) as pool:
        jobs = [pool.submit(attack, address, send, ended.is_set) for send in ATTACKS]
        for running in [*jobs, pool.submit(upload_all, address, files, ended.is_set)]:
            running.result()


def upload_all(address: str, files: dict[str, Path], is_over: Callable[[], bool]) -> None:
    """By Chromium: each file to the pages that promise to take it, and the other profile in between."""
    from playwright.sync_api import Error

    while not is_over():
        with browser_page() as page:
            page.set_default_timeout(20_000)
            for name, file in files.items():
                for place in ("batch", "search"):
                    if is_over():
                        return
                    try:
                        upload(page, f"{address}/{place}", file)
                        if name == "small.zip":
                            switch_profile(page)
                    except Error:  # whatever the server does with it
                        continue


def upload(page: Any, address: str, file: Path) -> None:
    """Give a file to a page and begin; that Chromium, not this process, reads it."""
    page.goto(address)
    page.locator("input[type=file]").first.wait_for(state="attached")
    page.locator("input[type=file]").first.set_input_files(file)
    page.get_by_text(file.name).first.wait_for()
    page.get_by_role("button", name="Judge them").or_(page.get_by_role("button", name="Index them")).first.click()


def switch_profile(page: Any) -> None:
    """From "chosen for you" to mini or back, by the sidebar, while the batch runs."""
    page.get_by_text("Models", exact=True).first.click()
    page.get_by_role("combobox", name="Profile").click()
    page.get_by_role("option", selected=False).first.click()
    page.get_by_role("button", name="Switch").click()
