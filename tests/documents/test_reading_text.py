"""Text, Markdown and reStructuredText: lines as places; how a file is written; what is no text."""

import itertools
import os
import stat

import pytest

from document_files import documents, troubles, write
from headgate.core.chunking import chunks
from headgate.documents import read


def places(document):
    return [(block.kind, block.level, block.line, block.last_line) for block in document.blocks]


def test_a_text_is_paragraphs_with_their_lines(tmp_path):
    (document,) = documents(write(tmp_path / "a.txt", "\nHello\nthere.\n\n\n  Second.  \n"))
    assert [(block.text, block.line, block.last_line) for block in document.blocks] == [
        ("Hello\nthere.", 2, 3),
        ("  Second.", 6, 6),
    ]
    assert document.source == str(tmp_path / "a.txt")


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        ("Grüße, Zoë".encode(), "utf-8"),
        (b"\xef\xbb\xbf" + "Grüße, Zoë".encode(), "utf-8-sig"),
        ("Grüße, Zoë".encode("utf-16"), "utf-16"),
        (b"\xfe\xff" + "Grüße, Zoë".encode("utf-16-be"), "utf-16"),
    ],
)
def test_a_text_is_read_as_it_is_written(tmp_path, data, encoding):
    path = write(tmp_path / "a.txt", data)
    (document,) = documents(path)
    assert (document.text, document.encoding) == ("Grüße, Zoë", encoding)
    assert troubles(path) == []


@pytest.mark.parametrize(
    ("data", "encoding", "name"),
    [
        ("Grüße – „Zoë“".encode("cp1252"), "cp1252", "Windows-1252"),
        ("Grüße\x81".encode("latin-1"), "latin-1", "Latin-1"),
        ("Grüße, Zoë".encode("utf-16-le"), "utf-16-le", "UTF-16-LE"),
    ],
)
def test_a_guess_is_called_one(tmp_path, data, encoding, name):
    path = write(tmp_path / "a.md", data)
    (document,) = documents(path)
    assert document.encoding == encoding
    assert document.text.startswith("Grüße")
    (trouble,) = troubles(path)
    assert trouble.message == f"not UTF-8: read as {name}, which is a guess"
    assert not trouble.refused


def test_a_few_wrong_bytes_do_not_make_a_text_something_else(tmp_path):
    path = write(tmp_path / "a.txt", "Grüße, Zoë, naïve\nand ".encode() + b"\xff!\n")
    (document,) = documents(path)
    assert document.text == "Grüße, Zoë, naïve\nand �!"
    (trouble,) = troubles(path)
    assert (trouble.message, trouble.line) == ("1 byte is not UTF-8 in a text that else is; shown as �", 2)


def test_a_wrong_byte_behind_the_first_megabyte_is_found_in_its_line(tmp_path):
    path = write(tmp_path / "a.txt", "ä line\n".encode() * 400_000 + b"\xff\n")
    (trouble,) = troubles(path)
    assert trouble.line == 400_001


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.csv", "a.jsonl", "a.html", "a.vtt", "a.rst", "README"])
def test_a_file_with_nul_bytes_is_refused_by_name(tmp_path, name):
    (trouble,) = troubles(write(tmp_path / name, b"fine\n\x00\x01\x02\x03 not"))
    assert (trouble.source, trouble.message, trouble.line) == (
        str(tmp_path / name),
        "not a text: it holds NUL bytes",
        2,
    )


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.pdf", "a.docx", "a.csv", "a.eml", "a.mbox", "a.vtt"])
def test_an_empty_file_is_named(tmp_path, name):
    (trouble,) = troubles(write(tmp_path / name, b""))
    assert trouble.message == "an empty file"


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.html", "a.csv", "a.jsonl", "a.srt", "a.rst"])
def test_a_file_without_a_word_is_named(tmp_path, name):
    (trouble,) = troubles(write(tmp_path / name, b"\n \n\n"))
    assert trouble.message == "there is no text in it"


def test_a_file_that_is_not_there_or_not_ours_is_named(tmp_path):
    (missing,) = troubles(tmp_path / "missing.txt")
    assert missing.message == "cannot be read: No such file or directory"
    os.mkfifo(tmp_path / "pipe.txt")
    (pipe,) = troubles(tmp_path / "pipe.txt")
    assert "a pipe" in pipe.message
    (folder,) = troubles(tmp_path)
    assert folder.message == "a folder, not a file"


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(tmp_path):
    path = write(tmp_path / "a.txt", "secret")
    path.chmod(stat.S_IWUSR)
    assert troubles(path)[0].message == "cannot be read: Permission denied"


def test_a_kind_that_is_not_read_says_what_helps(tmp_path):
    (sheet,) = troubles(write(tmp_path / "a.xlsx", b"PK"))
    assert (sheet.message, sheet.hint) == (".xlsx files are not read", "save each sheet as .csv")
    (other,) = troubles(write(tmp_path / "a.xyz", b"?"))
    assert ".txt" in other.hint
    assert ".pdf" in other.hint


def test_a_large_text_comes_in_parts_and_a_small_one_does_not(tmp_path):
    path = write(tmp_path / "a.log", "a line of a log without empty lines\n" * 300_000)
    found = documents(path)
    assert [document.source for document in found] == [f"{path}#{number}" for number in (1, 2, 3)]
    assert sum(document.text.count("a line of") for document in found) == 300_000
    lines = [(block.line, block.last_line) for document in found for block in document.blocks]
    assert lines[0][0] == 1
    assert lines[-1][1] == 300_000
    assert all(before[1] + 1 == after[0] for before, after in itertools.pairwise(lines))


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.csv"])
def test_a_line_that_never_ends_is_no_text(tmp_path, name):
    (trouble,) = [
        found
        for found in troubles(write(tmp_path / name, "first,line\n" + "x" * 20_000_000))
        if "million" in found.message
    ]
    assert trouble.line == 2


def test_markdown_keeps_tables_and_fences_whole_and_knows_headings(tmp_path):
    text = (
        '---\ntitle: "The terms"\ntags: [a]\n---\n# Terms #\n\nSome *words*\non two lines.\n\nRefunds\n-------\n'
        "| plan | price |\n|---|---|\n| small | 5 |\n\n```py\nx = 1\n\n# no heading\n```\n\n> said\n> the boss\n\n- one\n\n  more\n- two\n\n[l]: http://x\n"
    )
    (document,) = documents(write(tmp_path / "a.md", text))
    assert document.title == "The terms"
    assert document.fields == {"title": "The terms", "tags": "[a]"}
    assert places(document) == [
        ("heading", 1, 5, 5),
        ("text", 0, 7, 8),
        ("heading", 2, 10, 11),
        ("table", 0, 12, 14),
        ("code", 0, 16, 20),
        ("quote", 0, 22, 23),
        ("text", 0, 25, 28),
        ("text", 0, 30, 30),
    ]
    lines = text.split("\n")
    for block in document.blocks:
        if block.kind != "heading":
            assert block.text == "\n".join(lines[block.line - 1 : block.last_line])
    assert [block.text for block in document.blocks if block.kind == "heading"] == ["Terms", "Refunds"]


def test_a_chunk_of_a_file_points_to_its_lines(tmp_path):
    text = "# Terms\n\n" + "\n".join(f"Sentence {number} stands here." for number in range(100)) + "\n"
    (document,) = documents(write(tmp_path / "a.md", text))
    lines = text.split("\n")
    for chunk in chunks(document.blocks, 60):
        assert "\n".join(lines[chunk.line - 1 : chunk.last_line]).removeprefix("# ") == chunk.text


RST = """\
=====
Terms
=====

Some words::

    code = 1

    more

Refunds
-------
.. code-block:: python

   x = 1

.. note:: Mind this.

===== =====
plan  price
===== =====
small 5
===== =====

+---+---+
| a | b |
+---+---+

Deeper
~~~~~~
>>> 1 + 1
2

----

Prices
------
End.
"""


def test_rst_knows_headings_by_their_underlines(tmp_path):
    (document,) = documents(write(tmp_path / "a.rst", RST))
    assert [(block.level, block.text) for block in document.blocks if block.kind == "heading"] == [
        (1, "Terms"),
        (2, "Refunds"),
        (3, "Deeper"),
        (2, "Prices"),
    ]
    assert [block.kind for block in document.blocks if block.kind != "heading"] == [
        "text",
        "code",
        "code",
        "text",
        "table",
        "table",
        "code",
        "text",
    ]
    lines = RST.split("\n")
    for block in document.blocks:
        if block.kind != "heading":
            assert block.text == "\n".join(lines[block.line - 1 : block.last_line])
    assert document.title == "Terms"


def test_the_source_of_a_documentation_is_read_as_what_it_is(tmp_path):
    (document,) = documents(write(tmp_path / "os.rst.txt", "Title\n=====\n\nWords.\n"))
    assert document.blocks[0].kind == "heading"


def test_a_file_over_the_limit_is_refused_with_both_sizes(tmp_path):
    path = tmp_path / "a.md"
    with path.open("wb") as file:
        file.truncate(200_000_000)
    (trouble,) = troubles(path)
    assert trouble.message == "200 MB; .md files are read up to 10 MB"
    small = write(tmp_path / "b.pdf", b"x" * 2_000_000)
    (trouble,) = read(small, limit_mb=1)
    assert trouble.message == "2 MB; .pdf files are read up to 1 MB"


def test_what_a_missing_package_costs_is_said_with_what_installs_it(tmp_path, monkeypatch):
    import builtins
    import sys

    real = builtins.__import__

    def without(name, *given, **named):
        if name.partition(".")[0] in {"pypdf", "docx"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *given, **named)

    monkeypatch.delitem(sys.modules, "headgate.documents.pdf", raising=False)
    monkeypatch.delitem(sys.modules, "headgate.documents.word", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    for name, package in {"a.pdf": "pypdf", "a.docx": "docx"}.items():
        (trouble,) = troubles(write(tmp_path / name, b"x"))
        assert trouble.hint == 'pip install "headgate[documents]"'
        assert package in trouble.message
