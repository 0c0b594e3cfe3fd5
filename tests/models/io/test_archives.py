"""ZIPs from strangers: what is read, what is passed over, and a sentence for each way of being bad."""

from __future__ import annotations

import io
import stat
import tracemalloc
import zipfile

import pytest

from models.io.archives import Archive, BadArchive, Limits, is_zip
from tests.conftest import drawn


def packed(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def packed_as(name: str, data: bytes, mode: int = 0) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        info.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(info, data)
    return buffer.getvalue()


def test_pictures_are_read_and_the_rest_is_passed_over() -> None:
    picture = drawn()
    data = packed(
        **{"a.png": picture, "deep/er/b.JPG": picture, "notes.doc": b"x", "__MACOSX/._a.png": b"x", ".c.png": b"x"}
    )
    with Archive(data) as archive:
        assert [member.filename for member in archive.members] == ["a.png", "deep/er/b.JPG"]
        assert sorted(archive.skipped) == [".c.png", "__MACOSX/._a.png", "notes.doc"]
        assert [read for _, read in archive.read()] == [picture, picture]
    assert is_zip(data) and not is_zip(picture)


@pytest.mark.parametrize("data", [b"", b"no zip at all", packed(**{"a.png": drawn()})[:-30], b"PK\3\4" + bytes(200)])
def test_what_is_no_zip(data: bytes) -> None:
    with pytest.raises(BadArchive, match="not a ZIP file, or it is damaged"):
        Archive(data)


@pytest.mark.parametrize("name", ["../a.png", "x/../../a.png", "/etc/a.png", "..\\a.png", "C:\\a.png"])
def test_paths_that_climb_out(name: str) -> None:
    with pytest.raises(BadArchive, match="climbs out of its folder"):
        Archive(packed(**{"fine.png": drawn(), name: drawn()}))


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    with pytest.raises(BadArchive, match="times its size"):
        Archive(packed(**{"bomb.png": bytes(9_000_000)}))


def test_ten_gigabytes_announced_in_a_small_file() -> None:
    data = bytearray(packed(**{f"{number}.png": drawn() for number in range(3)}))
    at = data.find(b"PK\1\2")
    while at >= 0:  # each entry of the directory claims nearly 4 GB
        data[at + 24 : at + 28] = (0xF0000000).to_bytes(4, "little")
        at = data.find(b"PK\1\2", at + 4)
    with pytest.raises(BadArchive, match=r"3\.8 GB, and at most 10\.0 MB"):
        Archive(bytes(data))


def test_ten_gigabytes_in_many_members() -> None:
    noise = bytes(range(256)) * 40
    data = packed(**{f"{number}.png": noise for number in range(30)})
    with pytest.raises(BadArchive, match="would unpack to"):
        Archive(data, limits=Limits(total=200_000))
    with pytest.raises(BadArchive, match="holds 30 files"):
        Archive(data, limits=Limits(members=29))
    with pytest.raises(BadArchive, match="at most 0"):
        Archive(data, limits=Limits(file=1000))


def test_a_file_of_ten_gigabytes_is_not_read_at_all() -> None:
    class Huge(io.BytesIO):
        def seek(self, at: int, whence: int = io.SEEK_SET) -> int:
            return 10 * 1024**3 if whence == io.SEEK_END else super().seek(at, whence)

        def read(self, size: int | None = -1) -> bytes:
            raise AssertionError("it was read")

    with pytest.raises(BadArchive, match=r"has 10\.0 GB"):
        Archive(Huge())


def test_a_member_larger_than_it_says_stops_the_reading() -> None:
    """The directory says 100 bytes; zipfile then ends the member there, and its checksum tells."""
    data = bytearray(packed(**{"a.png": drawn()}))
    at = data.find(b"PK\1\2")
    data[at + 24 : at + 28] = (100).to_bytes(4, "little")
    with Archive(bytes(data)) as archive, pytest.raises(BadArchive, match=r"a\.png in the ZIP is damaged"):
        list(archive.read())


def test_a_damaged_member_can_be_passed_over() -> None:
    whole = packed(**{"a.png": drawn(), "b.png": drawn(colour=(1, 2, 3))})
    data = bytearray(whole)
    data[60] ^= 0xFF
    damaged: list[zipfile.ZipInfo] = []
    with Archive(bytes(data)) as archive:
        read = [member.filename for member, _ in archive.read(lambda member, error: damaged.append(member))]
    assert (read, [member.filename for member in damaged]) == (["b.png"], ["a.png"])


def test_locked_and_links() -> None:
    data = bytearray(packed(**{"a.png": drawn()}))
    at = data.find(b"PK\1\2")
    data[at + 8] |= 1
    with pytest.raises(BadArchive, match="locked with a password"):
        Archive(bytes(data))
    with Archive(packed_as("a.png", b"/etc/passwd", stat.S_IFLNK | 0o777)) as archive:
        assert (archive.members, archive.skipped) == ([], ["a.png"])


def test_names_that_cannot_be_shown_are_tidied() -> None:
    with pytest.raises(BadArchive, match=r"\(…x+\.png\)") as caught:
        Archive(packed(**{"../" + "x" * 300 + ".png": drawn()}))
    assert len(str(caught.value)) < 200


def test_a_long_directory_is_refused_before_it_is_read() -> None:
    with io.BytesIO() as buffer, zipfile.ZipFile(buffer, "w") as archive:
        for number in range(20_000):
            archive.writestr(f"{number}", b"")
        archive.close()
        data = buffer.getvalue()
    tracemalloc.start()
    try:
        with pytest.raises(BadArchive, match="far more than the 100 files"):
            Archive(data, limits=Limits(members=100))
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
