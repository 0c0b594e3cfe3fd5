"""A hub on this machine: the addresses, headers and errors of huggingface.co, and every way in which a download fails."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

LFS = 10_000  # bytes; from here on a file is named by its SHA-256, smaller ones by git's SHA-1


@dataclass
class Hub:
    """`folders`: repositories by id, each at one commit. `manner` of a file: good, slow, cut (once or ever), corrupt."""

    address: str = ""
    folders: dict[str, Path] = field(default_factory=dict)
    commits: dict[str, str] = field(default_factory=dict)
    manner: dict[str, str] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    ranges: list[str] = field(default_factory=list)

    def serve(self, repo: str, folder: Path, commit: str) -> None:
        self.folders[repo], self.commits[repo] = folder, commit


def etag(data: bytes) -> str:
    if len(data) >= LFS:
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


@contextmanager
def running() -> Iterator[Hub]:
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            return

        def do_HEAD(self) -> None:
            self.answer(head=True)

        def do_GET(self) -> None:
            self.answer(head=False)

        def fail(self, status: int, code: str) -> None:
            body = json.dumps({"error": code}).encode()
            self.send_response(status)
            self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def answer(self, *, head: bool) -> None:
            if self.path.startswith("/zips/"):
                self.file(self.path, hub.folders["zips"] / self.path.removeprefix("/zips/"), head=head, commit="")
                return
            listing = re.fullmatch(
                r"/api/datasets/([^/]+/[^/]+)(?:/revision/([^/?]+))?(?:/tree/.*)?(?:\?.*)?", self.path
            )
            if listing and listing[1] in hub.folders:
                names = [path for path in sorted(hub.folders[listing[1]].rglob("*")) if path.is_file()]
                siblings = [{"rfilename": str(path.relative_to(hub.folders[listing[1]]))} for path in names]
                commit = hub.commits[listing[1]]
                body = json.dumps({"id": listing[1], "sha": commit, "siblings": siblings}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                return
            match = re.fullmatch(r"/(?:datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self.path)
            if not match or match[1] not in hub.folders:
                self.fail(404, "RepoNotFound")
                return
            repo, revision, name = match.groups()
            if revision not in (hub.commits[repo], "main"):
                self.fail(404, "RevisionNotFound")
                return
            path = hub.folders[repo] / name
            if not path.is_file():
                self.fail(404, "EntryNotFound")
                return
            self.file(name, path, head=head, commit=hub.commits[repo])

        def file(self, name: str, path: Path, *, head: bool, commit: str) -> None:
            data, manner = path.read_bytes(), hub.manner.get(path.name, "good")
            tag = etag(data)
            start = 0
            if "Range" in self.headers and not head:
                hub.ranges.append(self.headers["Range"])
                start = int(self.headers["Range"].removeprefix("bytes=").split("-")[0])
            if manner == "corrupt":
                data = data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]
            self.send_response(206 if start else 200)
            self.send_header("ETag", f'"{tag}"')
            self.send_header("X-Repo-Commit", commit)
            self.send_header("Content-Length", str(len(data) - start))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            self.end_headers()
            if head:
                return
            hub.requests[path.name] += 1
            body = data[start:]
            if manner == "cut" or (manner == "cut once" and hub.requests[path.name] == 1):
                body = body[: len(body) // 2]
                self.close_connection = True
            for at in range(0, len(body), 4096):
                self.wfile.write(body[at : at + 4096])
                hub.sent[path.name] += len(body[at : at + 4096])
                if manner == "slow":
                    self.wfile.flush()
                    time.sleep(0.02)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
