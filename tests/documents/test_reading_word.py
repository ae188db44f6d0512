"""Word: headings by style, lists, tables, and what the library itself leaves out."""

import zipfile
from io import BytesIO

import docx
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls

from document_files import documents, troubles, write

W = nsdecls("w")


def saved(document, path):
    document.save(str(path))
    return path


def shown(path):
    (document,) = documents(path)
    return [(block.kind, block.level, block.text) for block in document.blocks]


def test_headings_lists_tables_and_quotes_are_kept(tmp_path):
    made = docx.Document()
    made.core_properties.title = "The terms"
    made.add_heading("Terms", 0)
    made.add_heading("Refunds", 1)
    made.add_paragraph("They take\tfive days.")
    for item in ("by card", "by transfer"):
        made.add_paragraph(item, style="List Bullet")
    made.add_paragraph("Said the boss.", style="Quote")
    table = made.add_table(rows=2, cols=2)
    for cell, text in zip(
        [cell for row in table.rows for cell in row.cells], ["plan", "price", "small", "5\n€"], strict=True
    ):
        cell.text = text
    made.add_heading("Details", 2)
    path = saved(made, tmp_path / "terms.docx")
    assert shown(path) == [
        ("heading", 1, "Terms"),
        ("heading", 2, "Refunds"),
        ("text", 0, "They take\tfive days."),
        ("text", 0, "- by card\n- by transfer"),
        ("quote", 0, "Said the boss."),
        ("table", 0, "plan | price\nsmall | 5 €"),
        ("heading", 3, "Details"),
    ]
    assert documents(path)[0].title == "The terms"


def test_tracked_changes_controls_and_text_boxes_are_read_as_they_look(tmp_path):
    made = docx.Document()
    paragraph = made.add_paragraph("Refunds take ")
    paragraph._p.append(parse_xml(f'<w:del {W} w:id="1"><w:r><w:delText>ten</w:delText></w:r></w:del>'))
    paragraph._p.append(parse_xml(f'<w:ins {W} w:id="2"><w:r><w:t>five days</w:t></w:r></w:ins>'))
    made.element.body.insert(
        1,
        parse_xml(
            f"<w:sdt {W}><w:sdtContent><w:p><w:r><w:t>In a control.</w:t></w:r></w:p></w:sdtContent></w:sdt>"
        ),
    )
    box = f"<w:r {W}><w:pict><w:txbxContent><w:p><w:r><w:t>In a box.</w:t></w:r></w:p></w:txbxContent></w:pict></w:r>"
    made.add_paragraph("Around it.")._p.append(parse_xml(box))
    assert [text for _, _, text in shown(saved(made, tmp_path / "tracked.docx"))] == [
        "Refunds take five days",
        "In a control.",
        "Around it.\nIn a box.",
    ]


def test_a_table_of_one_column_is_a_frame(tmp_path):
    made = docx.Document()
    cell = made.add_table(rows=1, cols=1).cell(0, 0)
    cell.text = "First paragraph."
    cell.add_paragraph("Second one.")
    assert [kind for kind, _, _ in shown(saved(made, tmp_path / "frame.docx"))] == ["text", "text"]


def test_an_old_word_file_is_named_whatever_it_is_called(tmp_path):
    old = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600)
    (called,) = troubles(write(tmp_path / "a.doc", old))
    assert called.message == ".doc files are not read"
    assert called.hint == "save it as .docx"
    (hidden,) = troubles(write(tmp_path / "b.docx", old))
    assert hidden.message == "not a .docx inside: an old Word file (.doc), or one with a password"


def test_a_broken_zip_and_a_zip_of_something_else_are_named(tmp_path):
    whole = saved(docx.Document(), tmp_path / "whole.docx").read_bytes()
    (cut,) = troubles(write(tmp_path / "cut.docx", whole[: len(whole) // 2]))
    assert "broken, or not all of it is there" in cut.message
    other = BytesIO()
    with zipfile.ZipFile(other, "w") as packed:
        packed.writestr("notes.txt", "no Word")
    (wrong,) = troubles(write(tmp_path / "wrong.docx", other.getvalue()))
    assert "not a Word file that can be read" in wrong.message


def test_a_zip_that_would_fill_the_memory_is_not_unpacked(tmp_path):
    bomb = tmp_path / "bomb.docx"
    with (
        zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as packed,
        packed.open("word/document.xml", "w") as part,
    ):
        for _ in range(120):
            part.write(bytes(1_000_000))
    assert bomb.stat().st_size < 1_000_000
    (trouble,) = troubles(bomb)
    assert trouble.message == "unpacked it is 120 MB, and Word files are read up to 100 MB"


def test_a_document_without_text_is_named(tmp_path):
    (trouble,) = troubles(saved(docx.Document(), tmp_path / "empty.docx"))
    assert trouble.message == "there is no text in it"
