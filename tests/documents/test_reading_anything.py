"""Whatever the bytes are, reading gives documents or trouble and never raises."""

import docx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from document_files import as_bytes, mail, pdf
from headgate.documents import Document, read
from headgate.documents.reading import FORMATS

PIECES = st.lists(
    st.one_of(
        st.binary(max_size=12),
        st.sampled_from(
            [
                b"\n",
                b'"',
                b",",
                b"<table><td>",
                b"</table>",
                b"<pre>",
                b"<nav>",
                b"&#xd800;",
                b"-->",
                b"::\n\n  x",
                b"---\n",
            ]
        ),
        st.sampled_from(
            [
                b"Subject: x\n",
                b"Content-Type: multipart/mixed; boundary=b\n",
                b"--b\n",
                b"=?utf-8?q?=ff?=",
                b"charset=x",
            ]
        ),
        st.sampled_from(
            [
                b"00:01.000 --> 00:02.000\n",
                b"<v Ann>",
                b"From a Mon 2026\n",
                b"{",
                b'{"a": "\\ud800"}',
                b"\xff\xfe",
                b"===\n",
            ]
        ),
    ),
    max_size=25,
).map(b"".join)


def sound(path):
    found = list(read(path))
    assert found
    for item in found:
        assert item.source.startswith(str(path))
        if isinstance(item, Document):
            item.text.encode()
            assert all(block.text.strip() for block in item.blocks)
            assert all(block.line is None or 1 <= block.line <= block.last_line for block in item.blocks)
        else:
            item.message.encode()


@pytest.mark.parametrize("ending", sorted(FORMATS))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=PIECES)
def test_no_bytes_make_reading_raise(tmp_path, ending, data):
    path = tmp_path / f"a{ending}"
    path.write_bytes(data)
    sound(path)


@pytest.mark.parametrize("ending", [".pdf", ".docx", ".eml"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1), cut=st.integers(0, 40), patch=st.binary(max_size=4))
def test_no_damage_makes_reading_raise(tmp_path, ending, place, cut, patch):
    whole = tmp_path / f"whole{ending}"
    if not whole.exists():
        if ending == ".docx":
            made = docx.Document()
            made.add_heading("Terms", 1)
            made.add_table(2, 2).cell(0, 0).text = "plan"
            made.save(str(whole))
        else:
            whole.write_bytes(
                as_bytes(pdf("One.", None, outline={"One.": 1}))
                if ending == ".pdf"
                else mail("a", html="<p>b").as_bytes()
            )
    data = whole.read_bytes()
    at = int(place * len(data))
    path = tmp_path / f"a{ending}"
    path.write_bytes(data[:at] + patch + data[at + cut :])
    sound(path)
