"""A PDF is kept as its pages show it: of what it tells besides nothing is left, and what cannot be had so
is refused with a sentence in both languages.
"""

import io
import subprocess
import sys
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader, PdfWriter
from pypdf.generic import StreamObject

from services.intake.domain.files import NotAFile, recognised
from tests.unit.test_files import SECRET, exif, jpeg

SHOWN = "BT /F1 12 Tf 20 100 Td (同意書) Tj ET".encode()
LOOK = b"0 0 1 rg 0 0 20 20 re f"
TOLD = SECRET.decode()


def stream(data: bytes, entries: str = "") -> bytes:
    return f"<< /Length {len(data)} {entries} >>\nstream\n".encode() + data + b"\nendstream"


def written(objects: list[bytes | str], trailer: str = "", version: str = "1.7") -> bytes:
    """Object n of the list is `n 0 R`, from 1; the first is the catalog."""
    made, places = f"%PDF-{version}\n".encode(), []
    for number, body in enumerate(objects, 1):
        places.append(len(made))
        raw = body.encode() if isinstance(body, str) else body
        made += f"{number} 0 obj\n".encode() + raw + b"\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    size = len(objects) + 1
    end = f"trailer << /Size {size} /Root 1 0 R {trailer} >>\nstartxref\n{len(made)}\n%%EOF\n"
    return made + f"xref\n0 {size}\n0000000000 65535 f \n{table}".encode() + end.encode()


PAGES = "<< /Type /Pages /Kids [3 0 R] /Count 1 /MediaBox [0 0 200 200] >>"
SCRIPT = f"<< /S /JavaScript /JS (app.alert\\('{TOLD}'\\)) >>"


def pdf(
    page: str = "", catalog: str = "", *more: bytes | str, trailer: str = "", shown: bytes = SHOWN
) -> bytes:
    """One page; `more` are objects from 5 on."""
    return written(
        [
            f"<< /Type /Catalog /Pages 2 0 R {catalog} >>",
            PAGES,
            f"<< /Type /Page /Parent 2 0 R /Contents 4 0 R {page} >>",
            stream(shown),
            *more,
        ],
        trailer,
    )


def telling() -> bytes:
    """Tells SECRET in every place that we know of."""
    photograph = jpeg(exif(6), between=b"\xff\xfe\x00\x10" + SECRET)
    size = "/Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray"
    size += " /BitsPerComponent 8 /Metadata 6 0 R"
    packed = zlib.compress(photograph)
    return pdf(
        f"/Metadata 6 0 R /PieceInfo << /Illustrator << /Private ({TOLD}) >> >> /LastModified ({TOLD})"
        f" /AA << /O {SCRIPT} >> /B [<< /T << /I << /Author ({TOLD}) >> >> >>] /Tabs /S /{TOLD[:3]} 1"
        " /Resources << /XObject << /Im1 7 0 R /Im2 8 0 R >> >>"
        " /Annots [9 0 R 10 0 R 11 0 R 12 0 R 14 0 R]",
        f"/Metadata 6 0 R /OpenAction {SCRIPT} /Names << /JavaScript << /Names [(a) {SCRIPT}] >>"
        " /EmbeddedFiles << /Names [(a) 15 0 R] >> >> /AF [15 0 R] /AcroForm << /Fields [12 0 R] >>"
        f" /Outlines << /First << /Title ({TOLD}) >> >> /Lang (ja) /PieceInfo << /A ({TOLD}) >>",
        f"<< /Author ({TOLD}) /Producer ({TOLD}) /CreationDate (D:20260401) >>",
        stream(f"<x:xmpmeta>{TOLD}</x:xmpmeta>".encode(), "/Type /Metadata /Subtype /XML"),
        stream(photograph, f"{size} /Filter /DCTDecode"),
        stream(packed, f"{size} /Filter [/FlateDecode /DCTDecode] /DecodeParms [null null]"),
        f"<< /Type /Annot /Subtype /Link /Rect [0 0 9 9] /A << /S /URI /URI ({TOLD}) >> >>",
        f"<< /Type /Annot /Subtype /Text /Rect [0 0 9 9] /Contents ({TOLD}) /T ({TOLD}) >>",
        f"<< /Type /Annot /Subtype /FileAttachment /Rect [0 0 9 9] /FS 15 0 R /T ({TOLD}) >>",
        f"<< /Type /Annot /Subtype /Widget /FT /Tx /T ({TOLD}) /V (x) /Rect [0 0 9 9] /P 3 0 R"
        f" /M ({TOLD}) /AP << /N 13 0 R >> /AA << /K {SCRIPT} >> >>",
        stream(LOOK, "/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Metadata 6 0 R"),
        f"<< /Type /Annot /Subtype /FreeText /F 2 /Rect [0 0 9 9] /Contents ({TOLD}) >>",
        f"<< /Type /Filespec /F ({TOLD}) /EF << /F 16 0 R >> >>",
        stream(SECRET, "/Type /EmbeddedFile"),
        trailer=f"/Info 5 0 R /ID [({TOLD}) ({TOLD})]",
    )  # fmt: skip


def contents(file: bytes) -> Iterator[bytes]:
    """The file, and each stream in it, unpacked."""
    yield file
    reader = PdfReader(io.BytesIO(file))
    for number in range(1, int(reader.trailer["/Size"])):  # type: ignore[call-overload]
        found = reader.get_object(number)
        if isinstance(found, StreamObject):
            yield found.get_data()


def test_nothing_is_left_of_what_it_tells_besides_its_pages() -> None:
    told = telling()
    assert sum(SECRET in part for part in contents(told)) >= 5
    kind, kept = recognised(told)
    assert kind == "application/pdf"
    assert not [part for part in contents(kept) if SECRET in part]
    for name in (
        b"/Info",
        b"/ID",
        b"/JS",
        b"/Metadata",
        b"/EmbeddedFile",
        b"/URI",
        b"pypdf",
    ):
        assert name not in kept


def test_what_its_pages_show_is_all_there() -> None:
    reader = PdfReader(io.BytesIO(recognised(telling())[1]))
    (page,) = reader.pages
    assert page["/Contents"].get_data() == SHOWN  # type: ignore[attr-defined]
    assert [float(side) for side in page.mediabox] == [0, 0, 200, 200]
    pictures = page["/Resources"]["/XObject"]  # type: ignore[index]
    assert [pictures[name].get_object()._data for name in ("/Im1", "/Im2")] == [
        recognised(jpeg(exif(6)))[1]
    ] * 2
    (stamp,) = page["/Annots"]  # type: ignore[attr-defined]
    assert stamp["/AP"]["/N"].get_data() == LOOK
    assert set(stamp) == {"/Type", "/Subtype", "/Rect", "/F", "/AP"}


def test_it_is_the_same_when_it_comes_again() -> None:
    kept = recognised(telling())[1]
    assert recognised(kept)[1] == kept


def test_a_layer_that_is_switched_off_stays_so() -> None:
    layers = "/OCProperties << /OCGs [5 0 R] /D << /OFF [5 0 R] /Creator (x) >> >>"
    told = pdf(
        "/Resources << /Properties << /L 5 0 R >> >>", layers, "<< /Type /OCG /Name (下書き) >>"
    )
    reader = PdfReader(io.BytesIO(recognised(told)[1]))
    config = reader.root_object["/OCProperties"]["/D"]  # type: ignore[index]
    layer = reader.pages[0]["/Resources"]["/Properties"].raw_get("/L")  # type: ignore[index]
    assert config["/OFF"] == [layer]
    assert "/Creator" not in config


def locked(password: str) -> bytes:
    writer, made = PdfWriter(io.BytesIO(pdf())), io.BytesIO()
    writer.encrypt(password, "owner", algorithm="AES-256")
    writer.write(made)
    return made.getvalue()


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (lambda: locked("secret"), "暗号化"),
        (lambda: locked(""), "暗号化"),
        (lambda: pdf()[:-60] + b"%%EOF", "壊れて"),
        (lambda: pdf()[:200], "壊れて"),
        (lambda: "%PDF-1.7\n同意書\n%%EOF\n".encode(), "壊れて"),
        (lambda: pdf("/Resources << /XObject << /Im1 99 0 R >> >>"), "壊れて"),
        (lambda: pdf().replace(b"/Kids [3 0 R]", b"/Kids [2 0 R]"), "壊れて"),
        (lambda: pdf("/Resources << /P " + "[" * 9999 + "]" * 9999 + " >>"), "壊れて"),
        (lambda: pdf("/Resources << /P [" + " 5 0 R" * 9 + "] >>", "", "<< /X (>>"), "壊れて"),
        (lambda: pdf().replace(b"/Kids [3 0 R] /Count 1", b"/Kids [     ] /Count 0"), "壊れて"),
        (lambda: pdf("", "", stream(b"", "/F (x)")).replace(b"4 0 R ", b"5 0 R "), "壊れて"),
        (
            lambda: pdf("/Annots [<< /Subtype /Widget /FT /Tx /V (x) /Rect [0 0 9 9] >>]"),
            "描かれていません",
        ),
        (
            lambda: pdf("", "/NeedsRendering true /AcroForm << /XFA (x) >>"),
            "描かれていません",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_kept_so_is_refused_in_both_languages(
    wrong: object, why: str | None
) -> None:
    with pytest.raises(NotAFile) as refused:
        recognised(wrong())  # type: ignore[operator]
    english, japanese = str(refused.value).split(" / ")
    assert english.isascii()
    assert why in japanese


def test_an_empty_field_and_a_box_that_is_not_ticked_refuse_nothing() -> None:
    box = "<< /Subtype /Widget /FT /Btn /Rect [0 0 9 9] /AS /Off /AP << /N << /Yes 4 0 R >> >> >>"
    empty = "<< /Subtype /Widget /FT /Tx /Rect [0 0 9 9] >>"
    kept = recognised(pdf(f"/Annots [{box} {empty}]"))[1]
    assert b"/Widget" not in kept


def test_a_wrong_table_of_places_refuses_nothing() -> None:
    told = pdf()
    wrong = told.replace(b"startxref\n", b"startxref\n1").replace(b"0000000", b"0000007")
    assert SHOWN in recognised(wrong)[1]


def test_a_file_of_very_many_parts_is_refused() -> None:
    parts = "".join(f" {n} 0 R" for n in range(5, 20_100))
    told = pdf(f"/Resources << /P [{parts}] >>", "", *["<< >>"] * 20_095)
    with pytest.raises(NotAFile, match="複雑すぎ"):
        recognised(told)


def test_a_small_file_that_grows_without_end_is_refused() -> None:
    packed = zlib.compress(bytes(60_000_000), 9)
    with pytest.raises(NotAFile):
        recognised(pdf("/Resources << /XObject << /Im 5 0 R >> >>", "", stream(
            packed, "/Subtype /Image /Filter [/FlateDecode /DCTDecode]"
        )))  # fmt: skip


@given(st.binary(max_size=60), st.data())
def test_whatever_comes_is_taken_or_refused_and_never_told_more_of(
    noise: bytes, data: st.DataObject
) -> None:
    file = telling()
    at = data.draw(st.integers(9, len(file)))
    try:
        _, kept = recognised(file[:at] + noise + file[at + len(noise) :])
    except NotAFile:
        return
    assert recognised(kept)[1] == kept


def test_the_library_is_loaded_when_the_first_pdf_comes() -> None:
    said = "import services.intake.api, sys; print('pypdf' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "False"
