"""A PDF as its pages show it, and nothing that it tells besides. Pure.

Made anew from what its pages draw: who wrote it when and with what, XMP, notes, links, scripts, files
within it, thumbnails, bookmarks and form fields do not come along; what a stamp or a filled-in field
shows stays as a picture of it. Photographs within it lose what a photograph loses. What lies under
something on a page stays (text below a black bar), and hidden layers. A signature in it is no longer one.
"""

import io
import logging
from typing import Any

from pypdf import PageObject, PdfReader, PdfWriter, apply_configuration
from pypdf.filters import decode_stream_data
from pypdf.generic import (
    ArrayObject,
    DictionaryObject,
    IndirectObject,
    NameObject,
    NullObject,
    NumberObject,
    PdfObject,
    StreamObject,
)

from . import pictures
from .pictures import BROKEN, NotAFile

logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # its warnings quote the file

LOCKED = (
    "the PDF is encrypted; save it without a password / "
    "PDF が暗号化されています。パスワードや制限のない形で保存し直してください。"
)
NOT_DRAWN = (
    "the PDF holds entries that are not drawn on its pages; print it to a PDF / "
    "PDF の入力欄や注釈がページに描かれていません。「PDFに印刷」で保存し直してください。"
)
TOO_MUCH = (
    "the PDF has too many parts; print it to a PDF / "
    "PDF の構造が複雑すぎます。「PDFに印刷」で保存し直してください。"
)
MOST_PARTS, MOST_BYTES = 20_000, 30_000_000
LIMITS: dict[str, Any] = {
    "zlib_maximum_output_length": MOST_BYTES,
    "lzw_maximum_output_length": MOST_BYTES,
    "run_length_maximum_output_length": MOST_BYTES,
    "stream_decoding_work_maximum_length": 2 * MOST_BYTES,
    "page_tree_maximum_entries": MOST_PARTS,
}
OF_PAGE = {
    "/Type", "/Parent", "/Resources", "/Contents", "/Annots", "/Rotate", "/UserUnit", "/Group",
    "/MediaBox", "/CropBox", "/BleedBox", "/TrimBox", "/ArtBox",
}  # fmt: skip
NOWHERE = {
    "/Metadata", "/PieceInfo", "/LastModified", "/OpenAction", "/JavaScript", "/EmbeddedFiles",
    "/CreatorInfo", "/Creator", "/StructParent", "/StructParents", "/PtData",
}  # fmt: skip
NOT_OF_STREAM = {"/AF", "/OPI", "/Ref", "/Alternates", "/Measure", "/LastModified", "/Name"}
ELSEWHERE = {
    "/Page", "/Pages", "/Catalog", "/Filespec", "/F", "/EmbeddedFile", "/Metadata", "/Action",
    "/StructTreeRoot", "/StructElem", "/Thread", "/Bead", "/Outlines", "/Sig",
}  # fmt: skip
"""Types of what no page draws."""
NOT_SEEN = {
    "/Link", "/Popup", "/Text", "/FileAttachment", "/Sound", "/Movie", "/Screen", "/3D", "/RichMedia",
    "/TrapNet",
}  # fmt: skip
"""Annotations that are no part of the sheet of paper."""
HIDDEN, READ_ONLY = 2, 64
STRIPS = {"/DCTDecode": pictures.jpeg, "/DCT": pictures.jpeg, "/JPXDecode": pictures.jpeg_2000}


def only_pages(content: bytes) -> bytes:
    """The same pages in a new file. Raises NotAFile."""
    if b"%%EOF" not in content[-1024:]:
        raise NotAFile(BROKEN)
    try:
        with apply_configuration(**LIMITS):
            reader = PdfReader(io.BytesIO(content))
            reader.strict = True  # a wrong table of places is mended; no part is left out silently
            return _made_anew(reader)
    except NotAFile:
        raise
    except Exception:  # a broken file may raise anything
        raise NotAFile(BROKEN) from None


def _made_anew(reader: PdfReader) -> bytes:
    if reader.is_encrypted:
        raise NotAFile(LOCKED)
    pages, root = list(reader.pages), reader.root_object
    if not pages or (_at(_at(root, "/AcroForm"), "/XFA") and _at(root, "/NeedsRendering")):
        raise NotAFile(NOT_DRAWN if pages else BROKEN)
    for page in pages:
        for key in set(page) - OF_PAGE:
            del page[key]
        page[NameObject("/Annots")] = _stamps(page)
    layers = _at(root, "/OCProperties")
    _cut([page.raw_get(key) for page in pages for key in page if key != "/Parent"] + [layers])
    writer, made = PdfWriter(), io.BytesIO()
    for page in pages:
        writer.add_page(page)
    if layers:
        writer.root_object[NameObject("/OCProperties")] = layers.clone(writer)
    writer.metadata = None
    writer.write(made)
    return made.getvalue()


def _at(holder: Any, key: str, otherwise: Any = None) -> Any:
    """What stands there itself, where it is only referred to."""
    return holder[key] if holder and key in holder else otherwise


def _stamps(page: PageObject) -> ArrayObject:
    looks = [_stamp(one.get_object()) for one in _at(page, "/Annots") or ()]
    return ArrayObject(stamp for stamp in looks if stamp)


def _stamp(annotation: Any) -> DictionaryObject | None:
    """What it looks like. None: it is not seen."""
    flags, kind = int(_at(annotation, "/F", 0)), annotation["/Subtype"]
    if kind in NOT_SEEN or flags & HIDDEN:
        return None
    looks = _at(annotation, "/AP")
    if isinstance(_at(looks, "/N"), StreamObject):
        look = looks.raw_get("/N")
    elif states := _at(looks, "/N"):
        state = _at(annotation, "/AS", "/Off")
        if state not in states:
            return None  # a box that is not ticked
        look = states.raw_get(state)
    elif kind == "/Widget" and not _entry(annotation):
        return None
    else:
        raise NotAFile(NOT_DRAWN)
    stamp = {
        "/Type": NameObject("/Annot"),
        "/Subtype": NameObject("/Stamp"),
        "/Rect": annotation["/Rect"],
        "/F": NumberObject(flags | READ_ONLY),
        "/AP": DictionaryObject({NameObject("/N"): look}),
        **({"/OC": annotation.raw_get("/OC")} if "/OC" in annotation else {}),
    }
    return DictionaryObject({NameObject(key): value for key, value in stamp.items()})


def _entry(field: Any) -> Any:
    """What was filled in; a field's is its parent's."""
    for _ in range(100):
        if "/V" in field:
            return field["/V"] not in ("", "/Off")
        if "/Parent" not in field:
            return None
        field = field["/Parent"]
    raise NotAFile(BROKEN)


def _cut(roots: list[PdfObject | None]) -> None:
    """All that leads from there to what no page draws."""
    seen: set[int] = set()
    waiting: list[Any] = [ArrayObject(root for root in roots if root is not None)]
    while waiting:
        holder = waiting.pop()
        for key, raw in _parts(holder):
            value = raw.get_object()
            if value is None or (value is not raw and isinstance(value, NullObject)):
                raise NotAFile(BROKEN)  # a part is missing
            if isinstance(value, DictionaryObject) and _leads_away(value):
                holder[key] = NullObject()
            elif isinstance(value, DictionaryObject | ArrayObject):
                if not isinstance(raw, IndirectObject):
                    waiting.append(value)
                elif raw.idnum not in seen:
                    seen.add(raw.idnum)
                    waiting.append(value)
        if len(seen) > MOST_PARTS:
            raise NotAFile(TOO_MUCH)


def _parts(holder: Any) -> list[tuple[Any, Any]]:
    if isinstance(holder, ArrayObject):
        return list(enumerate(holder))
    untold = set(holder) & NOWHERE
    if isinstance(holder, StreamObject):
        if "/F" in holder:
            raise NotAFile(BROKEN)  # its content is in another file
        untold |= set(holder) & NOT_OF_STREAM
        _without_its_own(holder)
    for key in untold:
        del holder[key]
    return [(key, holder.raw_get(key)) for key in holder]


def _leads_away(value: DictionaryObject) -> bool:
    if "/EF" in value:
        return True
    kind = _at(value, "/Type")
    return kind in ELSEWHERE or (kind == "/Annot" and _at(value, "/Subtype") != "/Stamp")


def _without_its_own(stream: StreamObject) -> None:
    """A photograph loses what it tells of itself."""
    named = _at(stream, "/Filter")
    filters = list(named) if isinstance(named, ArrayObject) else [named]
    strip = STRIPS.get(filters[-1]) if filters else None
    if strip is None:
        return
    if len(filters) > 1:
        told = _at(stream, "/DecodeParms")
        stream._data = decode_stream_data(stream)  # all but the last, which it leaves as it is
        stream[NameObject("/Filter")] = filters[-1]
        if isinstance(told, ArrayObject):
            stream[NameObject("/DecodeParms")] = told[-1]
    stream._data = strip(stream._data)
