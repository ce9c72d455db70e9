"""What a file is by its content, and the file without what it tells besides what is seen of it. Pure."""

import struct

from shared.contracts.intake import MediaType

from . import pictures
from .pictures import BROKEN, NotAFile

LARGEST = 5_000_000
PDF = (b"%PDF-1.", b"%PDF-2.")
TOO_LARGE = f"1 to {LARGEST} bytes / 1〜{LARGEST}バイト(5MBまで)にしてください。"


def recognised(content: bytes) -> tuple[MediaType, bytes]:
    """Its type, and the file without metadata. Up to seconds of work. Raises NotAFile."""
    kind, kept = _without_metadata(content)
    if len(kept) > LARGEST:
        raise NotAFile(TOO_LARGE)
    return kind, kept


def _without_metadata(content: bytes) -> tuple[MediaType, bytes]:
    try:
        if content.startswith(pictures.JPEG):
            return "image/jpeg", pictures.jpeg(content)
        if content.startswith(pictures.PNG):
            return "image/png", pictures.png(content)
    except (IndexError, struct.error):
        raise NotAFile(BROKEN) from None
    if content.startswith(PDF):
        from . import pdf  # its library takes a while to load

        return "application/pdf", pdf.only_pages(content)
    raise NotAFile("neither JPEG, PNG nor PDF / JPEG・PNG・PDF のいずれでもありません。")
