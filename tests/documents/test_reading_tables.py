"""CSV, TSV and JSON Lines: a document a row; what does not fit is named with its line, and the rest goes on."""

import csv
import tracemalloc

from document_files import documents, troubles, write
from headgate.documents import Document, read


def test_each_row_is_a_document_with_its_columns_by_name(tmp_path):
    path = write(tmp_path / "mails.csv", 'subject,body\nRefund,"Where is\nmy money?"\nHi,\n')
    first, second = documents(path)
    assert (first.source, first.fields) == (f"{path}#1", {"subject": "Refund", "body": "Where is\nmy money?"})
    assert (first.blocks[0].line, first.blocks[0].last_line) == (2, 3)
    assert first.text == "subject: Refund\nbody: Where is\nmy money?"
    assert (second.source, second.text) == (f"{path}#2", "subject: Hi")
    assert troubles(path) == []


def test_ragged_rows_are_named_with_their_line_and_the_rest_goes_on(tmp_path):
    path = write(tmp_path / "a.csv", "a,b\n1,2\n3\n4,5,6\n\n7,8\n")
    assert [document.source for document in documents(path)] == [f"{path}#1", f"{path}#4"]
    assert [(trouble.line, trouble.message) for trouble in troubles(path)] == [
        (3, "a row of 1 field, and the header has 2; left out"),
        (4, "a row of 3 fields, and the header has 2; left out"),
    ]


def test_a_quote_that_is_never_closed_costs_its_own_line_only(tmp_path):
    path = write(tmp_path / "a.csv", 'a,b\n1,"open\n2,two\n3,"three"\n4,four\n')
    assert [(document.fields["a"], document.blocks[0].line) for document in documents(path)] == [
        ("2", 3),
        ("3", 4),
        ("4", 5),
    ]
    (trouble,) = troubles(path)
    assert trouble.line == 2
    assert "quotes do not fit" in trouble.message


def test_a_quote_that_is_open_at_the_end_costs_its_own_line_only(tmp_path):
    path = write(tmp_path / "a.csv", 'a,b\n1,"open\n2,two\n')
    assert [document.fields["a"] for document in documents(path)] == ["2"]
    assert [trouble.line for trouble in troubles(path)] == [2]


def test_the_sign_between_columns_is_found(tmp_path):
    for name, text in {
        "a.csv": "a;b, or c;d\n1;2;3\n",
        "b.csv": "a|b|d\n1|2|3\n",
        "c.tsv": "a\tb, c\td\n1\t2\t3\n",
    }.items():
        (document,) = documents(write(tmp_path / name, text))
        assert list(document.fields.values()) == ["1", "2", "3"]


def test_columns_without_a_name_or_with_the_same_get_one(tmp_path):
    (document,) = documents(write(tmp_path / "a.csv", "x,,x,x (2)\n1,2,3,4\n"))
    assert document.fields == {"x": "1", "column 2": "2", "x (2)": "3", "x (2) (2)": "4"}


def test_a_table_of_an_old_program_is_read(tmp_path):
    path = write(tmp_path / "a.csv", "Name;Straße\r\nZoë;Größe\r\n".encode("cp1252"))
    (document,) = documents(path)
    assert document.fields == {"Name": "Zoë", "Straße": "Größe"}
    assert "Windows-1252" in troubles(path)[0].message
    (unicode,) = documents(write(tmp_path / "b.csv", "Name\tOrt\r\nZoë\tKöln\r\n".encode("utf-16")))
    assert unicode.fields == {"Name": "Zoë", "Ort": "Köln"}


def test_a_long_field_is_no_error(tmp_path):
    (document,) = documents(write(tmp_path / "a.csv", f"a,b\n1,{'x' * 500_000}\n"))
    assert len(document.fields["b"]) == 500_000


def test_a_table_of_200_mb_is_read_row_by_row(tmp_path):
    path = tmp_path / "big.csv"
    row = b'"a mail of ten thousand letters",' + b"x" * 100_000 + b"\n"
    with path.open("wb") as file:
        file.write(b"subject,body\n")
        for _ in range(2000):
            file.write(row)
    assert path.stat().st_size > 200_000_000
    tracemalloc.start()
    try:
        assert sum(isinstance(found, Document) for found in read(path)) == 2000
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 20_000_000


def test_json_lines_are_objects_or_texts(tmp_path):
    path = write(
        tmp_path / "a.jsonl", '{"id": 7, "body": "Hi", "tags": ["x"], "none": null}\n\n"just text"\n'
    )
    first, second = documents(path)
    assert first.fields == {"id": "7", "body": "Hi", "tags": '["x"]', "none": ""}
    assert first.text == 'id: 7\nbody: Hi\ntags: ["x"]'
    assert (second.source, second.text, second.blocks[0].line) == (f"{path}#2", "just text", 3)


def test_lines_that_are_not_json_are_named_and_the_rest_goes_on(tmp_path):
    path = write(tmp_path / "a.jsonl", '{"a": 1}\n{"a": \n[1]\n{}\n{"a": 2}\n')
    assert [document.source for document in documents(path)] == [f"{path}#1", f"{path}#5"]
    found = troubles(path)
    assert [trouble.line for trouble in found] == [2, 3, 4]
    assert "not JSON" in found[0].message
    assert "neither a JSON object nor a string" in found[1].message


def test_what_python_writes_is_what_is_read(tmp_path):
    rows = [["a", "b"], ['say "hi"', "x,y"], ["two\nlines", "'"], ["", "z"]]
    with (tmp_path / "a.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    assert [list(document.fields.values()) for document in documents(tmp_path / "a.csv")] == rows[1:]
