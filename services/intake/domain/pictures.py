"""JPEG and PNG without the parts that hold no picture. Pure.

Place and time of the photograph, camera, comments, thumbnails go, and what follows the end; the
orientation stays.
"""

import struct
import zlib

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff"
PNG_KEPT = {
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"pHYs", b"sBIT", b"bKGD"
}  # fmt: skip
EOI, SOS, APP0, APP1, APP14, COM = 0xD9, 0xDA, 0xE0, 0xE1, 0xEE, 0xFE
ORIENTATION = 0x0112
JP2, JP2_TELLS = b"\0\0\0\x0cjP  \r\n\x87\n", {b"xml ", b"uuid", b"uinf"}
BROKEN = "the file is broken; send it again / ファイルが壊れています。送り直してください。"


class NotAFile(ValueError):
    """Of no type that is taken, or broken, or not to be had without what it tells; in both languages."""


def png(content: bytes) -> bytes:
    kept, at = [PNG], len(PNG)
    while True:
        (length,) = struct.unpack_from(">I", content, at)
        end = at + 12 + length
        name, chunk = content[at + 4 : at + 8], content[at:end]
        (crc,) = struct.unpack_from(">I", content, end - 4)
        if crc != zlib.crc32(chunk[4:-4]) or (at == len(PNG)) != (name == b"IHDR"):
            raise NotAFile(BROKEN)
        if name in PNG_KEPT:
            kept.append(chunk)
        elif name[:1].isupper():
            raise NotAFile(
                "a PNG with a part that nothing here knows; save it again as PNG / "
                "未知の部分を含む PNG です。PNG で保存し直してください。"
            )
        if name == b"IEND":
            return b"".join(kept)
        at = end


def jpeg(content: bytes) -> bytes:
    """Raises NotAFile, and what reading past the end raises; so does `png`."""
    kept, at, turned, pictures = [], 2, 1, 0
    while True:
        if content[at] != 0xFF:
            raise NotAFile(BROKEN)
        while content[at + 1] == 0xFF:
            at += 1
        marker = content[at + 1]
        if marker == EOI:
            break
        (length,) = struct.unpack_from(">H", content, at + 2)
        segment = content[at : at + 2 + length]
        if len(segment) != 2 + length or length < 2:
            raise NotAFile(BROKEN)
        at += 2 + length
        if marker == APP1:
            turned = _orientation(segment[4:]) or turned
        if marker == SOS:
            end = _end_of_scan(content, at)
            segment, at, pictures = segment + content[at:end], end, pictures + 1
        if marker in (APP0, APP14) or not (APP0 <= marker <= 0xEF or marker == COM):
            kept.append(segment)
    if not pictures:
        raise NotAFile("a JPEG without a picture / 画像の入っていない JPEG です。")
    return b"\xff\xd8" + (_turned(turned) if turned != 1 else b"") + b"".join(kept) + b"\xff\xd9"


def jpeg_2000(content: bytes) -> bytes:
    """As it may stand within a PDF."""
    if not content.startswith(JP2):
        return content
    kept, at = [], 0
    while at < len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        if length == 1:
            (length,) = struct.unpack_from(">Q", content, at + 8)
        end = at + length if length else len(content)
        if end < at + 8 or end > len(content):
            raise NotAFile(BROKEN)
        if kind not in JP2_TELLS:
            kept.append(content[at:end])
        at = end
    return b"".join(kept)


def _end_of_scan(content: bytes, at: int) -> int:
    while True:
        at = content.find(b"\xff", at)
        if at < 0:
            raise NotAFile(BROKEN)
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
