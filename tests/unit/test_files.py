"""What is attached is taken for what it is, and tells nothing besides its picture."""

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.domain.files import NotAFile, recognised

SECRET = b"34.69N 135.70E"


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(*more: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    picture = chunk(b"IDAT", zlib.compress(b"\0\x7f"))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(more) + picture + chunk(b"IEND", b"")


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def exif(orientation: int, order: str = "<") -> bytes:
    mark = b"II*\0" if order == "<" else b"MM\0*"
    entry = struct.pack(f"{order}HHIHH", 0x0112, 3, 1, orientation, 0)
    tiff = mark + struct.pack(f"{order}IH", 8, 1) + entry + bytes(4) + SECRET
    return segment(0xE1, b"Exif\0\0" + tiff)


SCAN = segment(0xDA, b"\1\1\0\0\x3f\0") + b"\x12\xff\0\x34\xff\xd0\x56"
FRAME = segment(0xDB, bytes(65)) + segment(0xC0, b"\x08\0\1\0\1\1\1\x11\0")


def jpeg(*more: bytes, between: bytes = b"", after: bytes = b"") -> bytes:
    return b"\xff\xd8" + b"".join(more) + FRAME + SCAN + between + SCAN + b"\xff\xd9" + after


def test_a_photograph_loses_place_comment_and_what_follows_its_end() -> None:
    told = jpeg(
        exif(1), segment(0xFE, SECRET), segment(0xED, SECRET),
        between=segment(0xFE, SECRET), after=SECRET,
    )  # fmt: skip
    assert recognised(told) == ("image/jpeg", jpeg())
    told = png(chunk(b"tEXt", SECRET), chunk(b"eXIf", SECRET), chunk(b"tIME", bytes(7))) + SECRET
    assert recognised(told) == ("image/png", png())


@pytest.mark.parametrize("order", "<>")
def test_it_stays_the_right_way_up(order: str) -> None:
    _, kept = recognised(jpeg(exif(6, order)))
    assert SECRET not in kept
    assert kept == recognised(kept)[1]
    assert kept[2:].startswith(b"\xff\xe1")
    assert struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0) in kept


@pytest.mark.parametrize(
    "wrong",
    [
        b"MZ\x90\0", b"GIF89a", b"<svg onload=x>", b"PK\3\4", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n",
        jpeg()[:-8], png()[:-6], png(chunk(b"EVIL", b"x")), png().replace(b"IDAT", b"IDAX"),
        b"%PDF-1.7\n", b"\xff\xd8" + exif(1) + b"\xff\xd9",
    ],
)  # fmt: skip
def test_what_is_not_what_it_says_is_refused(wrong: bytes) -> None:
    with pytest.raises(NotAFile):
        recognised(wrong)


@given(
    st.binary(max_size=80), st.sampled_from([jpeg(exif(3)), png(chunk(b"tEXt", SECRET))]), st.data()
)
def test_whatever_comes_is_taken_or_refused_and_never_told_more_of(
    noise: bytes, file: bytes, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(file)))
    try:
        kind, kept = recognised(file[:at] + noise + file[at + len(noise) :])
    except NotAFile:
        return
    assert kind in ("image/jpeg", "image/png")
    assert recognised(kept) == (kind, kept)
