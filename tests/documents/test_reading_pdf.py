"""PDFs: pages as places, and what cannot be read is named."""

import subprocess
import sys

from document_files import as_bytes, documents, pdf, troubles, write


def test_each_page_is_a_place(tmp_path):
    path = write(
        tmp_path / "terms.pdf", as_bytes(pdf("Refunds take five days.\nAsk support.", "Prices rise in May."))
    )
    (document,) = documents(path)
    assert [(block.page, block.text) for block in document.blocks] == [
        (1, "Refunds take five days.\nAsk support."),
        (2, "Prices rise in May."),
    ]
    assert troubles(path) == []


def test_the_outline_names_the_headings(tmp_path):
    made = pdf(
        "Terms\nAll is well.",
        "intro\nHow long  it takes\nFive days.",
        outline={"Terms": 1, "How long it takes": 2, "Not there": 2},
    )
    (document,) = documents(write(tmp_path / "terms.pdf", as_bytes(made)))
    assert [(block.kind, block.text) for block in document.blocks] == [
        ("heading", "Terms"),
        ("text", "All is well."),
        ("text", "intro"),
        ("heading", "How long it takes"),
        ("text", "Five days."),
    ]


def test_a_scanned_pdf_is_named_as_such(tmp_path):
    (trouble,) = troubles(write(tmp_path / "scan.pdf", as_bytes(pdf(None, None, None))))
    assert trouble.message == "a scanned PDF: its 3 pages hold pictures and no text"
    assert "OCR" in trouble.hint
    assert trouble.refused


def test_single_scanned_pages_are_named_and_the_others_read(tmp_path):
    path = write(tmp_path / "mixed.pdf", as_bytes(pdf("One.", None, "Three.", None)))
    (document,) = documents(path)
    assert [block.page for block in document.blocks] == [1, 3]
    (trouble,) = troubles(path)
    assert trouble.message == "pages 2 and 4 hold pictures and no text; the rest is read"
    assert not trouble.refused


def test_a_pdf_with_a_password_is_named(tmp_path):
    for algorithm in ("RC4-128", "AES-256"):
        made = pdf("Secret.")
        made.encrypt("word", algorithm=algorithm)
        (trouble,) = troubles(write(tmp_path / f"{algorithm}.pdf", as_bytes(made)))
        assert trouble.message == "encrypted: it opens with a password only"
        assert "password" in trouble.hint


def test_a_pdf_that_only_forbids_printing_opens(tmp_path):
    made = pdf("Not to be printed.")
    made.encrypt("", "owner", algorithm="AES-256")
    (document,) = documents(write(tmp_path / "locked.pdf", as_bytes(made)))
    assert document.text == "Not to be printed."


def test_a_pdf_whose_table_of_objects_is_broken_is_read_all_the_same(tmp_path):
    data = as_bytes(pdf("Still here."))
    at = data.rindex(b"startxref")
    path = write(tmp_path / "broken.pdf", data[:at] + b"startxref\n999999\n%%EOF\n")
    program = f"from headgate.documents import read; print([found.text for found in read({str(path)!r})])"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "['Still here.']\n"
    assert done.stderr == ""


def test_what_is_no_pdf_is_named(tmp_path):
    for name, data in {
        "cut.pdf": as_bytes(pdf("Here."))[:200],
        "html.pdf": b"<html>Not found</html>",
    }.items():
        (trouble,) = troubles(write(tmp_path / name, data))
        assert "not a PDF that can be read" in trouble.message
        assert trouble.source.endswith(name)


def test_an_empty_page_is_no_scan(tmp_path):
    (trouble,) = troubles(write(tmp_path / "blank.pdf", as_bytes(pdf(""))))
    assert trouble.message == "there is no text in it"
