"""What a file is by its content, and the file without what it tells besides its picture. Pure.

Of JPEG and PNG the parts that hold no picture go: place and time of the photograph, camera, comments,
thumbnails, what follows the end. The orientation stays. A PDF is taken as it is.
"""

import struct
import zlib

from shared.contracts.intake import MediaType

LARGEST = 5_000_000
PNG = b"\x89PNG\r\n\x1a\n"
PNG_KEPT = {
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"pHYs", b"sBIT", b"bKGD"
}  # fmt: skip
SOI, EOI, SOS, APP0, APP1, APP14, COM = 0xD8, 0xD9, 0xDA, 0xE0, 0xE1, 0xEE, 0xFE
ORIENTATION = 0x0112


class NotAFile(ValueError):
    """Neither of the types that are taken, or broken."""


def recognised(content: bytes) -> tuple[MediaType, bytes]:
    """Its type, and the file without metadata. Raises NotAFile."""
    try:
        if content.startswith(b"\xff\xd8\xff"):
            return "image/jpeg", _jpeg(content)
        if content.startswith(PNG):
            return "image/png", _png(content)
    except (IndexError, struct.error):
        raise NotAFile("broken off") from None
    if content.startswith(b"%PDF-1.") and b"%%EOF" in content[-1024:]:
        return "application/pdf", content
    raise NotAFile("neither JPEG, PNG nor PDF")


def _png(content: bytes) -> bytes:
    kept, at = [PNG], len(PNG)
    while True:
        (length,) = struct.unpack_from(">I", content, at)
        end = at + 12 + length
        name, chunk = content[at + 4 : at + 8], content[at:end]
        (crc,) = struct.unpack_from(">I", content, end - 4)
        if crc != zlib.crc32(chunk[4:-4]) or (at == len(PNG)) != (name == b"IHDR"):
            raise NotAFile("a broken PNG")
        if name in PNG_KEPT:
            kept.append(chunk)
        elif name[:1].isupper():
            raise NotAFile("a PNG with an unknown critical part")
        if name == b"IEND":
            return b"".join(kept)
        at = end


def _jpeg(content: bytes) -> bytes:
    kept, at, turned, pictures = [], 2, 1, 0
    while True:
        if content[at] != 0xFF:
            raise NotAFile("a broken JPEG")
        while content[at + 1] == 0xFF:
            at += 1
        marker = content[at + 1]
        if marker == EOI:
            break
        (length,) = struct.unpack_from(">H", content, at + 2)
        segment = content[at : at + 2 + length]
        if len(segment) != 2 + length or length < 2:
            raise NotAFile("a broken JPEG")
        at += 2 + length
        if marker == APP1:
            turned = _orientation(segment[4:]) or turned
        if marker == SOS:
            end = _end_of_scan(content, at)
            segment, at, pictures = segment + content[at:end], end, pictures + 1
        if marker in (APP0, APP14) or not (APP0 <= marker <= 0xEF or marker == COM):
            kept.append(segment)
    if not pictures:
        raise NotAFile("a JPEG without a picture")
    return b"\xff\xd8" + (_turned(turned) if turned != 1 else b"") + b"".join(kept) + b"\xff\xd9"


def _end_of_scan(content: bytes, at: int) -> int:
    while True:
        at = content.find(b"\xff", at)
        if at < 0:
            raise NotAFile("a JPEG that breaks off")
        if content[at + 1] != 0 and not 0xD0 <= content[at + 1] <= 0xD7 and content[at + 1] != 0xFF:
            return at
        at += 1 if content[at + 1] == 0xFF else 2


def _orientation(exif: bytes) -> int | None:
    if not exif.startswith(b"Exif\0\0"):
        return None
    tiff = exif[6:]
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return None
    try:
        (first,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, first)
        for n in range(min(count, 100)):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", tiff, first + 2 + 12 * n)
            if tag == ORIENTATION:
                return value if 1 <= value <= 8 else None
    except struct.error:
        pass
    return None


def _turned(orientation: int) -> bytes:
    """An Exif part that says nothing but how the picture is to be turned."""
    entry = struct.pack(">HHIHH", ORIENTATION, 3, 1, orientation, 0)
    tiff = b"MM\0*" + struct.pack(">IH", 8, 1) + entry + bytes(4)
    body = b"Exif\0\0" + tiff
    return struct.pack(">BBH", 0xFF, APP1, len(body) + 2) + body
